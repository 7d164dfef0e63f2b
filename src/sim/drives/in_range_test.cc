#include "sim/drives/in_range.h"

#include <gtest/gtest.h>

#include <limits>

namespace telltale::sim {
namespace {

TEST(InRangeTest, TakesOffAndCountsWhatTheContractForbidsAndLeavesTheRest) {
  telltale::v1::Report report;
  report.set_heading_deg(507.8f);
  report.set_latitude_deg(91.0);
  report.set_speed_kmh(std::numeric_limits<float>::quiet_NaN());
  report.set_current_gear(-5);
  report.set_dtc_count(1001);
  report.set_coolant_temperature_c(-40.0f);      // an end belongs to the range
  report.set_short_fuel_trim_b1_percent(99.3f);  // as a float above 99.3
  report.set_is_mil_on(true);
  RowCounts counts;
  ClearOutOfRange(report, counts);
  EXPECT_EQ(counts.values_dropped[static_cast<std::size_t>(ValueDrop::kOutOfRange)], 5u);
  EXPECT_FALSE(report.has_heading_deg());
  EXPECT_FALSE(report.has_latitude_deg());
  EXPECT_FALSE(report.has_speed_kmh());
  EXPECT_FALSE(report.has_current_gear());
  EXPECT_FALSE(report.has_dtc_count());
  EXPECT_TRUE(report.has_coolant_temperature_c());
  EXPECT_TRUE(report.has_short_fuel_trim_b1_percent());
  EXPECT_TRUE(report.is_mil_on());
}

}  // namespace
}  // namespace telltale::sim
