#include <gtest/gtest.h>

#include "sim/drives/counts_testing.h"
#include "sim/drives/drives_testing.h"
#include "sim/drives/readers.h"

namespace telltale::sim {
namespace {

TEST(OpenXcJsonTest, MessagesOfASlotMakeOneReport) {
  const auto drives = ReadOpenXcJson(
      SourceOf(R"({"name":"engine_speed","value":772,"timestamp":1364323939.027})"
               "\n"
               R"({"name":"vehicle_speed","value":3,"timestamp":1364323939.029})"
               "\n"
               R"({"name":"engine_speed","value":774.5,"timestamp":1364323939.026})"
               "\n"
               R"({"name":"odometer","value":13966.579102,"timestamp":1364323939.130})"
               "\n"
               R"({"name":"vehicle_speed","value":9,"timestamp":1364323939.099})"
               "\n"));
  ASSERT_TRUE(drives.ok()) << drives.error().message;
  const Drive& drive = drives->front();
  ASSERT_EQ(drive.reports.size(), 2u);
  EXPECT_EQ(drive.started_at_us, 1364323939'029'000);
  EXPECT_EQ(drive.reports[0].report.engine_speed_rpm(), 774.5f);
  EXPECT_EQ(drive.reports[0].report.speed_kmh(), 3);
  EXPECT_EQ(drive.reports[1].report.odometer_km(), 13966.579102);
  EXPECT_EQ(Dropped(drive, RowDrop::kMerged), 2u);
  EXPECT_EQ(Dropped(drive, RowDrop::kBackwards), 1u);
  EXPECT_TRUE(AddsUp(drive));
}

TEST(OpenXcJsonTest, CountsWhatHasNoFieldOrNoNumber) {
  const auto drives =
      ReadOpenXcJson(SourceOf(R"({"name":"torque_at_transmission","value":3,"timestamp":1})"
                              "\n"
                              R"({"name":"engine_speed","value":"fast","timestamp":1})"
                              "\n"
                              R"({"name":"engine_speed","value":1})"
                              "\n"
                              R"({"name":"engine_speed","value":1,"timestamp":1e300})"
                              "\n"
                              R"({"command":"version"})"
                              "\nrubbish\n"));
  ASSERT_TRUE(drives.ok());
  const Drive& drive = drives->front();
  EXPECT_TRUE(drive.reports.empty());
  EXPECT_EQ(Dropped(drive, RowDrop::kNothing), 1u);
  EXPECT_EQ(Dropped(drive, RowDrop::kNoTime), 2u);
  EXPECT_EQ(Dropped(drive, RowDrop::kForeign), 1u);
  EXPECT_EQ(Dropped(drive, RowDrop::kMalformed), 2u);
  EXPECT_TRUE(AddsUp(drive));
}

TEST(OpenXcJsonTest, RefusesAnotherKindOfFile) {
  EXPECT_EQ(ReadOpenXcJson(SourceOf("a,b\n1,2\n")).error().code, Code::kInvalid);
  EXPECT_EQ(ReadOpenXcJson(SourceOf("")).error().code, Code::kInvalid);
}

TEST(OpenXcJsonTest, TheRecordedTraceGivesAReportASlotAndLosesNothingToItsStepsBack) {
  PosixDisk disk;
  const std::string path = DataFolder() + "/openxc-ford-trace/trace-shorter.json";
  if (!disk.Exists(path)) GTEST_SKIP() << "recorded drives are not here";
  const auto drives = ReadDrives(disk, "openxc-json", path);
  ASSERT_TRUE(drives.ok()) << drives.error().message;
  const Drive& drive = drives->front();
  EXPECT_EQ(drive.counts.rows, 1000u);
  EXPECT_EQ(drive.reports.size(), 24u);
  EXPECT_EQ(Dropped(drive, RowDrop::kBackwards), 0u);
  // torque_at_transmission 229, fuel_consumed_since_restart 24, steering_wheel_angle 8
  EXPECT_EQ(Dropped(drive, RowDrop::kNothing), 261u);
  EXPECT_TRUE(AddsUp(drive));
  for (const TimedReport& moment : drive.reports) {
    EXPECT_GE(moment.report.engine_speed_rpm(), 768);
    EXPECT_LE(moment.report.engine_speed_rpm(), 788);
    EXPECT_EQ(moment.report.speed_kmh(), 0);
    EXPECT_EQ(moment.report.has_latitude_deg(), moment.report.has_longitude_deg());
  }
}

}  // namespace
}  // namespace telltale::sim
