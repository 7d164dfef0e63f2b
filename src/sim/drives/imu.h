// A motion sensor whose mounting in the vehicle nobody wrote down.
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sim/drives/drive.h"

namespace telltale::sim {

struct ImuSample {
  std::int64_t at_us = 0;
  std::array<double, 3> acceleration_mps2{};  // gravity included
  std::array<double, 3> rate_dps{};
};

// The rows of *_imu.csv that are valid; the others are counted. What its source says of a row that
// is not valid: imu_valid = 0, and the lowest number that fits (-64, -256) in it.
//   kInvalid  not such a table
Result<std::vector<ImuSample>> ReadImuTable(std::string_view text, RowCounts& counts);

// Which way is up, from gravity alone. That gives the yaw rate and the vertical acceleration. Which
// way is forward would have to be guessed from other signals: longitudinal and lateral acceleration
// are not given.
class ImuMount {
 public:
  // The middle of each axis over the recording is gravity. nullopt: no samples, or what is left is
  // no gravity (9-10.5 m/s2).
  static std::optional<ImuMount> Of(const std::vector<ImuSample>& samples);

  // Counter-clockwise seen from above, as ISO 8855.
  double YawRateDps(const ImuSample& sample) const { return Along(sample.rate_dps); }
  double VerticalMps2(const ImuSample& sample) const {
    return Along(sample.acceleration_mps2) - gravity_mps2_;
  }
  // From here on the sensor no longer sits where it did: a second that tilts it by more than 25
  // degrees, or turns it faster than 100 degrees a second, and all after it.
  std::int64_t moved_at_us() const { return moved_at_us_; }

 private:
  double Along(const std::array<double, 3>& vector) const;
  bool IsTilted(const std::array<double, 3>& mean) const;
  void FindMove(const std::vector<ImuSample>& samples);

  std::array<double, 3> up_{};
  double gravity_mps2_ = 0;
  std::int64_t moved_at_us_ = 0;
};

}  // namespace telltale::sim
