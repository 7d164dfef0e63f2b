#include "sim/drives/imu.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "sim/drives/csv.h"

namespace telltale::sim {
namespace {

constexpr double kGravityMin = 9.0;
constexpr double kGravityMax = 10.5;
constexpr double kTiltMaxCos = 0.9063;  // 25 degrees: a car's cornering and slopes reach 17
constexpr double kRateMaxDps = 100;
constexpr std::int64_t kSecondUs = 1'000'000;
constexpr double kEpochMax = 4e9;

double LengthOf(const std::array<double, 3>& vector) {
  return std::sqrt(vector[0] * vector[0] + vector[1] * vector[1] + vector[2] * vector[2]);
}

double MiddleOf(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

Result<std::vector<ImuSample>> ReadImuTable(std::string_view text, RowCounts& counts) {
  static constexpr std::array<std::string_view, 3> kAcceleration = {"acc_x_mps2", "acc_y_mps2",
                                                                    "acc_z_mps2"};
  static constexpr std::array<std::string_view, 3> kRate = {"gyro_x_dps", "gyro_y_dps",
                                                            "gyro_z_dps"};
  ASSIGN_OR_RETURN(CsvTable table,
                   CsvTable::Open(text, {"t_epoch", "imu_valid", "acc_x_mps2", "gyro_x_dps"}));
  std::vector<ImuSample> samples;
  CsvRow row;
  while (table.Next(row)) {
    const auto seconds = row.Get("t_epoch");
    ImuSample sample;
    bool is_whole = true;
    for (std::size_t i = 0; i < 3; ++i) {
      const auto acceleration = row.Get(kAcceleration[i]);
      const auto rate = row.Get(kRate[i]);
      is_whole = is_whole && acceleration && rate;
      sample.acceleration_mps2[i] = acceleration.value_or(0);
      sample.rate_dps[i] = rate.value_or(0);
    }
    if (!seconds || *seconds < 0 || *seconds > kEpochMax) {
      counts.Drop(RowDrop::kNoTime);
    } else if (!is_whole) {
      counts.Drop(RowDrop::kMalformed);
    } else if (row.Text("imu_valid") != "1") {
      counts.Drop(RowDrop::kNothing);
      counts.DropValue(ValueDrop::kInvalid, 6);
    } else {
      sample.at_us = std::llround(*seconds * 1e6);
      samples.push_back(sample);
    }
  }
  return samples;
}

std::optional<ImuMount> ImuMount::Of(const std::vector<ImuSample>& samples) {
  if (samples.empty()) return std::nullopt;
  ImuMount mount;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    std::vector<double> values;
    values.reserve(samples.size());
    for (const ImuSample& sample : samples) values.push_back(sample.acceleration_mps2[axis]);
    mount.up_[axis] = MiddleOf(std::move(values));
  }
  mount.gravity_mps2_ = LengthOf(mount.up_);
  if (mount.gravity_mps2_ < kGravityMin || mount.gravity_mps2_ > kGravityMax) return std::nullopt;
  for (double& part : mount.up_) part /= mount.gravity_mps2_;
  mount.FindMove(samples);
  return mount;
}

double ImuMount::Along(const std::array<double, 3>& vector) const {
  return vector[0] * up_[0] + vector[1] * up_[1] + vector[2] * up_[2];
}

bool ImuMount::IsTilted(const std::array<double, 3>& mean) const {
  return Along(mean) < kTiltMaxCos * LengthOf(mean);
}

void ImuMount::FindMove(const std::vector<ImuSample>& samples) {
  moved_at_us_ = std::numeric_limits<std::int64_t>::max();
  for (std::size_t from = 0; from < samples.size();) {
    const std::int64_t second = samples[from].at_us / kSecondUs;
    std::array<double, 3> mean{};
    bool is_fast = false;
    std::size_t at = from;
    for (; at < samples.size() && samples[at].at_us / kSecondUs == second; ++at) {
      for (std::size_t axis = 0; axis < 3; ++axis) {
        mean[axis] += samples[at].acceleration_mps2[axis];
        is_fast = is_fast || std::abs(samples[at].rate_dps[axis]) > kRateMaxDps;
      }
    }
    if (is_fast || IsTilted(mean)) {
      moved_at_us_ = second * kSecondUs;
      return;
    }
    from = at;
  }
}

}  // namespace telltale::sim
