#include <gtest/gtest.h>

#include "sim/drives/counts_testing.h"
#include "sim/drives/drives_testing.h"
#include "sim/drives/readers.h"

namespace telltale::sim {
namespace {

TEST(GoalCsvTest, SpeedIsTheWayBetweenPointsOfDrivingOverItsTime) {
  const auto drives =
      ReadGoalCsv(SourceOf("trajectory_id,timestamp,x,y,groundtruth\n"
                           "0000,1964-01-12 00:00:00.000000000,0,0,Driving\n"
                           "0000,1964-01-12 00:00:05.000000208,30,40,Driving\n"
                           "0000,1964-01-12 00:00:10.000000000,30,41,OnFoot\n"
                           "0000,1964-01-12 00:00:15.000000000,30,41,Driving\n"
                           "0000,1964-01-12 00:01:15.000000000,30,90,Driving\n"
                           "0000,1964-01-12 00:01:20.000000000,30,90,Driving\n"));
  ASSERT_TRUE(drives.ok()) << drives.error().message;
  const Drive& drive = drives->front();
  ASSERT_EQ(drive.reports.size(), 2u);
  EXPECT_NEAR(drive.reports[0].report.speed_kmh(), 36, 1e-3);
  EXPECT_EQ(drive.reports[1].report.speed_kmh(), 0);
  EXPECT_EQ(Dropped(drive, RowDrop::kForeign), 1u);
  // The first of a stretch, the first after a walk, and the first after a gap.
  EXPECT_EQ(Dropped(drive, RowDrop::kNothing), 3u);
  EXPECT_FALSE(drive.is_dated);
}

TEST(GoalCsvTest, TheRecordedFileGivesAVehicleForEachChunkAndCountsEveryRow) {
  PosixDisk disk;
  const std::string path = DataFolder() + "/goal-delivery/goal_trajectories.csv.gz";
  if (!disk.Exists(path)) GTEST_SKIP() << "recorded drives are not here";
  const auto drives = ReadDrives(disk, "goal-csv", path);
  ASSERT_TRUE(drives.ok()) << drives.error().message;
  EXPECT_EQ(drives->size(), 402u);
  std::uint64_t rows = 0;
  std::uint64_t on_foot = 0;
  for (const Drive& drive : *drives) {
    rows += drive.counts.rows;
    on_foot += Dropped(drive, RowDrop::kForeign);
    EXPECT_TRUE(AddsUp(drive));
    for (const TimedReport& moment : drive.reports) {
      EXPECT_LT(moment.report.speed_kmh(), 150);
    }
  }
  EXPECT_EQ(rows, 28944u);
  EXPECT_EQ(on_foot, 16598u);
}

}  // namespace
}  // namespace telltale::sim
