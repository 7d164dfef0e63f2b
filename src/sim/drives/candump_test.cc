#include <gtest/gtest.h>

#include <cmath>

#include "base/sim_disk.h"
#include "sim/drives/counts_testing.h"
#include "sim/drives/drives_testing.h"
#include "sim/drives/readers.h"

namespace telltale::sim {
namespace {

using telltale::v1::Report;

TEST(CandumpTest, FramesOfASlotMakeOneReport) {
  const auto drives =
      ReadCandump(SourceOf("(1000000000.010000) can1 7E8#03410D3200000000\n"
                           "(1000000000.030000) can1 7E8#04410C1AF8000000\n"
                           "(1000000000.210000) can1 7E8#0341054000000000\n"
                           "(1000000000.220000) can1 123#00\n"
                           "(1000000000.090000) can1 7E8#03410D3300000000\n"
                           "no frame\n",
                           "log.candump"));
  ASSERT_TRUE(drives.ok()) << drives.error().message;
  const Drive& drive = drives->front();
  EXPECT_EQ(drive.name, "can-log");
  EXPECT_STREQ(drive.vehicle_class, "passenger_car");
  ASSERT_EQ(drive.reports.size(), 2u);
  EXPECT_EQ(drive.started_at_us, 1000000000'030'000);
  EXPECT_EQ(drive.reports[0].report.obd_speed_kmh(), 50);
  EXPECT_EQ(drive.reports[0].report.engine_speed_rpm(), 1726);
  EXPECT_FALSE(drive.reports[0].report.has_speed_kmh());
  EXPECT_EQ(drive.reports[1].at_us, 180'000);
  EXPECT_EQ(Dropped(drive, RowDrop::kMerged), 1u);
  EXPECT_EQ(Dropped(drive, RowDrop::kForeign), 1u);
  EXPECT_EQ(Dropped(drive, RowDrop::kBackwards), 1u);
  EXPECT_EQ(Dropped(drive, RowDrop::kMalformed), 1u);
  EXPECT_TRUE(AddsUp(drive));
}

TEST(CandumpTest, AMessageCutByTheLogsEndIsMalformedAndAWholeOneCountsItsFrames) {
  const auto drives =
      ReadCandump(SourceOf("(1000000000.00) can1 1CECFF00#20120003FFCAFE00\n"
                           "(1000000000.01) can1 1CEBFF00#0143FFD403097E90\n"
                           "(1000000000.02) can1 1CEBFF00#020C140261020901\n"
                           "(1000000000.03) can1 1CEBFF00#0361020C03FFFFFF\n"
                           "(1000000000.04) can1 1CECFF00#20120003FFCAFE00\n"
                           "(1000000000.05) can1 1CEBFF00#0143FFD403097E90\n"));
  ASSERT_TRUE(drives.ok());
  const Drive& drive = drives->front();
  ASSERT_EQ(drive.reports.size(), 1u);
  EXPECT_EQ(drive.reports[0].report.dtc_count(), 4u);
  EXPECT_TRUE(drive.reports[0].report.is_mil_on());
  EXPECT_STREQ(drive.vehicle_class, "truck");
  EXPECT_EQ(Dropped(drive, RowDrop::kMerged), 3u);
  EXPECT_EQ(Dropped(drive, RowDrop::kMalformed), 2u);
}

TEST(CandumpTest, ALogThatNothingDescribesIsADriveWithoutReports) {
  const auto drives =
      ReadCandump(SourceOf("(46408.584930) can0 260#08FFFB0000001884\n"
                           "(46408.584948) can128 2E4#BE000000A9000000\n"));
  ASSERT_TRUE(drives.ok());
  EXPECT_TRUE(drives->front().reports.empty());
  EXPECT_FALSE(drives->front().is_dated);
  EXPECT_EQ(Dropped(drives->front(), RowDrop::kForeign), 2u);
  EXPECT_EQ(ReadCandump(SourceOf("a,b\n")).error().code, Code::kInvalid);
}

TEST(CandumpTest, ADatabaseThatCannotBeReadIsNamed) {
  SimDisk disk;
  ASSERT_TRUE(disk.MakeFolders("d", 0755).ok());
  ASSERT_TRUE(WriteFileDurably(disk, "d/tp_uds.dbc", "BO_ x\n").ok());
  const auto drives = ReadCandump({disk, "d/log", "d", "log", "(1000000000.00) can1 7EC#0100\n"});
  ASSERT_FALSE(drives.ok());
  EXPECT_NE(drives.error().message.find("tp_uds.dbc"), std::string::npos);
}

Result<std::vector<Drive>> ReadRecorded(const std::string& file) {
  static PosixDisk disk;
  return ReadDrives(disk, "candump", DataFolder() + "/css-canedge/" + file);
}

bool IsThere() {
  static PosixDisk disk;
  return disk.Exists(DataFolder() + "/css-canedge");
}

TEST(CandumpTest, TheRecordedCarGivesObdPlaceAndMotionInContractTime) {
  if (!IsThere()) GTEST_SKIP() << "recorded drives are not here";
  const auto drives = ReadRecorded("car_obd2_2021-07-26_morning.candump.log.gz");
  ASSERT_TRUE(drives.ok()) << drives.error().message;
  const Drive& drive = drives->front();
  EXPECT_TRUE(AddsUp(drive));
  EXPECT_EQ(drive.counts.rows, 51'886u + 240'211u);
  EXPECT_EQ(Dropped(drive, RowDrop::kForeign), 4'780u);  // 17F00010
  EXPECT_EQ(Dropped(drive, RowDrop::kMalformed), 0u);
  EXPECT_EQ(Dropped(drive, RowDrop::kBackwards), 0u);
  EXPECT_EQ(Dropped(drive, ValueDrop::kOutOfRange), 0u);
  // The logger says 04:40:55.0; the receiver is 4.4 s behind it.
  EXPECT_NEAR(static_cast<double>(drive.started_at_us), 1627274455.05e6 - 4.39e6, 0.1e6);
  std::size_t places = 0;
  for (const TimedReport& moment : drive.reports) {
    places += moment.report.has_latitude_deg() ? 1 : 0;
    EXPECT_EQ(moment.report.has_latitude_deg(), moment.report.has_longitude_deg());
    if (moment.report.has_latitude_deg()) {
      EXPECT_NEAR(moment.report.latitude_deg(), 56.1, 0.5);
    }
    if (moment.report.has_altitude_m()) {
      EXPECT_GT(moment.report.altitude_m(), 0);
    }
  }
  EXPECT_EQ(places, 2161u);
}

// The yaw rate around gravity against the receiver's heading (clockwise): opposite signs.
TEST(CandumpTest, TheRecordedYawRateIsThatOfTheHeading) {
  if (!IsThere()) GTEST_SKIP() << "recorded drives are not here";
  const auto drives = ReadRecorded("car_obd2_2021-07-26_morning.candump.log.gz");
  ASSERT_TRUE(drives.ok()) << drives.error().message;
  double n = 0, sx = 0, sy = 0, sxx = 0, syy = 0, sxy = 0;
  double yaw = 0;
  double slots = 0;
  const TimedReport* before = nullptr;
  for (const TimedReport& moment : drives->front().reports) {
    if (moment.report.has_yaw_rate_dps()) {
      yaw += moment.report.yaw_rate_dps();
      ++slots;
    }
    if (!moment.report.has_heading_deg()) continue;
    const double seconds =
        before == nullptr ? 0 : static_cast<double>(moment.at_us - before->at_us) / 1e6;
    if (seconds > 0.8 && seconds < 1.2 && slots > 5 && moment.report.speed_kmh() > 15) {
      const double turned =
          std::remainder(moment.report.heading_deg() - before->report.heading_deg(), 360.0);
      const double x = turned / seconds;
      const double y = yaw / slots;
      ++n, sx += x, sy += y, sxx += x * x, syy += y * y, sxy += x * y;
    }
    before = &moment;
    yaw = slots = 0;
  }
  ASSERT_GT(n, 1500);
  const double correlation =
      (n * sxy - sx * sy) / std::sqrt((n * sxx - sx * sx) * (n * syy - sy * sy));
  EXPECT_LT(correlation, -0.9);
}

TEST(CandumpTest, TheRecordedTruckGivesItsEngineAndItsActiveCodes) {
  if (!IsThere()) GTEST_SKIP() << "recorded drives are not here";
  const auto drives = ReadRecorded("truck_j1939_dm1_2021-10-25.candump.log.gz");
  ASSERT_TRUE(drives.ok()) << drives.error().message;
  const Drive& drive = drives->front();
  EXPECT_TRUE(AddsUp(drive));
  EXPECT_EQ(drive.counts.rows, 46'491u + 11'358u);
  EXPECT_STREQ(drive.vehicle_class, "truck");
  EXPECT_STREQ(drive.fuel, "diesel");
  std::size_t with_codes = 0;
  for (const TimedReport& moment : drive.reports) {
    const Report& report = moment.report;
    if (report.has_dtc_count()) {
      ++with_codes;
      EXPECT_EQ(report.dtc_count(), 4u);
      EXPECT_TRUE(report.is_mil_on());
    }
    EXPECT_EQ(report.speed_kmh(), 0);  // the wheels', not the receiver's
    // After 88 s the sensor is in somebody's hand.
    EXPECT_LT(std::abs(report.yaw_rate_dps()), 30);
  }
  EXPECT_EQ(with_codes, 127u);
  EXPECT_EQ(Dropped(drive, ValueDrop::kOutOfRange), 0u);
}

TEST(CandumpTest, TheRecordedElectricCarGivesItsStateOfCharge) {
  if (!IsThere()) GTEST_SKIP() << "recorded drives are not here";
  const auto drives = ReadRecorded("ev_kona_uds_2020-12-15.candump.log.gz");
  ASSERT_TRUE(drives.ok()) << drives.error().message;
  const Drive& drive = drives->front();
  EXPECT_TRUE(AddsUp(drive));
  EXPECT_EQ(drive.counts.rows, 2'010u);
  EXPECT_STREQ(drive.fuel, "electric");
  std::size_t charges = 0;
  for (const TimedReport& moment : drive.reports) {
    if (moment.report.has_traction_battery_soc_percent()) {
      ++charges;
      EXPECT_NEAR(moment.report.traction_battery_soc_percent(), 50, 2);
    }
  }
  EXPECT_GE(charges, 119u);
}

TEST(CandumpTest, TheRecordedToyotaHasNoDatabaseAndGivesNoReport) {
  PosixDisk disk;
  const std::string path = DataFolder() + "/comma2k19-segment/raw_can.candump.log.gz";
  if (!disk.Exists(path)) GTEST_SKIP() << "recorded drives are not here";
  const auto drives = ReadDrives(disk, "candump", path);
  ASSERT_TRUE(drives.ok()) << drives.error().message;
  EXPECT_TRUE(drives->front().reports.empty());
  EXPECT_EQ(Dropped(drives->front(), RowDrop::kForeign), 135'468u);
}

}  // namespace
}  // namespace telltale::sim
