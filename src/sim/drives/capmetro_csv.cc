// Positions of the buses of Austin, one file a day, one fix a bus about every 120 s. What the
// data's description and the data say, and what is done with it:
//   - many buses in a file, column vehicle_id; each is one vehicle. A bus of two days is two drives
//   - the unit of `speed` changed. Files of 2015 are mph; from 2016 on they are m/s, and every
//   speed
//     is a whole number of mph converted (8.9408 = 20 mph). The unit is decided once for a file, by
//     that witness: the share of its moving rows that lie on the grid of whole mph in m/s, within
//     0.001 mph. Found: 100 % in each file from 2016 on, 0.2 % in that of 2015. 90 % and more is
//     m/s, 10 % and less is mph, between the two the file is refused. A file without a moving row
//     has no unit to mistake. The places agree: mean speed over mean straight way between fixes is
//     1.01 for 2015 as mph, 1.16 and 1.18 for 2016 and 2017 as m/s (2.3 for 2015 as m/s). The
//     medians of moving buses do not (20 and 34 km/h): in 2015 the speeds are smoothed and seldom 0
//   - 113.9952 m/s (255 mph) stands for "unknown" -> speed left out (7 rows of 2017)
//   - positions 0,0 are none -> left out (3 rows of 2017)
//   - rows lie by vehicle and trip, not by time, and go back 673 to 842 times a day within a
//     vehicle: a bus's rows are put in the order of time, and none is lost by that
//   - the same bus and time again: the first row counts (143 rows; they differ in trip or route,
//   never
//     in speed or place)
//   - timestamps have their offset from UTC, which changes with the season
//   - route, trip and headsign: the contract has no field for them
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "sim/drives/csv.h"
#include "sim/drives/readers.h"
#include "sim/drives/timeline.h"

namespace telltale::sim {
namespace {

constexpr double kMpsPerMph = 0.44704;
constexpr double kKmhPerMps = 3.6;
constexpr double kUnknownMps = 255 * kMpsPerMph;

struct Fix {
  std::int64_t at_us = 0;
  std::size_t line = 0;
  std::optional<double> speed;  // in the file's unit
  std::optional<double> latitude_deg;
  std::optional<double> longitude_deg;
};

struct Bus {
  Drive drive;
  std::vector<Fix> fixes;
};

bool IsUnknown(double speed) { return std::abs(speed - kUnknownMps) < 1e-3; }

// km/h per unit of the file's speeds.
Result<double> UnitOf(const std::vector<Bus>& buses) {
  std::size_t moving = 0;
  std::size_t whole_mph = 0;
  for (const Bus& bus : buses) {
    for (const Fix& fix : bus.fixes) {
      if (!fix.speed || *fix.speed <= 0 || IsUnknown(*fix.speed)) continue;
      ++moving;
      const double mph = *fix.speed / kMpsPerMph;
      if (std::abs(mph - std::round(mph)) < 1e-3) ++whole_mph;
    }
  }
  if (whole_mph * 10 >= moving * 9) return kKmhPerMps;
  if (whole_mph * 10 <= moving) return kKmhPerMps * kMpsPerMph;
  return Error{Code::kInvalid,
               fmt::format("{} of {} speeds are whole mph in m/s: the unit cannot be told",
                           whole_mph, moving)};
}

telltale::v1::Report ReportOf(const Fix& fix, double kmh_per_unit, RowCounts& counts) {
  telltale::v1::Report report;
  if (!fix.speed) {
    counts.DropValue(ValueDrop::kMalformed);
  } else if (IsUnknown(*fix.speed)) {
    counts.DropValue(ValueDrop::kSentinel);
  } else {
    report.set_speed_kmh(static_cast<float>(*fix.speed * kmh_per_unit));
  }
  if (!fix.latitude_deg || !fix.longitude_deg) {
    counts.DropValue(ValueDrop::kMalformed);
  } else if (*fix.latitude_deg == 0 && *fix.longitude_deg == 0) {
    counts.DropValue(ValueDrop::kSentinel);
  } else {
    report.set_latitude_deg(*fix.latitude_deg);
    report.set_longitude_deg(*fix.longitude_deg);
  }
  return report;
}

void AddFixes(Bus& bus, double kmh_per_unit) {
  std::sort(bus.fixes.begin(), bus.fixes.end(), [](const Fix& a, const Fix& b) {
    return std::tie(a.at_us, a.line) < std::tie(b.at_us, b.line);
  });
  RowCounts& counts = bus.drive.counts;
  for (std::size_t i = 0; i < bus.fixes.size(); ++i) {
    const Fix& fix = bus.fixes[i];
    if (i > 0 && fix.at_us == bus.fixes[i - 1].at_us) {
      counts.Drop(RowDrop::kDuplicate);
      continue;
    }
    telltale::v1::Report report = ReportOf(fix, kmh_per_unit, counts);
    if (report.has_speed_kmh() || report.has_latitude_deg()) {
      AddReport(bus.drive, fix.at_us, std::move(report));
    } else {
      counts.Drop(RowDrop::kNothing);
    }
  }
}

Result<std::vector<Bus>> BusesOf(const Source& source) {
  ASSIGN_OR_RETURN(CsvTable table,
                   CsvTable::Open(source.text, {"vehicle_id", "timestamp", "speed", "route_id",
                                                "latitude", "longitude"}));
  std::vector<Bus> buses;
  std::map<std::string, std::size_t, std::less<>> index;  // vehicle_id -> buses
  CsvRow row;
  while (table.Next(row)) {
    const std::string_view id = row.Text("vehicle_id");
    if (id.empty()) return Error{Code::kInvalid, fmt::format("line {} has no bus", row.line())};
    auto found = index.find(id);
    if (found == index.end()) {
      found = index.emplace(id, buses.size()).first;
      Drive& drive = buses.emplace_back().drive;
      drive.name = fmt::format("capmetro-{}-{}", source.name, id);
      drive.model = "Capital Metro bus";
      drive.vehicle_class = "bus";
    }
    Bus& bus = buses[found->second];
    const auto at_us = UtcMicrosOf(row.Text("timestamp"));
    if (!at_us) {
      bus.drive.counts.Drop(RowDrop::kNoTime);
      continue;
    }
    bus.fixes.push_back(
        {*at_us, row.line(), row.Get("speed"), row.Get("latitude"), row.Get("longitude")});
  }
  return buses;
}

}  // namespace

Result<std::vector<Drive>> ReadCapMetroCsv(const Source& source) {
  ASSIGN_OR_RETURN(std::vector<Bus> buses, BusesOf(source));
  ASSIGN_OR_RETURN(const double kmh_per_unit, UnitOf(buses));
  std::vector<Drive> drives;
  for (Bus& bus : buses) {
    AddFixes(bus, kmh_per_unit);
    drives.push_back(std::move(bus.drive));
  }
  return drives;
}

}  // namespace telltale::sim
