// Denominators: who drove, how long and how far, from the stream `telemetry` alone, so that no
// release can make them smaller. A value with a bound on its memory; one thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/erasure_list.h"
#include "gate/evidence.h"
#include "log/record.h"
#include "sequence/sequence.h"

namespace telltale::gate {

// Between two reports further apart a car was out of coverage or parked: of such a gap only so much
// counts as driven. Ours: the longest pause that a car's own reporting leaves while it drives.
inline constexpr Micros kReportGapMax = Micros::Seconds(30);
inline constexpr std::size_t kDrivenVehiclesMax = 2'000'000;
inline constexpr std::size_t kFirmwaresMax = 4'096;  // names; the others are one, "other"
inline constexpr std::size_t kBootsPerVehicleMax = 4;
inline constexpr std::size_t kHours = 24;  // of the day, UTC, by event time

// What a record says that matters here.
struct InputReport {
  VehicleRef vehicle = {};
  BootId boot = {};
  std::uint64_t seq = 0;
  Micros event_at = {};
  Micros log_time = {};
  PartitionId partition = {};
  std::string firmware = {};
  std::optional<double> speed_kmh = std::nullopt;
  std::optional<std::uint32_t> vehicle_class = std::nullopt;
};
// nullopt: its open fields cannot be read; it counts nowhere.
std::optional<InputReport> ReportOf(const log::RecordView& record);

struct VehicleExposure {
  std::map<BootId, sequence::IntervalSet> boots = {};  // newest ones
  Micros last_event_at = Micros{INT64_MIN};
  double last_speed_kmh = 0;
  std::uint16_t firmware = 0;  // of Firmwares
  std::uint8_t vehicle_class = 0;
  bool has_input = false;  // since the candidate was warm for it
  PartitionId partition = {};
  std::int64_t driving_us = 0;   // likewise
  std::int64_t millimetres = 0;  // likewise
  std::uint32_t hours = 0;       // bits, likewise
};

class ExposureTally {
 public:
  // Log time from which the vehicle is compared; nullopt: it is not (yet).
  using WarmSince = std::function<std::optional<Micros>(PartitionId, const VehicleRef&)>;

  // Repeats, and reports from before the newest one of their vehicle, drive nowhere.
  void Take(const InputReport& report, const WarmSince& warm_since);
  void Forget(const ErasureList& erased);

  using Vehicles = std::unordered_map<VehicleRef, VehicleExposure, VehicleRefHash>;
  const Vehicles& vehicles() const { return vehicles_; }
  std::int64_t compared() const { return compared_; }  // vehicles with input since they are
  std::string_view FirmwareName(std::uint16_t number) const { return firmwares_.at(number); }
  // Of the compared vehicles, by hour of the day.
  const std::array<std::int64_t, kHours>& hour_driving_us() const { return hour_driving_us_; }
  const std::array<std::int64_t, kHours>& hour_millimetres() const { return hour_millimetres_; }
  // Event time of the compared, between their warm-up and the log; INT64_MAX: nothing yet.
  Micros event_from() const { return event_from_; }
  Micros event_to() const { return event_to_; }
  std::string_view overflow() const { return overflow_; }  // "" = all was counted

  void Encode(std::string& out) const;
  //   kCorrupt
  static Result<ExposureTally> Decode(ByteReader& in);

 private:
  std::uint16_t NumberOf(const std::string& firmware);
  static bool IsNew(VehicleExposure& vehicle, const InputReport& report);

  Vehicles vehicles_;
  std::int64_t compared_ = 0;
  std::vector<std::string> firmwares_ = {""};
  std::array<std::int64_t, kHours> hour_driving_us_{};
  std::array<std::int64_t, kHours> hour_millimetres_{};
  Micros event_from_ = Micros{INT64_MAX};
  Micros event_to_ = Micros{INT64_MIN};
  std::string overflow_;
};

}  // namespace telltale::gate
