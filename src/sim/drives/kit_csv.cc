// One Seat Leon in Germany, 2017, trips through an OBD-II dongle, about 11 rows a second. What the
// data's description and the data say, and what is done with it:
//   - the date is only in the file's name; the times are local (CEST, UTC+2, for all of July)
//   - one PID is refreshed in a row, the other cells repeat what was read before. Which one was
//     refreshed is known also when its value did not change, for the ten are polled in the order of
//     the columns, one a row, from the first row on: in 12 of the 15 trips every change of a cell
//     (169 thousand) falls into the column whose turn it is, and no row has two changes. In the
//     other three the order slips 187 times, where the dongle left a PID out: a change shows it,
//     and the turn goes on from there. Only the refreshed value is sent, at the time of its row;
//     the rest is kCarriedForward. After a slip the turn is off until the next change: there a
//     value may be sent again in the place of one that was read and had not changed
//   - so most rows have one value, and the rows of the two pedal sensors have none (kNothing): PIDs
//     49 and 4A are the sensors' own travel, 14 % with the pedal released, and the contract's pedal
//     position is 0 there
//   - one row of 2017-07-11_KA_S goes back by 42 ms (kBackwards)
//   - vehicle speed is PID 0D -> obd_speed_kmh
//   - the throttle reads 89 at rest: as recorded. Intake air reaches 150 degrees: as recorded
//   - the degree sign in the header is doubly encoded: columns are told by how their names begin
//   - a file is one trip and one vehicle here, though all are of one car
#include <fmt/format.h>

#include "sim/drives/csv.h"
#include "sim/drives/readers.h"
#include "sim/drives/timeline.h"

namespace telltale::sim {
namespace {

using telltale::v1::Report;

struct Pid {
  std::string_view name;       // how the header's text begins
  void (Report::*set)(float);  // nullptr: no field for it
};

// In the order of the columns, behind the time, and of the polling.
constexpr Pid kPids[] = {
    {"Engine Coolant Temperature", &Report::set_coolant_temperature_c},
    {"Intake Manifold Absolute Pressure", &Report::set_intake_manifold_pressure_kpa},
    {"Engine RPM", &Report::set_engine_speed_rpm},
    {"Vehicle Speed Sensor", &Report::set_obd_speed_kmh},
    {"Intake Air Temperature", &Report::set_intake_air_temperature_c},
    {"Air Flow Rate from Mass Flow Sensor", &Report::set_mass_air_flow_gps},
    {"Absolute Throttle Position", &Report::set_throttle_percent},
    {"Ambient Air Temperature", &Report::set_ambient_temperature_c},
    {"Accelerator Pedal Position D", nullptr},
    {"Accelerator Pedal Position E", nullptr},
};
constexpr std::size_t kPidCount = std::size(kPids);

Status CheckHeader(const CsvTable& table) {
  const auto& header = table.header();
  bool is_ours = header.size() == kPidCount + 1 && header[0] == "Time";
  for (std::size_t i = 0; is_ours && i < kPidCount; ++i) {
    is_ours = header[i + 1].starts_with(kPids[i].name);
  }
  if (is_ours) return Ok();
  return Error{Code::kInvalid, "line 1 is no header with Time and the ten PIDs"};
}

// Germany's clocks go forward on the last Sunday of March, 02:00, and back on the last of October,
// 03:00. `local` is the local time as if it were UTC.
std::int64_t GermanOffsetUs(std::int64_t local_us) {
  constexpr std::int64_t kHourUs = 3'600'000'000;
  const std::time_t local = local_us / 1'000'000;
  tm parts{};
  gmtime_r(&local, &parts);
  const auto last_sunday_us = [&parts](int month, int hour) {
    tm day{};
    day.tm_year = parts.tm_year;
    day.tm_mon = month;
    day.tm_mday = 31;
    day.tm_hour = hour;
    const std::time_t last = timegm(&day);
    gmtime_r(&last, &day);
    return (std::int64_t{last} - std::int64_t{day.tm_wday} * 86'400) * 1'000'000;
  };
  const bool is_summer = local_us >= last_sunday_us(2, 2) && local_us < last_sunday_us(9, 3);
  return is_summer ? 2 * kHourUs : kHourUs;
}

// Which PID a row refreshed: the one whose turn it is, unless a change says another.
class Turn {
 public:
  std::size_t Refreshed(const CsvRow& row) {
    std::size_t refreshed = next_;
    for (std::size_t i = 0; i < kPidCount; ++i) {
      if (row.At(i + 1) != last_[i]) refreshed = i;
      last_[i] = row.At(i + 1);
    }
    next_ = (refreshed + 1) % kPidCount;
    return refreshed;
  }

 private:
  std::array<std::string_view, kPidCount> last_;
  std::size_t next_ = 0;
};

// False: the refreshed value has no field, or is none.
bool Fill(const CsvRow& row, std::size_t refreshed, Report& report, RowCounts& counts) {
  for (std::size_t i = 0; i < kPidCount; ++i) {
    const bool is_old = i != refreshed && kPids[i].set != nullptr && !row.At(i + 1).empty();
    if (is_old) counts.DropValue(ValueDrop::kCarriedForward);
  }
  if (kPids[refreshed].set == nullptr) return false;
  const auto value = NumberOf(row.At(refreshed + 1));
  if (!value) {
    counts.DropValue(ValueDrop::kMalformed);
    return false;
  }
  (report.*kPids[refreshed].set)(static_cast<float>(*value));
  return true;
}

void TakeRow(const CsvRow& row, const std::string& date, Turn& turn, Drive& drive) {
  if (row.cells() != kPidCount + 1) return drive.counts.Drop(RowDrop::kMalformed);
  const std::size_t refreshed = turn.Refreshed(row);
  const auto local_us = UtcMicrosOf(fmt::format("{}T{}Z", date, row.At(0)));
  if (!local_us) return drive.counts.Drop(RowDrop::kNoTime);
  Report report;
  if (!Fill(row, refreshed, report, drive.counts)) return drive.counts.Drop(RowDrop::kNothing);
  AddReport(drive, *local_us - GermanOffsetUs(*local_us), std::move(report));
}

}  // namespace

Result<std::vector<Drive>> ReadKitCsv(const Source& source) {
  const std::string date = source.name.substr(0, std::string_view("2017-07-05").size());
  if (!UtcMicrosOf(date + "T00:00:00Z")) {
    return Error{Code::kInvalid, "the file's name does not begin with the date of the trip"};
  }
  ASSIGN_OR_RETURN(CsvTable table, CsvTable::Open(source.text));
  RETURN_IF_ERROR(CheckHeader(table));
  Drive drive;
  drive.name = "kit-" + source.name;
  drive.model = "Seat Leon";
  Turn turn;
  CsvRow row;
  while (table.Next(row)) TakeRow(row, date, turn, drive);
  std::vector<Drive> drives;
  drives.push_back(std::move(drive));
  return drives;
}

}  // namespace telltale::sim
