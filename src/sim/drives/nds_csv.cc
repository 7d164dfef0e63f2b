// Naturalistic driving black box, 1 Hz. What the data's description and the data say, and what is
// done with it:
//   - several drives in one file, column `drive`, in time order; each is one vehicle
//   - speed in mph -> km/h; acceleration in g -> m/s2 (1 g = 9.80665)
//   - accel_x: front-back, braking negative, as ISO 8855 has it. accel_y: positive in right turns
//     (470 turning rows of the file: mean +0.17 g right, -0.03 g left), ISO 8855 has y to the
//     left -> sign turned. gyro_z: negative in right turns, as ISO 8855 has it
//   - accel_z includes gravity -> grav_z is taken off
//   - gps_heading is unwrapped and can leave 0-360 -> gps_heading_raw is used
//   - rpm and throttle are on a third of the rows: absent stays absent
//   - no ignition signal: none is made up
#include <fmt/format.h>

#include <cmath>
#include <map>

#include "sim/drives/csv.h"
#include "sim/drives/readers.h"
#include "sim/drives/timeline.h"

namespace telltale::sim {
namespace {

constexpr double kStandardGravity = 9.80665;
constexpr double kKmhPerMph = 1.609344;

void FillMotion(const CsvRow& row, telltale::v1::Report& report) {
  if (const auto mph = row.Get("speed_mph")) {
    report.set_speed_kmh(static_cast<float>(*mph * kKmhPerMph));
  }
  if (const auto x = row.Get("accel_x")) {
    report.set_acceleration_longitudinal_mps2(static_cast<float>(*x * kStandardGravity));
  }
  if (const auto y = row.Get("accel_y")) {
    report.set_acceleration_lateral_mps2(static_cast<float>(-*y * kStandardGravity));
  }
  const auto z = row.Get("accel_z");
  const auto gravity_z = row.Get("grav_z");
  if (z && gravity_z) {
    report.set_acceleration_vertical_mps2(static_cast<float>((*z - *gravity_z) * kStandardGravity));
  }
  if (const auto yaw = row.Get("gyro_z")) report.set_yaw_rate_dps(static_cast<float>(*yaw));
  report.set_motion_source(telltale::v1::MOTION_SOURCE_IMU);
}

void FillPlaceAndEngine(const CsvRow& row, telltale::v1::Report& report) {
  const auto latitude = row.Get("gps_lat");
  const auto longitude = row.Get("gps_long");
  if (latitude && longitude) {
    report.set_latitude_deg(*latitude);
    report.set_longitude_deg(*longitude);
  }
  if (const auto altitude = row.Get("gps_elevation")) {
    report.set_altitude_m(static_cast<float>(*altitude));
  }
  if (const auto heading = row.Get("gps_heading_raw")) {
    report.set_heading_deg(static_cast<float>(std::fmod(*heading + 360.0, 360.0)));
  }
  if (const auto satellites = row.Get("gps_sats");
      satellites && *satellites >= 0 && *satellites <= 255) {
    report.set_satellites(static_cast<std::uint32_t>(*satellites));
  }
  if (const auto rpm = row.Get("engine_rpm")) report.set_engine_speed_rpm(static_cast<float>(*rpm));
  if (const auto throttle = row.Get("engine_throttle")) {
    report.set_throttle_percent(static_cast<float>(*throttle));
  }
}

}  // namespace

Result<std::vector<Drive>> ReadNdsCsv(const Source& source) {
  ASSIGN_OR_RETURN(CsvTable table, CsvTable::Open(source.text, {"drive", "time_utc"}));
  std::vector<Drive> drives;
  std::map<std::string, std::size_t, std::less<>> index;  // drive id -> drives
  CsvRow row;
  while (table.Next(row)) {
    const std::string_view id = row.Text("drive");
    if (id.empty()) return Error{Code::kInvalid, fmt::format("line {} has no drive", row.line())};
    auto found = index.find(id);
    if (found == index.end()) {
      found = index.emplace(id, drives.size()).first;
      drives.emplace_back().name = fmt::format("nds-{}", id);
    }
    Drive& drive = drives[found->second];
    const auto at_us = UtcMicrosOf(row.Text("time_utc"));
    if (!at_us) {
      drive.counts.Drop(RowDrop::kNoTime);
      continue;
    }
    telltale::v1::Report report;
    FillMotion(row, report);
    FillPlaceAndEngine(row, report);
    AddReport(drive, *at_us, std::move(report));
  }
  return drives;
}

}  // namespace telltale::sim
