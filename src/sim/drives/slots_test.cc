#include "sim/drives/slots.h"

#include <gtest/gtest.h>

namespace telltale::sim {
namespace {

constexpr std::int64_t kSlotUs = 100'000;

TEST(SlotsTest, RowsOfASlotBecomeOneReportAtTheTimeOfTheLast) {
  Drive drive;
  SlotJoiner slots(drive, kSlotUs);
  slots.Open(10'000)->set_speed_kmh(1);
  slots.Added(10'000);
  slots.Open(30'000)->set_speed_kmh(2);
  slots.Added(30'000);
  slots.Open(20'000)->set_throttle_percent(3);  // a step back inside the slot
  slots.Added(20'000);
  slots.Open(150'000)->set_speed_kmh(4);
  slots.Added(150'000);
  slots.Close();
  ASSERT_EQ(drive.reports.size(), 2u);
  EXPECT_EQ(drive.started_at_us, 30'000);
  EXPECT_EQ(drive.reports[0].report.speed_kmh(), 2);
  EXPECT_EQ(drive.reports[0].report.throttle_percent(), 3);
  EXPECT_EQ(drive.reports[1].at_us, 120'000);
  EXPECT_FALSE(drive.reports[1].report.has_throttle_percent());
  EXPECT_EQ(drive.counts.rows, 4u);
  EXPECT_EQ(drive.counts.dropped[static_cast<std::size_t>(RowDrop::kMerged)], 2u);
}

TEST(SlotsTest, ASlotThatIsClosedIsNotOpenedAgain) {
  Drive drive;
  SlotJoiner slots(drive, kSlotUs);
  slots.Open(110'000)->set_speed_kmh(1);
  slots.Added(110'000);
  EXPECT_EQ(slots.Open(99'999), nullptr);
  EXPECT_NE(slots.Open(-1), slots.Open(100'000));  // before the epoch the grid goes on
}

TEST(SlotsTest, WithoutAValueASlotGivesNoReport) {
  Drive drive;
  SlotJoiner slots(drive, kSlotUs);
  slots.Open(0);
  slots.Open(200'000)->set_heading_deg(400);  // out of range: taken off
  slots.Added(200'000);
  slots.Close();
  EXPECT_TRUE(drive.reports.empty());
  EXPECT_EQ(drive.counts.rows, 1u);
  EXPECT_EQ(drive.counts.dropped[static_cast<std::size_t>(RowDrop::kNothing)], 1u);
}

}  // namespace
}  // namespace telltale::sim
