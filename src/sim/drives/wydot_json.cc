// Log of a Wyoming on-board unit as the ODE writes it: one message a line. What the data's
// description and the data say, and what is done with it:
//   - the vehicle is the unit that wrote the log: its own messages (payload OdeBsmPayload,
//   bsmSource
//     EV) are reports. One file is one unit's log: one drive, also when the temporary id of its
//     messages rotates
//   - everything else is kForeign: messages of other vehicles (bsmSource RV), traveller
//     information (rxMsg, dnMsg), and driverAlert. The alerts recorded are BSW (blind spot, without
//     a side) and ICW (intersection): the contract has no field for either. So a file of those
//     alone gives one drive without a report, its lines counted
//   - time is recordGeneratedAt; odeReceivedAt is a year later. Lines run newest first, with
//     exceptions (record 5 stands after 4) -> sorted by time, then serialNumber; the same serial
//     number again is kDuplicate
//   - speed m/s -> km/h. accelLat and accelVert read 0.00 in every record: not wired -> kSentinel.
//     accelYaw: J2735 is positive to the right -> sign turned; exactly 0.00 in all records but one
//     is taken as it stands
//   - heading: the receiver holds it while the vehicle hardly moves (267.4 three times in a row, 30
//   s
//     apart); a heading equal to the last one's is kCarriedForward
//   - accuracy reads 9.30 by 12.05 m in every record, its major axis the shorter: not measured ->
//     kInvalid. transmission reads NEUTRAL, the first number of its list, also while the vehicle
//     moves -> kSentinel. brakes say unavailable: nothing
//   - elevation swings by 60 m at one spot: a bench or yard test, taken as it stands
//   - receivedMessageDetails repeats the message's own place as text; not read
#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "sim/drives/in_range.h"
#include "sim/drives/json_read.h"
#include "sim/drives/lines.h"
#include "sim/drives/readers.h"
#include "sim/drives/timeline.h"

namespace telltale::sim {
namespace {

using telltale::v1::Report;

struct OwnMessage {
  std::int64_t at_us = 0;
  double serial_number = 0;
  std::size_t line = 0;  // among equals the file's order stands
  Json core;
};

bool IsOwn(const Json& metadata) {
  return TextIn(metadata, "payloadType").ends_with("OdeBsmPayload") &&
         TextIn(metadata, "bsmSource") == "EV";
}

void FillPlace(const Json& core, std::optional<double>& last_heading, Report& report,
               RowCounts& counts) {
  if (const Json* place = Member(core, "position")) {
    const auto latitude = NumberIn(*place, "latitude");
    const auto longitude = NumberIn(*place, "longitude");
    if (latitude && longitude) {
      report.set_latitude_deg(*latitude);
      report.set_longitude_deg(*longitude);
    }
    if (const auto elevation = NumberIn(*place, "elevation")) {
      report.set_altitude_m(static_cast<float>(*elevation));
    }
  }
  if (const Json* accuracy = Member(core, "accuracy")) {
    const auto major = NumberIn(*accuracy, "semiMajor");
    const auto minor = NumberIn(*accuracy, "semiMinor");
    if (major && minor && *major < *minor) {
      counts.DropValue(ValueDrop::kInvalid);
    } else if (major) {
      report.set_horizontal_accuracy_m(static_cast<float>(*major));
    }
  }
  const auto heading = NumberIn(core, "heading");
  if (heading && heading == last_heading) {
    counts.DropValue(ValueDrop::kCarriedForward);
  } else if (heading) {
    report.set_heading_deg(static_cast<float>(*heading));
  }
  if (heading) last_heading = heading;
}

void FillMotion(const Json& core, Report& report, RowCounts& counts) {
  if (const auto speed = NumberIn(core, "speed")) {
    report.set_speed_kmh(static_cast<float>(*speed * 3.6));
  }
  const std::string_view gear = TextIn(core, "transmission");
  if (gear == "FORWARDGEARS") report.set_gear_selection(telltale::v1::GEAR_SELECTION_DRIVE);
  if (gear == "REVERSEGEARS") report.set_gear_selection(telltale::v1::GEAR_SELECTION_REVERSE);
  if (gear == "PARK") report.set_gear_selection(telltale::v1::GEAR_SELECTION_PARK);
  if (gear == "NEUTRAL") counts.DropValue(ValueDrop::kSentinel);
  const Json* acceleration = Member(core, "accelSet");
  if (acceleration == nullptr) return;
  if (const auto x = NumberIn(*acceleration, "accelLong")) {
    report.set_acceleration_longitudinal_mps2(static_cast<float>(*x));
  }
  if (const auto yaw = NumberIn(*acceleration, "accelYaw")) {
    report.set_yaw_rate_dps(static_cast<float>(*yaw == 0 ? 0 : -*yaw));
  }
  const auto y = NumberIn(*acceleration, "accelLat");
  if (y && *y == 0) {
    counts.DropValue(ValueDrop::kSentinel);
  } else if (y) {
    report.set_acceleration_lateral_mps2(static_cast<float>(-*y));
  }
  const auto z = NumberIn(*acceleration, "accelVert");
  if (z && *z == 0) {
    counts.DropValue(ValueDrop::kSentinel);
  } else if (z) {
    report.set_acceleration_vertical_mps2(static_cast<float>(*z));
  }
}

// Counts the line unless it is an own message, which goes to `own`. False: no message of the ODE.
bool TakeLine(std::string_view line, RowCounts& counts, std::vector<OwnMessage>& own) {
  auto message = ParseJson(line);
  const Json* metadata = message.ok() ? Member(*message, "metadata") : nullptr;
  if (metadata == nullptr || TextIn(*metadata, "payloadType").empty()) {
    counts.Drop(RowDrop::kMalformed);
    return false;
  }
  const Json* core = Inside(*message, {"payload", "data", "coreData"});
  if (!IsOwn(*metadata)) {
    counts.Drop(RowDrop::kForeign);
  } else if (core == nullptr) {
    counts.Drop(RowDrop::kMalformed);
  } else if (const auto at_us = UtcMicrosOf(TextIn(*metadata, "recordGeneratedAt")); !at_us) {
    counts.Drop(RowDrop::kNoTime);
  } else {
    const Json* serial = Member(*metadata, "serialId");
    const auto number = serial == nullptr ? std::nullopt : NumberIn(*serial, "serialNumber");
    own.push_back({*at_us, number.value_or(0), own.size(), *core});
  }
  return true;
}

void AddMessages(std::vector<OwnMessage> own, Drive& drive) {
  std::sort(own.begin(), own.end(), [](const OwnMessage& a, const OwnMessage& b) {
    return std::tie(a.at_us, a.serial_number, a.line) < std::tie(b.at_us, b.serial_number, b.line);
  });
  std::optional<double> last_heading;
  for (std::size_t i = 0; i < own.size(); ++i) {
    if (i > 0 && own[i].at_us == own[i - 1].at_us &&
        own[i].serial_number == own[i - 1].serial_number) {
      drive.counts.Drop(RowDrop::kDuplicate);
      continue;
    }
    Report report;
    FillPlace(own[i].core, last_heading, report, drive.counts);
    FillMotion(own[i].core, report, drive.counts);
    ClearOutOfRange(report, drive.counts);
    if (report.ByteSizeLong() == 0) {
      drive.counts.Drop(RowDrop::kNothing);
      continue;
    }
    AddReport(drive, own[i].at_us, std::move(report));
  }
}

}  // namespace

Result<std::vector<Drive>> ReadWydotJson(const Source& source) {
  std::vector<Drive> drives(1);
  Drive& drive = drives.front();
  drive.name = fmt::format("wydot-{}", source.name);
  drive.vehicle_class = "unknown";
  std::vector<OwnMessage> own;
  bool has_message = false;
  ForEachLine(source.text, [&](std::string_view line, std::size_t) {
    has_message = TakeLine(line, drive.counts, own) || has_message;
  });
  if (!has_message) return Error{Code::kInvalid, "no line is a message of the ODE"};
  AddMessages(std::move(own), drive);
  return drives;
}

}  // namespace telltale::sim
