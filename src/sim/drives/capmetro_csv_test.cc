#include <gtest/gtest.h>

#include <optional>

#include "sim/drives/counts_testing.h"
#include "sim/drives/drives_testing.h"
#include "sim/drives/readers.h"

namespace telltale::sim {
namespace {

constexpr const char* kHead =
    "vehicle_id,timestamp,speed,route_id,trip_id,latitude,longitude,trip_headsign\n";

std::vector<Drive> Read(const std::string& rows) {
  auto drives = ReadCapMetroCsv(SourceOf(kHead + rows, "day"));
  EXPECT_TRUE(drives.ok());
  return drives.ok() ? std::move(drives).value() : std::vector<Drive>();
}

TEST(CapMetroCsvTest, TheUnitIsTheFilesOwn) {
  const auto whole_mph_in_mps = Read(
      "1,2016-02-07T00:02:23-06:00,8.9408,1,1,30.2,-97.7,\n"
      "1,2016-02-07T00:04:23-06:00,12.96416,1,1,30.2,-97.7,\n");
  EXPECT_NEAR(whole_mph_in_mps[0].reports[0].report.speed_kmh(), 20 * 1.609344, 1e-4);
  const auto mph = Read(
      "1,2015-09-06T01:16:07-05:00,12.19,1,1,30.2,-97.7,\n"
      "1,2015-09-06T01:17:02-05:00,7.15,1,1,30.2,-97.7,\n");
  EXPECT_NEAR(mph[0].reports[0].report.speed_kmh(), 12.19 * 1.609344, 1e-4);
}

TEST(CapMetroCsvTest, RefusesAFileThatMixesUnits) {
  const auto mixed = ReadCapMetroCsv(
      SourceOf(std::string(kHead) + "1,2016-02-07T00:02:23-06:00,8.9408,1,1,30.2,-97.7,\n"
                                    "1,2016-02-07T00:04:23-06:00,7.15,1,1,30.2,-97.7,\n"));
  ASSERT_FALSE(mixed.ok());
  EXPECT_EQ(mixed.error().code, Code::kInvalid);
}

TEST(CapMetroCsvTest, ABusesRowsAreInTheOrderOfTimeAndNoneIsCountedTwice) {
  const auto drives = Read(
      "1,2016-02-07T00:04:00-06:00,0.0,1,1,30.3,-97.7,\n"
      "2,2016-02-07T00:04:00-06:00,0.0,1,1,30.2,-97.7,\n"
      "1,2016-02-07T00:02:00-06:00,0.0,1,1,30.2,-97.7,\n"
      "1,2016-02-07T00:04:00-06:00,0.0,7,9,30.3,-97.7,\n");
  ASSERT_EQ(drives.size(), 2u);
  const Drive& bus = drives[0];
  ASSERT_EQ(bus.reports.size(), 2u);
  EXPECT_DOUBLE_EQ(bus.reports[0].report.latitude_deg(), 30.2);
  EXPECT_EQ(bus.reports[1].at_us, 120'000'000);
  EXPECT_EQ(bus.started_at_us, 1'454'824'920'000'000);  // 06:02 UTC
  EXPECT_EQ(bus.counts.rows, 3u);
  EXPECT_EQ(Dropped(bus, RowDrop::kDuplicate), 1u);
  EXPECT_STREQ(bus.vehicle_class, "bus");
}

TEST(CapMetroCsvTest, WhatStandsForUnknownIsLeftOut) {
  const auto drives = Read(
      "1,2017-03-21T00:00:31-05:00,113.9952,1,1,30.2,-97.7,\n"
      "1,2017-03-21T00:02:31-05:00,8.9408,1,1,0,0,\n"
      "1,2017-03-21T00:04:31-05:00,113.9952,1,1,0,0,\n");
  const Drive& bus = drives[0];
  ASSERT_EQ(bus.reports.size(), 2u);
  EXPECT_FALSE(bus.reports[0].report.has_speed_kmh());
  EXPECT_FALSE(bus.reports[1].report.has_latitude_deg());
  EXPECT_EQ(Dropped(bus, ValueDrop::kSentinel), 4u);
  EXPECT_EQ(Dropped(bus, RowDrop::kNothing), 1u);
}

struct Day {
  std::size_t reports = 0;
  std::uint64_t rows = 0;
  std::uint64_t duplicates = 0;
  double mean_kmh = 0;  // standing included
};

std::optional<Day> ReadDay(const std::string& name) {
  PosixDisk disk;
  const std::string path = DataFolder() + "/capmetro-avl/" + name + ".csv.gz";
  if (!disk.Exists(path)) return std::nullopt;
  const auto drives = ReadDrives(disk, "capmetro-csv", path);
  EXPECT_TRUE(drives.ok());
  if (!drives.ok()) return std::nullopt;
  Day day;
  for (const Drive& drive : *drives) {
    day.reports += drive.reports.size();
    day.rows += drive.counts.rows;
    day.duplicates += Dropped(drive, RowDrop::kDuplicate);
    EXPECT_TRUE(AddsUp(drive));
    for (const TimedReport& moment : drive.reports) day.mean_kmh += moment.report.speed_kmh();
  }
  day.mean_kmh /= static_cast<double>(day.reports);
  return day;
}

TEST(CapMetroCsvTest, TheRecordedDaysAgreeInUnit) {
  const auto mph = ReadDay("2015-09-06");
  const auto mps = ReadDay("2016-02-07");
  if (!mph || !mps) GTEST_SKIP() << "recorded drives are not here";
  EXPECT_EQ(mph->rows, 53569u);
  EXPECT_EQ(mph->reports, 53569u);
  EXPECT_EQ(mps->rows, 49081u);
  EXPECT_EQ(mps->duplicates, 4u);
  // Taken for each other's unit they would be apart by 2.2.
  EXPECT_NEAR(mph->mean_kmh / mps->mean_kmh, 1.0, 0.25);
}

}  // namespace
}  // namespace telltale::sim
