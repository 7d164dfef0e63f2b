// One warning of the NYC Connected Vehicle Pilot: the messages (J2735 BSM) of the host and, for a
// forward collision warning, of the target vehicle around it. What the data's description and the
// data say, and what is done with it:
//   - host and target are two vehicles, their records interleave -> two drives
//   - no date: T_s is seconds from the warning (is_dated = false). No place: X_m, Y_m, Z_m are
//     offsets from a place that is not given
//   - a few records have the time and place of the one before and the next message number: the
//     obfuscation's rounding -> kDuplicate
//   - speed m/s -> km/h. The target's reads 5.68 m/s in all 161 records while X and Y move at
//     22 m/s: a speed that never changes and does not fit the way is stuck -> left out (kInvalid)
//   - J2735 has yaw and lateral acceleration positive to the right (both rise with the heading,
//     correlation 0.97 and more, 0.82 and more), ISO 8855 to the left -> signs turned
//   - vert_mpss is -0.259 in every record, the host's and the target's: not measured -> kSentinel.
//     angle (steering wheel) 127 means unavailable -> kSentinel; another value is in steps of 1.5
//     degrees, clockwise positive -> turned
//   - brakes say "unavailable" but for wheelBrakes, whose "00" is no brake or not wired: left out
//   - the event of type fcw is the warning: is_fcw_warning is set on the host's record that
//     triggered it (triggerHVSeqNum; it is the one with X = Y = 0), on no other: how long the
//     warning lasted is not recorded. A speed limit warning (spdcomp) has no field: its drive is
//     the motion alone
//   - heading_deg is that of the path, clockwise from north
//   - vehicle class by J2735 BasicVehicleClass of part II, when it is there
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>

#include "sim/drives/in_range.h"
#include "sim/drives/json_read.h"
#include "sim/drives/readers.h"
#include "sim/drives/timeline.h"

namespace telltale::sim {
namespace {

using telltale::v1::Report;

constexpr double kAngleUnavailable = 127;
constexpr double kAngleStepDeg = 1.5;
constexpr double kVertNotMeasured = -0.259;
constexpr double kSecondsMax = 1e6;

struct Moment {
  double t_s = 0;
  double sequence = 0;  // eventMsgSeqNum
  const Json* core = nullptr;
};

// What one vehicle sent.
struct Vehicle {
  std::vector<Moment> moments;
  const char* vehicle_class = "unknown";
  RowCounts counts;
};

const char* ClassOf(const Json& part_two) {
  if (!part_two.is_array()) return nullptr;
  for (const Json& part : part_two) {
    const Json* value = Member(part, "partII-Value");
    const auto number = value == nullptr ? std::nullopt : NumberIn(*value, "classification");
    if (!number) continue;
    if (*number >= 10 && *number < 20) return "passenger_car";
    if (*number >= 20 && *number < 40) return "truck";  // light trucks, then trucks by axles
    if (*number >= 40 && *number < 50) return "motorcycle";
    if (*number >= 50 && *number < 60) return "bus";
  }
  return nullptr;
}

// True: all speeds are one number, and the way over the whole time gives another.
bool IsSpeedStuck(const std::vector<Moment>& moments) {
  if (moments.size() < 10) return false;
  const Json& first = *moments.front().core;
  const Json& last = *moments.back().core;
  const auto speed = NumberIn(first, "speed_mps");
  for (const Moment& moment : moments) {
    if (NumberIn(*moment.core, "speed_mps") != speed) return false;
  }
  const auto x0 = NumberIn(first, "X_m");
  const auto y0 = NumberIn(first, "Y_m");
  const auto x1 = NumberIn(last, "X_m");
  const auto y1 = NumberIn(last, "Y_m");
  const double seconds = moments.back().t_s - moments.front().t_s;
  if (!speed || !x0 || !y0 || !x1 || !y1 || seconds <= 0) return false;
  const double straight_mps = std::hypot(*x1 - *x0, *y1 - *y0) / seconds;
  return straight_mps > *speed * 1.2 + 1 || (*speed > 1 && straight_mps < *speed * 0.1);
}

void FillMotion(const Json& core, Report& report, RowCounts& counts) {
  if (const auto heading = NumberIn(core, "heading_deg")) {
    report.set_heading_deg(static_cast<float>(*heading));
  }
  if (const auto angle = NumberIn(core, "angle")) {
    if (*angle == kAngleUnavailable) {
      counts.DropValue(ValueDrop::kSentinel);
    } else {
      report.set_steering_wheel_angle_deg(static_cast<float>(-*angle * kAngleStepDeg));
    }
  }
  if (TextIn(core, "transmission") == "forwardGears") {
    report.set_gear_selection(telltale::v1::GEAR_SELECTION_DRIVE);
  }
  const Json* acceleration = Member(core, "accelSet");
  if (acceleration == nullptr) return;
  if (const auto x = NumberIn(*acceleration, "long_mpss")) {
    report.set_acceleration_longitudinal_mps2(static_cast<float>(*x));
  }
  if (const auto y = NumberIn(*acceleration, "lat_mpss")) {
    report.set_acceleration_lateral_mps2(static_cast<float>(-*y));
  }
  if (const auto yaw = NumberIn(*acceleration, "yaw_dps")) {
    report.set_yaw_rate_dps(static_cast<float>(-*yaw));
  }
  const auto z = NumberIn(*acceleration, "vert_mpss");
  if (z && *z == kVertNotMeasured) {
    counts.DropValue(ValueDrop::kSentinel);
  } else if (z) {
    report.set_acceleration_vertical_mps2(static_cast<float>(*z));
  }
}

Drive DriveOf(Vehicle vehicle, double fcw_sequence) {
  Drive drive;
  drive.is_dated = false;
  drive.vehicle_class = vehicle.vehicle_class;
  drive.counts = vehicle.counts;
  const bool is_speed_stuck = IsSpeedStuck(vehicle.moments);
  const Moment* before = nullptr;
  for (const Moment& moment : vehicle.moments) {
    const bool is_warning = moment.sequence == fcw_sequence;
    const bool is_again = before != nullptr && before->t_s == moment.t_s &&
                          NumberIn(*before->core, "X_m") == NumberIn(*moment.core, "X_m");
    before = &moment;
    if (is_again && !is_warning) {
      drive.counts.Drop(RowDrop::kDuplicate);
      continue;
    }
    Report report;
    if (const auto speed = NumberIn(*moment.core, "speed_mps")) {
      if (is_speed_stuck) {
        drive.counts.DropValue(ValueDrop::kInvalid);
      } else {
        report.set_speed_kmh(static_cast<float>(*speed * 3.6));
      }
    }
    FillMotion(*moment.core, report, drive.counts);
    if (is_warning) report.set_is_fcw_warning(true);
    ClearOutOfRange(report, drive.counts);
    if (report.ByteSizeLong() == 0) {
      drive.counts.Drop(RowDrop::kNothing);
      continue;
    }
    AddReport(drive, static_cast<std::int64_t>(std::llround(moment.t_s * 1e6)), std::move(report));
  }
  return drive;
}

// Puts the records to their vehicles. A record that names none is the host's loss.
std::map<std::string, Vehicle, std::less<>> VehiclesOf(const Json& records,
                                                       const std::string& host) {
  std::map<std::string, Vehicle, std::less<>> vehicles;
  vehicles[host];
  for (const Json& record : records) {
    const Json* message = Inside(record, {"bsmRecord", "bsmMsg"});
    const Json* core = message == nullptr ? nullptr : Member(*message, "coreData");
    const std::string id(core == nullptr ? "" : TextIn(*core, "id"));
    if (id.empty()) {
      vehicles[host].counts.Drop(RowDrop::kMalformed);
      continue;
    }
    Vehicle& vehicle = vehicles[id];
    const auto seconds = NumberIn(*core, "T_s");
    if (!seconds || std::abs(*seconds) > kSecondsMax) {
      vehicle.counts.Drop(RowDrop::kNoTime);
      continue;
    }
    vehicle.moments.push_back({*seconds, NumberIn(record, "eventMsgSeqNum").value_or(-1), core});
    const Json* part_two = Member(*message, "partII");
    const char* vehicle_class = part_two == nullptr ? nullptr : ClassOf(*part_two);
    if (vehicle_class != nullptr) vehicle.vehicle_class = vehicle_class;
  }
  return vehicles;
}

}  // namespace

Result<std::vector<Drive>> ReadNycEventJson(const Source& source) {
  ASSIGN_OR_RETURN(const Json event, ParseJson(source.text));
  const Json* header = Member(event, "eventHeader");
  const Json* records = Member(event, "bsmList");
  if (header == nullptr || records == nullptr || !records->is_array()) {
    return Error{Code::kInvalid, "line 1 begins no event with `eventHeader` and `bsmList`"};
  }
  const std::string host(TextIn(*header, "hostVehID"));
  const std::string target(TextIn(*header, "targetVehID"));
  const bool is_fcw = TextIn(*header, "eventType") == "fcw";
  constexpr double kNever = std::numeric_limits<double>::quiet_NaN();
  const double trigger = is_fcw ? NumberIn(*header, "triggerHVSeqNum").value_or(kNever) : kNever;
  std::vector<Drive> drives;
  int others = 0;
  for (auto& [id, vehicle] : VehiclesOf(*records, host)) {
    const bool is_host = id == host;
    const std::string role = is_host        ? "host"
                             : id == target ? "target"
                                            : fmt::format("other{}", ++others);
    Drive drive = DriveOf(std::move(vehicle), is_host ? trigger : kNever);
    drive.name = fmt::format("nyc-{}-{}", source.name, role);
    drives.push_back(std::move(drive));
  }
  // The ids are random: the host first, whatever its number.
  std::sort(drives.begin(), drives.end(),
            [](const Drive& a, const Drive& b) { return a.name < b.name; });
  return drives;
}

}  // namespace telltale::sim
