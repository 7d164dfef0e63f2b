#include <gtest/gtest.h>

#include "sim/drives/counts_testing.h"
#include "sim/drives/drives_testing.h"
#include "sim/drives/readers.h"
#include "sim/drives/timeline.h"

namespace telltale::sim {
namespace {

constexpr const char* kHead =
    "Date,Time,Soc,Speed,Mode,LAT,LON,ALT,GpsSpeed,Temperature,Humidity,Weather,WindSpeedAv,"
    "Traffic,SpeedLimit\n";
constexpr const char* kWeather = ",20.0,60.0,Clouds,2.49,0,40.0\n";

Drive Read(const std::vector<std::string>& rows) {
  std::string text = kHead;
  for (const std::string& row : rows) text += row + kWeather;
  auto drives = ReadTwizyCsv(SourceOf(text, "trip"));
  EXPECT_TRUE(drives.ok() && drives->size() == 1);
  return drives.ok() ? drives->front() : Drive();
}

std::int64_t StartOf(const std::string& date_and_time) {
  return Read({date_and_time + ",87.54,0.0,N,33.9,-6.7,140,0.0"}).started_at_us;
}

TEST(TwizyCsvTest, MoroccoIsAnHourAheadButInRamadan) {
  EXPECT_EQ(StartOf("03/29/2021,11:13:45"), UtcMicrosOf("2021-03-29T10:13:45Z"));
  EXPECT_EQ(StartOf("04/11/2021,02:59:59"), UtcMicrosOf("2021-04-11T01:59:59Z"));
  EXPECT_EQ(StartOf("04/11/2021,03:00:00"), UtcMicrosOf("2021-04-11T03:00:00Z"));
  EXPECT_EQ(StartOf("04/22/2021,08:42:50"), UtcMicrosOf("2021-04-22T08:42:50Z"));
  EXPECT_EQ(StartOf("05/16/2021,01:59:59"), UtcMicrosOf("2021-05-16T01:59:59Z"));
  EXPECT_EQ(StartOf("05/16/2021,03:00:00"), UtcMicrosOf("2021-05-16T02:00:00Z"));
}

TEST(TwizyCsvTest, AFixIsSentOnceAndTheCarsOwnValuesEveryTime) {
  const Drive drive = Read({"03/29/2021,16:49:29,97.7,9.1,D,33.985714,-6.724539,143,4.2",
                            "03/29/2021,16:49:30,97.68,9.9,D,33.985714,-6.724539,143,4.2",
                            "03/29/2021,16:49:31,97.68,9.9,R,33.986008,-6.724935,143,10.7"});
  ASSERT_EQ(drive.reports.size(), 3u);
  EXPECT_TRUE(drive.reports[0].report.has_latitude_deg());
  EXPECT_FALSE(drive.reports[1].report.has_latitude_deg());
  EXPECT_FLOAT_EQ(drive.reports[1].report.speed_kmh(), 9.9f);
  EXPECT_FLOAT_EQ(drive.reports[1].report.traction_battery_soc_percent(), 97.68f);
  EXPECT_DOUBLE_EQ(drive.reports[2].report.longitude_deg(), -6.724935);
  EXPECT_EQ(drive.reports[2].report.gear_selection(), telltale::v1::GEAR_SELECTION_REVERSE);
  EXPECT_EQ(Dropped(drive, ValueDrop::kCarriedForward), 3u);
}

TEST(TwizyCsvTest, ARowWithABrokenDateHasNoTime) {
  const Drive drive = Read({"03/29/2021,12:08:06,51.6,7.1,D,33.9,-6.8,86,3.0",
                            "90/02/2032,12:08:07,51.6,7.1,D,33.9,-6.8,86,3.0",
                            "02/00/2090,12:08:08,51.6,7.1,D,33.9,-6.8,86,3.0",
                            "03/00/2021,12:08:09,51.6,7.1,D,33.9,-6.8,86,3.0"});
  EXPECT_EQ(drive.reports.size(), 1u);
  EXPECT_EQ(Dropped(drive, RowDrop::kNoTime), 3u);
}

TEST(TwizyCsvTest, TheRecordedTripGivesEveryRowOrItsReason) {
  PosixDisk disk;
  const std::string path = DataFolder() + "/rsk-twizy-ev/T1_03_29_2021.csv.gz";
  if (!disk.Exists(path)) GTEST_SKIP() << "recorded drives are not here";
  const auto drives = ReadDrives(disk, "twizy-csv", path);
  ASSERT_TRUE(drives.ok()) << drives.error().message;
  const Drive& drive = drives->front();
  EXPECT_EQ(drive.reports.size(), 6179u);
  EXPECT_EQ(Dropped(drive, RowDrop::kNoTime), 10u);
  EXPECT_TRUE(AddsUp(drive));
}

}  // namespace
}  // namespace telltale::sim
