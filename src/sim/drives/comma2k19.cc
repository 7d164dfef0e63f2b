// One minute of a Toyota RAV4 on a road in California: a folder with a table for each kind of
// message, all on the recorder's clock (s since it booted). What the data's description and the
// data say, and what is done with it:
//   - the tables are merged into a report every 100 ms: the receiver's rate, and ten times what a
//   rule
//     that holds for a second needs; the newest value of the slot counts, of the inertial sensor
//     the mean of the slot (about ten samples: at 104 Hz it shows the engine and the road, +-15
//     m/s2). The other rows of a slot are kMerged. A report's time is that of its newest row
//   - UTC: the receiver gives its milliseconds (the source calls them seconds) with each fix. The
//     largest UTC - t of all fixes is the offset of the clock, for a fix can only arrive late; the
//     others lie up to 60 ms below it
//   - speed m/s -> km/h. can_wheel_speed: can_speed is its mean to the last digit, and the contract
//   has
//     no field for a wheel (kNothing)
//   - steering: positive to the left, as the contract has it (against the yaw rate: -0.87, to the
//     right positive)
//   - inertial sensor: the files name the columns forward, right, down, but hold all of forward,
//   then
//     all of right, then all of down, cut into rows of three: as filed, gravity is in no column and
//     the length of the vector runs from 0 to 21 m/s2; read in that order it is 9.7 +- 0.6, and the
//     forward part goes with the change of speed (0.88). Which of the two a file has is decided by
//     the accelerometer: where the length spreads less; where neither is near 9.8 m/s2 both tables
//     are left out (kInvalid)
//   - gravity, the sensor's tilt and the road's mean grade: one constant an axis is taken off, such
//     that over the drive the mean of forward is the change of speed over the time, the mean of
//     right is that of speed x yaw rate, and the mean of down is none. What the grade changes
//     within the minute stays in. Axes then ISO 8855: forward, left, up; the same for the rates of
//     turn
//   - radar: the contract has the distance ahead. Of the newest cycle the nearest object within
//     1.8 m of the car's axis, half a lane, counts; the other objects are kNothing
//   - gnss_live_qcom is a second receiver, a fix every 2 s (kForeign)
//   - raw_can.candump.log is another format's
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "sim/drives/csv.h"
#include "sim/drives/readers.h"
#include "sim/drives/timeline.h"

namespace telltale::sim {
namespace {

using telltale::v1::Report;

constexpr double kSlotS = 0.1;
constexpr double kUptimeMostS = 1e9;
constexpr double kUtcMostMs = 4'102'444'800'000;  // 2100-01-01
constexpr double kHalfLaneM = 1.8;
constexpr double kRadarCycleS = 0.02;
constexpr double kDegreesPerRadian = 180.0 / std::numbers::pi;

// A table's rows: [0] is the time.
using Rows = std::vector<std::vector<double>>;

Result<Rows> ReadRows(const Source& source, const std::string& file,
                      const std::vector<std::string_view>& columns, RowCounts& counts) {
  ASSIGN_OR_RETURN(const std::string text, source.Beside(file));
  auto table = CsvTable::Open(text, columns);
  if (!table.ok()) return Annotate(table.error(), file);
  Rows rows;
  CsvRow row;
  while (table->Next(row)) {
    std::vector<double> values;
    for (const std::string_view column : columns) {
      if (const auto value = row.Get(column)) values.push_back(*value);
    }
    if (values.size() != columns.size() || values[0] < 0 || values[0] > kUptimeMostS) {
      counts.Drop(RowDrop::kMalformed);
    } else if (!rows.empty() && values[0] < rows.back()[0]) {
      counts.Drop(RowDrop::kBackwards);
    } else {
      rows.push_back(std::move(values));
    }
  }
  return rows;
}

struct Tables {
  Rows speed;         // m/s
  Rows steering;      // deg
  Rows radar;         // forward m, left m
  Rows acceleration;  // m/s2: forward, right, down
  Rows turn;          // rad/s: about forward, right, down
  Rows gnss;          // latitude, longitude, UTC ms, altitude m, bearing deg
};

Result<Tables> ReadTables(const Source& source, RowCounts& counts) {
  Tables tables;
  ASSIGN_OR_RETURN(tables.speed, ReadRows(source, "can_speed.csv", {"t", "speed_mps"}, counts));
  ASSIGN_OR_RETURN(tables.steering,
                   ReadRows(source, "can_steering_angle.csv", {"t", "steering_angle_deg"}, counts));
  ASSIGN_OR_RETURN(tables.radar, ReadRows(source, "can_radar.csv",
                                          {"t", "forward_distance_m", "left_distance_m"}, counts));
  ASSIGN_OR_RETURN(tables.acceleration,
                   ReadRows(source, "imu_accelerometer.csv",
                            {"t", "forward_mps2", "right_mps2", "down_mps2"}, counts));
  ASSIGN_OR_RETURN(tables.turn,
                   ReadRows(source, "imu_gyro.csv",
                            {"t", "forward_radps", "right_radps", "down_radps"}, counts));
  ASSIGN_OR_RETURN(tables.gnss, ReadRows(source, "gnss_live_ublox.csv",
                                         {"t", "latitude", "longitude", "utc_timestamp_ms",
                                          "altitude_m", "bearing_deg"},
                                         counts));
  ASSIGN_OR_RETURN(const Rows wheels,
                   ReadRows(source, "can_wheel_speed.csv", {"t", "fl_mps"}, counts));
  counts.Drop(RowDrop::kNothing, wheels.size());
  ASSIGN_OR_RETURN(const Rows second_receiver,
                   ReadRows(source, "gnss_live_qcom.csv", {"t"}, counts));
  counts.Drop(RowDrop::kForeign, second_receiver.size());
  if (tables.speed.empty() || tables.gnss.empty()) {
    return Error{Code::kInvalid, "no speed or no fix to tell the time by"};
  }
  for (const auto& fix : tables.gnss) {
    if (fix[3] >= 0 && fix[3] <= kUtcMostMs) continue;
    return Error{Code::kInvalid, "gnss_live_ublox.csv: utc_timestamp_ms is no UTC in ms"};
  }
  return tables;
}

// Mean and spread of the length of the vectors.
std::pair<double, double> LengthOf(const Rows& vectors) {
  double sum = 0;
  double squares = 0;
  for (const auto& row : vectors) {
    const double length = std::hypot(row[1], row[2], row[3]);
    sum += length;
    squares += length * length;
  }
  const auto count = static_cast<double>(vectors.size());
  const double mean = sum / count;
  return {mean, std::sqrt(std::max(0.0, squares / count - mean * mean))};
}

// The rows' cells read as all of the first axis, then all of the second, then all of the third.
Rows AxisByAxis(const Rows& filed) {
  Rows turned = filed;
  for (std::size_t i = 0; i < filed.size() * 3; ++i) {
    turned[i % filed.size()][1 + i / filed.size()] = filed[i / 3][1 + i % 3];
  }
  return turned;
}

// Brings both tables of the inertial sensor into rows of forward, right, down, or drops them.
void OrderAxes(Tables& tables, RowCounts& counts) {
  if (tables.acceleration.empty() || tables.acceleration.size() != tables.turn.size()) return;
  const Rows turned = AxisByAxis(tables.acceleration);
  const auto [filed_mean, filed_spread] = LengthOf(tables.acceleration);
  const auto [turned_mean, turned_spread] = LengthOf(turned);
  const bool is_turned = turned_spread < filed_spread;
  if (std::abs((is_turned ? turned_mean : filed_mean) - 9.8) > 1) {
    const std::uint64_t rows = tables.acceleration.size() + tables.turn.size();
    counts.Drop(RowDrop::kNothing, rows);
    counts.DropValue(ValueDrop::kInvalid, rows * 3);
    tables.acceleration.clear();
    tables.turn.clear();
  } else if (is_turned) {
    tables.acceleration = turned;
    tables.turn = AxisByAxis(tables.turn);
  }
}

// What arrived within a slot. A table without a row has nullptr, or 0 samples.
struct Slot {
  std::uint64_t rows = 0;
  double newest_t = 0;
  const std::vector<double>* speed = nullptr;
  const std::vector<double>* steering = nullptr;
  const std::vector<double>* gnss = nullptr;
  std::optional<double> ahead_m;
  std::array<double, 3> acceleration{};
  std::size_t acceleration_samples = 0;
  std::array<double, 3> turn{};
  std::size_t turn_samples = 0;
};

// Takes the rows before `end` off `rows` from `next` on.
template <typename Take>
void TakeUntil(const Rows& rows, std::size_t& next, double end, Slot& slot, const Take& take) {
  for (; next < rows.size() && rows[next][0] < end; ++next) {
    slot.newest_t = std::max(slot.newest_t, rows[next][0]);
    take(rows[next]);
  }
}

void AddTo(std::array<double, 3>& sum, const std::vector<double>& row) {
  for (std::size_t axis = 0; axis < 3; ++axis) sum[axis] += row[axis + 1];
}

// Cuts the tables into slots.
class Slots {
 public:
  Slots(const Tables& tables, RowCounts& counts) : tables_(tables), counts_(counts) {}

  Slot Until(double end) {
    Slot slot;
    const auto newest = [&slot](const std::vector<double>*& kept) {
      return [&slot, &kept](const std::vector<double>& row) {
        ++slot.rows;
        kept = &row;
      };
    };
    TakeUntil(tables_.speed, speed_, end, slot, newest(slot.speed));
    TakeUntil(tables_.steering, steering_, end, slot, newest(slot.steering));
    TakeUntil(tables_.gnss, gnss_, end, slot, newest(slot.gnss));
    TakeUntil(tables_.acceleration, acceleration_, end, slot, [&slot](const auto& row) {
      ++slot.rows;
      ++slot.acceleration_samples;
      AddTo(slot.acceleration, row);
    });
    TakeUntil(tables_.turn, turn_, end, slot, [&slot](const auto& row) {
      ++slot.rows;
      ++slot.turn_samples;
      AddTo(slot.turn, row);
    });
    TakeRadar(end, slot);
    for (std::size_t axis = 0; axis < 3; ++axis) {
      slot.acceleration[axis] /=
          static_cast<double>(std::max<std::size_t>(1, slot.acceleration_samples));
      slot.turn[axis] /= static_cast<double>(std::max<std::size_t>(1, slot.turn_samples));
    }
    return slot;
  }

 private:
  void TakeRadar(double end, Slot& slot) {
    double cycle_t = 0;
    std::uint64_t rows = 0;
    TakeUntil(tables_.radar, radar_, end, slot, [&](const auto& row) {
      ++rows;
      if (row[0] - cycle_t > kRadarCycleS) slot.ahead_m.reset();
      cycle_t = row[0];
      if (std::abs(row[2]) > kHalfLaneM || row[1] <= 0) return;
      slot.ahead_m = std::min(slot.ahead_m.value_or(row[1]), row[1]);
    });
    const std::uint64_t used = slot.ahead_m ? 1 : 0;
    slot.rows += used;
    counts_.Drop(RowDrop::kNothing, rows - used);
  }

  const Tables& tables_;
  RowCounts& counts_;
  std::size_t speed_ = 0;
  std::size_t steering_ = 0;
  std::size_t gnss_ = 0;
  std::size_t acceleration_ = 0;
  std::size_t turn_ = 0;
  std::size_t radar_ = 0;
};

// What gravity puts on each axis of the accelerometer, forward, right, down.
std::array<double, 3> GravityOn(const std::vector<Slot>& slots, const Rows& speed) {
  std::array<double, 3> mean{};
  double sideways = 0;  // speed x yaw rate
  double count = 0;
  for (const Slot& slot : slots) {
    if (slot.acceleration_samples == 0 || slot.turn_samples == 0 || slot.speed == nullptr) continue;
    ++count;
    for (std::size_t axis = 0; axis < 3; ++axis) mean[axis] += slot.acceleration[axis];
    sideways += (*slot.speed)[1] * slot.turn[2];
  }
  if (count == 0) return mean;
  for (double& axis : mean) axis /= count;
  const double seconds = speed.back()[0] - speed.front()[0];
  if (seconds > 0) mean[0] -= (speed.back()[1] - speed.front()[1]) / seconds;
  mean[1] -= sideways / count;
  return mean;
}

void FillMotion(const Slot& slot, const std::array<double, 3>& gravity, Report& report) {
  if (slot.acceleration_samples > 0) {
    const auto& sensed = slot.acceleration;
    report.set_acceleration_longitudinal_mps2(static_cast<float>(sensed[0] - gravity[0]));
    report.set_acceleration_lateral_mps2(static_cast<float>(gravity[1] - sensed[1]));
    report.set_acceleration_vertical_mps2(static_cast<float>(gravity[2] - sensed[2]));
    report.set_motion_source(telltale::v1::MOTION_SOURCE_IMU);
  }
  if (slot.turn_samples > 0) {
    report.set_roll_rate_dps(static_cast<float>(slot.turn[0] * kDegreesPerRadian));
    report.set_pitch_rate_dps(static_cast<float>(-slot.turn[1] * kDegreesPerRadian));
    report.set_yaw_rate_dps(static_cast<float>(-slot.turn[2] * kDegreesPerRadian));
    report.set_motion_source(telltale::v1::MOTION_SOURCE_IMU);
  }
}

Report ReportOf(const Slot& slot, const std::array<double, 3>& gravity) {
  Report report;
  if (slot.speed != nullptr) report.set_speed_kmh(static_cast<float>((*slot.speed)[1] * 3.6));
  if (slot.steering != nullptr) {
    report.set_steering_wheel_angle_deg(static_cast<float>((*slot.steering)[1]));
  }
  FillMotion(slot, gravity, report);
  if (slot.ahead_m) report.set_obstacle_distance_m(static_cast<float>(*slot.ahead_m));
  if (slot.gnss != nullptr) {
    const std::vector<double>& fix = *slot.gnss;
    report.set_latitude_deg(fix[1]);
    report.set_longitude_deg(fix[2]);
    report.set_altitude_m(static_cast<float>(fix[4]));
    report.set_heading_deg(static_cast<float>(fix[5]));
  }
  return report;
}

// UTC of the recorder's zero, s.
double ClockOffset(const Rows& gnss) {
  double offset = gnss.front()[3] / 1000 - gnss.front()[0];
  for (const auto& fix : gnss) offset = std::max(offset, fix[3] / 1000 - fix[0]);
  return offset;
}

}  // namespace

Result<std::vector<Drive>> ReadComma2k19(const Source& source) {
  std::vector<Drive> drives(1);
  Drive& drive = drives.front();
  drive.name = "comma2k19-" + source.name;
  drive.model = "Toyota RAV4";
  ASSIGN_OR_RETURN(Tables tables, ReadTables(source, drive.counts));
  OrderAxes(tables, drive.counts);
  double first = tables.speed.front()[0];
  double last = first;
  for (const Rows* rows : {&tables.speed, &tables.steering, &tables.radar, &tables.acceleration,
                           &tables.turn, &tables.gnss}) {
    if (rows->empty()) continue;
    first = std::min(first, rows->front()[0]);
    last = std::max(last, rows->back()[0]);
  }
  constexpr double kLongestS = 24 * 3600;
  if (last - first > kLongestS) return Error{Code::kInvalid, "the tables have no common clock"};
  Slots cut(tables, drive.counts);
  std::vector<Slot> slots;
  for (std::size_t i = 1; slots.empty() || slots.back().newest_t < last; ++i) {
    Slot slot = cut.Until(first + static_cast<double>(i) * kSlotS);
    if (slot.rows > 0) slots.push_back(slot);
    if (first + static_cast<double>(i) * kSlotS > last) break;
  }
  const std::array<double, 3> gravity = GravityOn(slots, tables.speed);
  const double offset_s = ClockOffset(tables.gnss);
  for (const Slot& slot : slots) {
    const double at_s = slot.newest_t + offset_s;
    AddReport(drive, static_cast<std::int64_t>(std::llround(at_s * 1e6)), ReportOf(slot, gravity));
    drive.counts.Drop(RowDrop::kMerged, slot.rows - 1);
  }
  return drives;
}

}  // namespace telltale::sim
