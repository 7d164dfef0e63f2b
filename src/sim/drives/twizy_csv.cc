// One Renault Twizy, an electric car, trips around Rabat in 2021, 1 Hz. What the data's description
// and the data say, and what is done with it:
//   - the date is MM/DD/YYYY and the time is local without a zone. Morocco is at UTC+1 all year but
//     in Ramadan: 2021 it was at UTC+0 from April 11, 02:00 UTC, to May 16, 02:00 UTC. The trips of
//     April lie within it. Only 2021 is known here: another year is no time
//   - 101 rows of three trips carry a broken date ("90/02/2032", "03/00/2000") -> kNoTime
//   - the receiver's fix is repeated until the next comes, for 12 s in the median and 36 s at most,
//     while the car drives on: a place is sent with the row in which any of LAT, LON, ALT and
//     GpsSpeed changed (about one in twelve), else it counts as kCarriedForward. A fix that came
//     anew and equal is lost with them
//   - ALT reads down to -111 m (85 rows of one trip, on a coast): as recorded
//   - Speed is the car's own (CAN) and is sent; GpsSpeed lags behind, is above zero at standstill,
//   and
//     the contract has no field for it. Speed and Soc were resampled to 1 Hz by the authors:
//     whether a value that stands twice was measured twice cannot be told, so both are sent
//   - Soc -> traction battery, Mode N, D, R -> gear selection
//   - Temperature, Humidity, Weather, Wind are a weather service's, not the car's; Traffic and
//     SpeedLimit are the authors': no fields for them
//   - a file is one trip and one vehicle here, though all are of one car
#include <fmt/format.h>

#include "sim/drives/csv.h"
#include "sim/drives/readers.h"
#include "sim/drives/timeline.h"

namespace telltale::sim {
namespace {

// Micros UTC of a moment in Morocco. nullopt: no such moment, or not in 2021.
std::optional<std::int64_t> TimeInMorocco(std::string_view date, std::string_view time) {
  if (date.size() != 10 || date[2] != '/' || date.substr(5) != "/2021") return std::nullopt;
  const auto local_us =
      UtcMicrosOf(fmt::format("2021-{}-{}T{}Z", date.substr(0, 2), date.substr(3, 2), time));
  if (!local_us) return std::nullopt;
  constexpr std::int64_t kHourUs = 3'600'000'000;
  const std::int64_t summer_us = *local_us - kHourUs;
  static const std::int64_t ramadan_from_us = UtcMicrosOf("2021-04-11T02:00:00Z").value();
  static const std::int64_t ramadan_to_us = UtcMicrosOf("2021-05-16T02:00:00Z").value();
  const bool in_ramadan = summer_us >= ramadan_from_us && *local_us < ramadan_to_us;
  return in_ramadan ? *local_us : summer_us;
}

void FillCar(const CsvRow& row, telltale::v1::Report& report) {
  if (const auto speed = row.Get("Speed")) report.set_speed_kmh(static_cast<float>(*speed));
  if (const auto soc = row.Get("Soc")) {
    report.set_traction_battery_soc_percent(static_cast<float>(*soc));
  }
  const std::string_view mode = row.Text("Mode");
  if (mode == "N") report.set_gear_selection(telltale::v1::GEAR_SELECTION_NEUTRAL);
  if (mode == "D") report.set_gear_selection(telltale::v1::GEAR_SELECTION_DRIVE);
  if (mode == "R") report.set_gear_selection(telltale::v1::GEAR_SELECTION_REVERSE);
}

// The receiver's last fix as the file has it; empty at the start.
using Fix = std::array<std::string, 4>;

void FillPlace(const CsvRow& row, Fix& last, telltale::v1::Report& report, RowCounts& counts) {
  const Fix fix = {std::string(row.Text("LAT")), std::string(row.Text("LON")),
                   std::string(row.Text("ALT")), std::string(row.Text("GpsSpeed"))};
  constexpr std::uint64_t kValues = 3;  // latitude, longitude, altitude
  if (fix == last) return counts.DropValue(ValueDrop::kCarriedForward, kValues);
  last = fix;
  const auto latitude = row.Get("LAT");
  const auto longitude = row.Get("LON");
  if (!latitude || !longitude) return counts.DropValue(ValueDrop::kMalformed, kValues);
  report.set_latitude_deg(*latitude);
  report.set_longitude_deg(*longitude);
  if (const auto altitude = row.Get("ALT")) report.set_altitude_m(static_cast<float>(*altitude));
}

}  // namespace

Result<std::vector<Drive>> ReadTwizyCsv(const Source& source) {
  ASSIGN_OR_RETURN(CsvTable table, CsvTable::Open(source.text, {"Date", "Time", "Soc", "Speed",
                                                                "Mode", "LAT", "LON"}));
  Drive drive;
  drive.name = "twizy-" + source.name;
  drive.model = "Renault Twizy";
  drive.fuel = "electric";
  Fix last;
  CsvRow row;
  while (table.Next(row)) {
    const auto at_us = TimeInMorocco(row.Text("Date"), row.Text("Time"));
    if (!at_us) {
      drive.counts.Drop(RowDrop::kNoTime);
      continue;
    }
    telltale::v1::Report report;
    FillCar(row, report);
    FillPlace(row, last, report, drive.counts);
    AddReport(drive, *at_us, std::move(report));
  }
  std::vector<Drive> drives;
  drives.push_back(std::move(drive));
  return drives;
}

}  // namespace telltale::sim
