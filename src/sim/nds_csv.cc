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
#include <charconv>
#include <cmath>
#include <map>
#include <optional>

#include <fmt/format.h>
#include <time.h>

#include "sim/drive_file.h"

namespace telltale::sim {
namespace {

constexpr double kStandardGravity = 9.80665;
constexpr double kKmhPerMph = 1.609344;

std::vector<std::string_view> SplitLine(std::string_view line) {
  std::vector<std::string_view> cells;
  while (true) {
    const std::size_t comma = line.find(',');
    cells.push_back(line.substr(0, comma));
    if (comma == std::string_view::npos) return cells;
    line.remove_prefix(comma + 1);
  }
}

std::optional<double> Number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

// "2019-05-23T20:54:11Z"
std::optional<std::int64_t> UtcMicros(std::string_view text) {
  tm parts{};
  const std::string copy(text);
  const char* end = strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return std::int64_t{timegm(&parts)} * 1'000'000;
}

class Row {
 public:
  Row(const std::map<std::string, std::size_t, std::less<>>& columns,
      const std::vector<std::string_view>& cells)
      : columns_(columns), cells_(cells) {}

  std::string_view Text(std::string_view column) const {
    const auto found = columns_.find(column);
    return found != columns_.end() && found->second < cells_.size() ? cells_[found->second] : "";
  }
  std::optional<double> Get(std::string_view column) const { return Number(Text(column)); }

 private:
  const std::map<std::string, std::size_t, std::less<>>& columns_;
  const std::vector<std::string_view>& cells_;
};

void FillMotion(const Row& row, telltale::v1::Report& report) {
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

void FillPlaceAndEngine(const Row& row, telltale::v1::Report& report) {
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
  if (const auto satellites = row.Get("gps_sats")) {
    report.set_satellites(static_cast<std::uint32_t>(*satellites));
  }
  if (const auto rpm = row.Get("engine_rpm")) report.set_engine_speed_rpm(static_cast<float>(*rpm));
  if (const auto throttle = row.Get("engine_throttle")) {
    report.set_throttle_percent(static_cast<float>(*throttle));
  }
}

// Adds the row's report to its drive. False: the row is dropped (no time, or time goes back).
bool AddRow(const Row& row, Drive& drive) {
  const auto at_us = UtcMicros(row.Text("time_utc"));
  if (!at_us) return false;
  if (drive.reports.empty()) drive.started_at_us = *at_us;
  TimedReport moment;
  moment.at_us = *at_us - drive.started_at_us;
  if (!drive.reports.empty() && moment.at_us < drive.reports.back().at_us) return false;
  moment.boot = drive.reports.empty();
  FillMotion(row, moment.report);
  FillPlaceAndEngine(row, moment.report);
  drive.length_us = moment.at_us;
  drive.reports.push_back(std::move(moment));
  return true;
}

}  // namespace

Result<std::vector<Drive>> ReadNdsCsv(std::string_view text) {
  std::map<std::string, std::size_t, std::less<>> columns;
  std::vector<Drive> drives;
  std::map<std::string, std::size_t, std::less<>> index;  // drive id -> drives
  std::size_t line_number = 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    ++line_number;
    const std::vector<std::string_view> cells = SplitLine(line);
    if (line_number == 1) {
      for (std::size_t i = 0; i < cells.size(); ++i) columns.emplace(cells[i], i);
      if (!columns.contains("drive") || !columns.contains("time_utc")) {
        return Error{Code::kInvalid, "line 1 is no header with `drive` and `time_utc`"};
      }
      continue;
    }
    const Row row(columns, cells);
    const std::string_view id = row.Text("drive");
    if (id.empty()) return Error{Code::kInvalid, fmt::format("line {} has no drive", line_number)};
    auto found = index.find(id);
    if (found == index.end()) {
      found = index.emplace(id, drives.size()).first;
      drives.emplace_back().name = fmt::format("nds-{}", id);
    }
    Drive& drive = drives[found->second];
    if (!AddRow(row, drive)) ++drive.dropped_rows;
  }
  return drives;
}

}  // namespace telltale::sim
