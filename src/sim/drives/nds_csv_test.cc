#include <gtest/gtest.h>

#include <set>

#include "sim/drives/drives_testing.h"
#include "sim/drives/readers.h"

namespace telltale::sim {
namespace {

TEST(NdsCsvTest, HonoursUnitsAndSigns) {
  const auto drives = ReadNdsCsv(SourceOf(
      "drive,time_utc,gps_long,gps_lat,gps_heading,gps_heading_raw,speed_mph,accel_x,accel_y,"
      "accel_z,grav_z,gyro_z,engine_rpm\n"
      "3,2019-05-23T20:54:11Z,-95.9,41.2,370.5,10.5,10,-0.35,0.5,1.2,0.96,-8,\n"
      "3,2019-05-23T20:54:13Z,-95.9,41.2,370.5,10.5,10,0.1,0.5,1.2,0.96,-8,1500\n"));
  ASSERT_TRUE(drives.ok()) << drives.error().message;
  ASSERT_EQ(drives->size(), 1u);
  const Drive& drive = drives->front();
  EXPECT_EQ(drive.length_us, 2'000'000);
  const telltale::v1::Report& first = drive.reports[0].report;
  EXPECT_NEAR(first.speed_kmh(), 16.09344, 1e-5);
  EXPECT_NEAR(first.acceleration_longitudinal_mps2(), -0.35 * 9.80665, 1e-6);
  EXPECT_NEAR(first.acceleration_lateral_mps2(), -0.5 * 9.80665, 1e-6);
  EXPECT_NEAR(first.acceleration_vertical_mps2(), 0.24 * 9.80665, 1e-6);
  EXPECT_FLOAT_EQ(first.heading_deg(), 10.5f);
  EXPECT_FALSE(first.has_engine_speed_rpm());
  EXPECT_TRUE(drive.reports[1].report.has_engine_speed_rpm());
}

TEST(NdsCsvTest, RefusesAFileOfAnotherKind) {
  EXPECT_EQ(ReadNdsCsv(SourceOf("a,b\n1,2\n")).error().code, Code::kInvalid);
}

TEST(NdsCsvTest, TheRecordedFileGivesFourteenDrivesAndEveryRow) {
  PosixDisk disk;
  const std::string path = DataFolder() + "/nds-blackbox/nds_drives.csv.gz";
  if (!disk.Exists(path)) GTEST_SKIP() << "recorded drives are not here";
  const auto drives = ReadDrives(disk, "nds-csv", path);
  ASSERT_TRUE(drives.ok()) << drives.error().message;
  std::size_t rows = 0;
  std::set<std::string> vins;
  for (const Drive& drive : *drives) {
    rows += drive.reports.size();
    EXPECT_EQ(drive.counts.dropped_rows(), 0u);
    vins.insert(VinOfDrive(drive.name));
  }
  EXPECT_EQ(drives->size(), 14u);
  EXPECT_EQ(vins.size(), 14u);
  EXPECT_EQ(rows, 6533u);
}

}  // namespace
}  // namespace telltale::sim
