#include "gate/exposure.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "base/vehicle_class.h"
#include "contract/contract.h"
#include "contract/telemetry_record.h"
#include "contract/wire.h"
#include "gate/bytes_of.h"
#include "telltale/v1/telemetry.pb.h"

namespace telltale::gate {
namespace {

constexpr std::uint32_t kSpeedNumber = telltale::v1::Report::kSpeedKmhFieldNumber;
constexpr double kSpeedKmhMax = 1000;  // no car; also keeps sums whole
constexpr std::int64_t kHourUs = 3'600 * 1'000'000ll;
constexpr double kMillimetresByKmhMicro = 1 / 3.6 / 1000;
constexpr std::string_view kVehiclesOverflow = "vehicles";

std::size_t HourOf(Micros event_at) {
  const std::int64_t hour = event_at.value / kHourUs % static_cast<std::int64_t>(kHours);
  return static_cast<std::size_t>(hour < 0 ? hour + static_cast<std::int64_t>(kHours) : hour);
}

bool ReadField(contract::WireCursor& cursor, InputReport& report) {
  std::uint32_t number = 0;
  contract::WireType type{};
  if (!cursor.ReadTag(number, type)) return false;
  const std::uint8_t* const at = cursor.at();
  if (number == contract::kFieldVehicleClass && type == contract::WireType::kVarint) {
    std::uint64_t value = 0;
    if (!cursor.ReadVarint(value)) return false;
    report.vehicle_class = static_cast<std::uint32_t>(value);
    return true;
  }
  if (!cursor.Skip(type)) return false;
  if (number == kSpeedNumber && type == contract::WireType::kFixed32) {
    const double speed = GetLe<float>(at);
    if (speed >= 0 && speed <= kSpeedKmhMax) report.speed_kmh = speed;
  }
  return true;
}

}  // namespace

std::optional<InputReport> ReportOf(const log::RecordView& record) {
  const auto fields = contract::OpenFieldsOf(record.header.flags, record.payload);
  if (!fields) return std::nullopt;
  InputReport report{.vehicle = record.header.vehicle,
                     .boot = record.header.boot,
                     .seq = record.header.seq,
                     .event_at = record.header.event_time,
                     .log_time = record.log_time,
                     .partition = record.partition,
                     .firmware = std::string(record.firmware)};
  contract::WireCursor cursor(*fields);
  while (!cursor.done()) {
    if (!ReadField(cursor, report)) return std::nullopt;
  }
  return report;
}

bool ExposureTally::IsNew(VehicleExposure& vehicle, const InputReport& report) {
  auto& boots = vehicle.boots;
  if (!boots.contains(report.boot) && boots.size() >= kBootsPerVehicleMax) {
    if (report.boot < boots.begin()->first) return false;  // older than what is remembered
    boots.erase(boots.begin());
  }
  return boots[report.boot].Insert(report.seq);
}

void ExposureTally::Take(const InputReport& report, const WarmSince& warm_since) {
  if (vehicles_.size() >= kDrivenVehiclesMax && !vehicles_.contains(report.vehicle)) {
    overflow_ = kVehiclesOverflow;
    return;
  }
  VehicleExposure& vehicle = vehicles_[report.vehicle];
  if (!IsNew(vehicle, report)) return;
  vehicle.partition = report.partition;
  vehicle.firmware = NumberOf(report.firmware);
  if (report.vehicle_class && *report.vehicle_class < kVehicleClassNames.size()) {
    vehicle.vehicle_class = static_cast<std::uint8_t>(*report.vehicle_class);
  }
  const auto warm = warm_since(report.partition, report.vehicle);
  const bool is_compared = warm && report.log_time >= *warm;
  if (is_compared) {
    if (!std::exchange(vehicle.has_input, true)) ++compared_;
    // Time soaked is time compared: what was before, and a clock that runs ahead, are none of it.
    const Micros event_at = std::min(report.event_at, report.log_time);
    if (event_at >= *warm) {
      event_from_ = std::min(event_from_, event_at);
      event_to_ = std::max(event_to_, event_at);
    }
  }
  if (report.event_at <= vehicle.last_event_at) return;  // late: its time was counted already
  const Micros before = std::exchange(vehicle.last_event_at, report.event_at);
  // As long as nothing else is said, a car drives as it did.
  const double speed_kmh = vehicle.last_speed_kmh;
  if (report.speed_kmh) vehicle.last_speed_kmh = *report.speed_kmh;
  if (!is_compared || before == Micros{INT64_MIN} || speed_kmh <= 0) return;
  const Micros gap = std::min(report.event_at - before, kReportGapMax);
  // Whole numbers: a sum does not depend on the order of its parts.
  const std::int64_t millimetres =
      std::llround(static_cast<double>(gap.value) * speed_kmh * kMillimetresByKmhMicro);
  vehicle.driving_us += gap.value;
  vehicle.millimetres += millimetres;
  const std::size_t hour = HourOf(report.event_at);
  vehicle.hours |= 1u << hour;
  hour_driving_us_[hour] += gap.value;
  hour_millimetres_[hour] += millimetres;
}

std::uint16_t ExposureTally::NumberOf(const std::string& firmware) {
  const auto at = std::find(firmwares_.begin(), firmwares_.end(), firmware);
  if (at != firmwares_.end()) return static_cast<std::uint16_t>(at - firmwares_.begin());
  if (firmwares_.size() + 1 == kFirmwaresMax) firmwares_.emplace_back("other");
  if (firmwares_.size() == kFirmwaresMax) return kFirmwaresMax - 1;
  firmwares_.push_back(firmware);
  return static_cast<std::uint16_t>(firmwares_.size() - 1);
}

void ExposureTally::Forget(const ErasureList& erased) {
  if (erased.empty()) return;
  std::erase_if(vehicles_, [&](const auto& one) {
    if (!erased.Contains(one.first)) return false;
    compared_ -= one.second.has_input ? 1 : 0;
    return true;
  });
}

void ExposureTally::Encode(std::string& out) const {
  PutLe(out, static_cast<std::uint32_t>(firmwares_.size()));
  for (const std::string& name : firmwares_) PutBlob(out, name);
  for (const std::int64_t value : hour_driving_us_) PutLe(out, value);
  for (const std::int64_t value : hour_millimetres_) PutLe(out, value);
  PutLe(out, event_from_.value);
  PutLe(out, event_to_.value);
  PutBlob(out, overflow_);
  PutLe(out, static_cast<std::uint32_t>(vehicles_.size()));
  std::vector<const Vehicles::value_type*> sorted;
  sorted.reserve(vehicles_.size());
  for (const auto& one : vehicles_) sorted.push_back(&one);
  std::sort(sorted.begin(), sorted.end(),
            [](const auto* a, const auto* b) { return a->first < b->first; });
  for (const auto* one : sorted) {
    const VehicleExposure& vehicle = one->second;
    PutRef(out, one->first);
    PutLe(out, vehicle.last_event_at.value);
    PutLe(out, vehicle.last_speed_kmh);
    PutLe(out, vehicle.firmware);
    PutLe(out, vehicle.vehicle_class);
    PutLe(out, static_cast<std::uint8_t>(vehicle.has_input ? 1 : 0));
    PutLe(out, vehicle.partition.value);
    PutLe(out, vehicle.driving_us);
    PutLe(out, vehicle.millimetres);
    PutLe(out, vehicle.hours);
    PutLe(out, static_cast<std::uint8_t>(vehicle.boots.size()));
    for (const auto& [boot, seen] : vehicle.boots) {
      PutLe(out, boot.counter);
      PutLe(out, boot.random);
      seen.Encode(out);
    }
  }
}

Result<ExposureTally> ExposureTally::Decode(ByteReader& in) {
  const Error cut{Code::kCorrupt, "gate state: the exposure is cut"};
  ExposureTally tally;
  tally.firmwares_.clear();
  for (auto left = GetCount(in, 4); left > 0 && in.ok(); --left) {
    tally.firmwares_.push_back(GetText(in));
  }
  if (tally.firmwares_.empty() || tally.firmwares_.size() > kFirmwaresMax) return cut;
  for (std::int64_t& value : tally.hour_driving_us_) value = in.Get<std::int64_t>();
  for (std::int64_t& value : tally.hour_millimetres_) value = in.Get<std::int64_t>();
  tally.event_from_ = Micros{in.Get<std::int64_t>()};
  tally.event_to_ = Micros{in.Get<std::int64_t>()};
  tally.overflow_ = GetText(in);
  for (auto left = GetCount(in, 59); left > 0 && in.ok(); --left) {
    VehicleExposure& vehicle = tally.vehicles_[GetRef(in)];
    vehicle.last_event_at = Micros{in.Get<std::int64_t>()};
    vehicle.last_speed_kmh = in.Get<double>();
    vehicle.firmware = in.Get<std::uint16_t>();
    vehicle.vehicle_class = in.Get<std::uint8_t>();
    vehicle.has_input = in.Get<std::uint8_t>() != 0;
    tally.compared_ += vehicle.has_input ? 1 : 0;
    vehicle.partition = PartitionId{in.Get<std::uint16_t>()};
    vehicle.driving_us = in.Get<std::int64_t>();
    vehicle.millimetres = in.Get<std::int64_t>();
    vehicle.hours = in.Get<std::uint32_t>();
    if (vehicle.firmware >= tally.firmwares_.size()) return cut;
    if (vehicle.vehicle_class >= kVehicleClassNames.size()) return cut;
    for (auto boots = in.Get<std::uint8_t>(); boots > 0 && in.ok(); --boots) {
      BootId boot;
      boot.counter = in.Get<std::uint32_t>();
      boot.random = in.Get<std::uint64_t>();
      if (!sequence::IntervalSet::Decode(in, vehicle.boots[boot])) return cut;
    }
  }
  if (!in.ok()) return cut;
  return tally;
}

}  // namespace telltale::gate
