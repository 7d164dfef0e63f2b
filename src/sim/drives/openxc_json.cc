// OpenXC trace of a Ford: one message a line, {"name","value","timestamp"}, epoch seconds. What the
// data's description and the data say, and what is done with it:
//   - 430 messages a second, one signal each, about 100 a second of the fast ones: one report a
//     message would be a row with one column. Messages of a slot of 100 ms make one report (the
//     rows joined to it are kMerged); of a signal that comes ten times in a slot the last stands
//   - 27 timestamps go back by 1 to 5 ms, never within one signal: each interface stamps its own.
//     Inside the open slot that does no harm, the values are joined; a message for a slot that is
//     closed already is kBackwards
//   - engine_speed rpm, vehicle_speed km/h (the car's own), accelerator_pedal_position %,
//     fuel_level %, odometer km, latitude and longitude are taken as they are
//   - no field: torque_at_transmission (behind the converter: not the engine's torque),
//     fuel_consumed_since_restart (a volume since some start)
//   - steering_wheel_angle is left out: whether left or right is positive is written nowhere, and
//     the trace holds one value, -2.8, of a car that stands
//   - 2.3 s of a car at idle. No ignition signal: none is made up
#include <fmt/format.h>

#include <cmath>

#include "sim/drives/json_read.h"
#include "sim/drives/lines.h"
#include "sim/drives/readers.h"
#include "sim/drives/slots.h"

namespace telltale::sim {
namespace {

using telltale::v1::Report;

constexpr std::int64_t kSlotUs = 100'000;
constexpr double kLastSecond = 4e9;  // of the years that a recording can be of

bool SetSignal(std::string_view name, double value, Report& report) {
  const auto narrow = static_cast<float>(value);
  if (name == "engine_speed") {
    report.set_engine_speed_rpm(narrow);
  } else if (name == "vehicle_speed") {
    report.set_speed_kmh(narrow);
  } else if (name == "accelerator_pedal_position") {
    report.set_accelerator_pedal_percent(narrow);
  } else if (name == "fuel_level") {
    report.set_fuel_level_percent(narrow);
  } else if (name == "odometer") {
    report.set_odometer_km(value);
  } else if (name == "latitude") {
    report.set_latitude_deg(value);
  } else if (name == "longitude") {
    report.set_longitude_deg(value);
  } else {
    return false;
  }
  return true;
}

void AddMessage(std::string_view line, Drive& drive, SlotJoiner& slots) {
  const auto message = ParseJson(line);
  if (!message.ok()) return drive.counts.Drop(RowDrop::kMalformed);
  const std::string_view name = TextIn(*message, "name");
  if (name.empty()) return drive.counts.Drop(RowDrop::kForeign);  // a command, a diagnostic answer
  const auto seconds = NumberIn(*message, "timestamp");
  if (!seconds || *seconds < 0 || *seconds > kLastSecond) {
    return drive.counts.Drop(RowDrop::kNoTime);
  }
  const auto value = NumberIn(*message, "value");
  Report scratch;
  if (!SetSignal(name, 0, scratch)) return drive.counts.Drop(RowDrop::kNothing);
  if (!value) return drive.counts.Drop(RowDrop::kMalformed);
  const auto at_us = static_cast<std::int64_t>(std::llround(*seconds * 1e6));
  Report* report = slots.Open(at_us);
  if (report == nullptr) return drive.counts.Drop(RowDrop::kBackwards);
  SetSignal(name, *value, *report);
  slots.Added(at_us);
}

}  // namespace

Result<std::vector<Drive>> ReadOpenXcJson(const Source& source) {
  std::vector<Drive> drives(1);
  Drive& drive = drives.front();
  drive.name = fmt::format("openxc-{}", source.name);
  drive.model = "Ford";
  SlotJoiner slots(drive, kSlotUs);
  std::uint64_t lines = 0;
  ForEachLine(source.text, [&](std::string_view line, std::size_t) {
    ++lines;
    AddMessage(line, drive, slots);
  });
  slots.Close();
  const auto of_another_kind = drive.counts.dropped[static_cast<std::size_t>(RowDrop::kMalformed)] +
                               drive.counts.dropped[static_cast<std::size_t>(RowDrop::kForeign)];
  if (of_another_kind == lines) return Error{Code::kInvalid, "no line is an OpenXC message"};
  return drives;
}

}  // namespace telltale::sim
