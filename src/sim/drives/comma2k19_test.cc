#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "base/sim_disk.h"
#include "sim/drives/counts_testing.h"
#include "sim/drives/drives_testing.h"
#include "sim/drives/readers.h"
#include "sim/drives/timeline.h"

namespace telltale::sim {
namespace {

// Rows of the inertial sensor, forward, right, down.
using Vectors = std::vector<std::array<double, 3>>;

std::string Table(const std::string& header, const Vectors& vectors) {
  std::string text = header + "\n";
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    text += std::to_string(100.005 + 0.01 * static_cast<double>(i));
    for (const double value : vectors[i]) text += "," + std::to_string(value);
    text += "\n";
  }
  return text;
}

// All of the first axis, then all of the second, then all of the third, cut into rows of three.
Vectors CutAxisByAxis(const Vectors& vectors) {
  Vectors cut = vectors;
  for (std::size_t i = 0; i < vectors.size() * 3; ++i) {
    cut[i / 3][i % 3] = vectors[i % vectors.size()][i / vectors.size()];
  }
  return cut;
}

// A second at 20 m/s, gaining 1 m/s, turning right at 0.1 rad/s, on a sensor tilted forward.
class Segment {
 public:
  Segment() {
    files_["can_speed.csv"] = "t,speed_mps\n100.0,20\n100.5,20.5\n101.0,21\n";
    files_["can_steering_angle.csv"] = "t,steering_angle_deg\n100.01,-4.5\n";
    files_["can_wheel_speed.csv"] = "t,fl_mps,fr_mps,rl_mps,rr_mps\n100.0,20,20,20,20\n";
    files_["gnss_live_qcom.csv"] = "t\n100.3\n";
    // Fixes arrive late by 50 ms and by 20 ms.
    files_["gnss_live_ublox.csv"] =
        "t,latitude,longitude,speed_mps,utc_timestamp_ms,altitude_m,bearing_deg\n"
        "100.05,37.72,-122.47,20,1533226488000,33,2\n"
        "100.12,37.73,-122.47,20,1533226488100,33,2\n";
    files_["can_radar.csv"] =
        "t,forward_distance_m,left_distance_m,relative_speed_mps,nan1,nan2,address,new_track\n"
        "100.02,30,0.5,0,nan,nan,528,0\n"
        "100.02001,20,-0.5,0,nan,nan,529,0\n"
        "100.02002,10,3.0,0,nan,nan,530,0\n"
        "100.07,25,0,0,nan,nan,528,0\n";
    for (std::size_t i = 0; i < 100; ++i) {
      acceleration.push_back({1.0 - 0.6, 2.05 + 0.1, -9.7});
      turn.push_back({0.01, 0.02, 0.1});
    }
  }

  Result<std::vector<Drive>> Read(bool is_cut) {
    SimDisk disk;
    EXPECT_TRUE(disk.MakeFolders("seg", 0700).ok());
    files_["imu_accelerometer.csv"] = Table("t,forward_mps2,right_mps2,down_mps2",
                                            is_cut ? CutAxisByAxis(acceleration) : acceleration);
    files_["imu_gyro.csv"] =
        Table("t,forward_radps,right_radps,down_radps", is_cut ? CutAxisByAxis(turn) : turn);
    for (const auto& [name, text] : files_) {
      EXPECT_TRUE(WriteFileDurably(disk, "seg/" + name, text).ok());
    }
    return ReadComma2k19({disk, "seg", "seg", "seg", ""});
  }

  Vectors acceleration;
  Vectors turn;

 private:
  std::map<std::string, std::string> files_;
};

TEST(Comma2k19Test, MergesTheTablesIntoTenReportsASecond) {
  const auto drives = Segment().Read(false);
  ASSERT_TRUE(drives.ok()) << drives.error().message;
  const Drive& drive = drives->front();
  EXPECT_TRUE(AddsUp(drive));
  EXPECT_NEAR(static_cast<double>(drive.reports.size()), 11, 1);
  const telltale::v1::Report& first = drive.reports[0].report;
  EXPECT_FLOAT_EQ(first.speed_kmh(), 72);
  EXPECT_FLOAT_EQ(first.steering_wheel_angle_deg(), -4.5f);
  EXPECT_FLOAT_EQ(first.obstacle_distance_m(), 25);  // of the newest cycle
  EXPECT_DOUBLE_EQ(first.latitude_deg(), 37.72);
  EXPECT_EQ(Dropped(drive, RowDrop::kForeign), 1u);
  EXPECT_GT(Dropped(drive, RowDrop::kMerged), 150u);
}

TEST(Comma2k19Test, TheClockIsThatOfTheFixThatArrivedSoonest) {
  const auto drives = Segment().Read(false);
  ASSERT_TRUE(drives.ok());
  // 100.12 is 16:14:48.100; the first slot's newest row is that of 100.095.
  EXPECT_NEAR(static_cast<double>(drives->front().started_at_us -
                                  UtcMicrosOf("2018-08-02T16:14:48.075Z").value()),
              0, 1000);
}

TEST(Comma2k19Test, TakesGravityOffAndTurnsTheAxesWhicheverWayTheyAreFiled) {
  for (const bool is_cut : {false, true}) {
    const auto drives = Segment().Read(is_cut);
    ASSERT_TRUE(drives.ok());
    const telltale::v1::Report& report = drives->front().reports[0].report;
    EXPECT_NEAR(report.acceleration_longitudinal_mps2(), 1, 1e-3) << is_cut;
    EXPECT_NEAR(report.acceleration_lateral_mps2(), -2.05, 0.06) << is_cut;
    EXPECT_NEAR(report.acceleration_vertical_mps2(), 0, 1e-3) << is_cut;
    EXPECT_NEAR(report.yaw_rate_dps(), -5.73, 0.01) << is_cut;
    EXPECT_NEAR(report.pitch_rate_dps(), -1.146, 0.01) << is_cut;
    EXPECT_EQ(report.motion_source(), telltale::v1::MOTION_SOURCE_IMU);
  }
}

TEST(Comma2k19Test, AnInertialSensorWithoutGravityIsNotBelieved) {
  Segment segment;
  for (auto& vector : segment.acceleration) vector = {0.1, 0.1, -0.98};  // in g
  const auto drives = segment.Read(false);
  ASSERT_TRUE(drives.ok());
  EXPECT_FALSE(drives->front().reports[0].report.has_motion_source());
  EXPECT_EQ(Dropped(drives->front(), ValueDrop::kInvalid), 600u);
  EXPECT_TRUE(AddsUp(drives->front()));
}

TEST(Comma2k19Test, TheRecordedMinuteBrakesAsItsSpeedDoes) {
  PosixDisk disk;
  const std::string path = DataFolder() + "/comma2k19-segment";
  if (!disk.Exists(path)) GTEST_SKIP() << "recorded drives are not here";
  const auto drives = ReadDrives(disk, "comma2k19", path);
  ASSERT_TRUE(drives.ok()) << drives.error().message;
  const Drive& drive = drives->front();
  EXPECT_EQ(drive.reports.size(), 600u);
  EXPECT_TRUE(AddsUp(drive));
  // Over each two seconds the sensor's mean is the change of speed, within the road's grade.
  double worst = 0;
  for (std::size_t from = 0; from + 20 < drive.reports.size(); from += 20) {
    double mean = 0;
    for (std::size_t i = from; i < from + 20; ++i) {
      mean += double{drive.reports[i].report.acceleration_longitudinal_mps2()} / 20;
    }
    const double change = (double{drive.reports[from + 20].report.speed_kmh()} -
                           double{drive.reports[from].report.speed_kmh()}) /
                          3.6 / 2;
    worst = std::max(worst, std::abs(mean - change));
  }
  EXPECT_LT(worst, 1.0);
}

}  // namespace
}  // namespace telltale::sim
