#include "gateway/derive.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/cell.h"

namespace telltale::gateway {
namespace {

TEST(DeriveTest, ACellHasTheConfiguredLevelAndHoldsThePosition) {
  for (int level = 5; level <= kFinestCellLevel; ++level) {
    const auto cell = CellOf(52.520008, 13.404954, level);
    ASSERT_TRUE(cell.has_value());
    EXPECT_EQ(CellLevel(*cell), level);
    EXPECT_TRUE(IsCoarseEnough(*cell));
    EXPECT_EQ(CellParent(*CellOf(52.520008, 13.404954, 12), level), *cell);
  }
}

TEST(DeriveTest, PlacesAShortWayApartShareACell) {
  EXPECT_EQ(CellOf(52.520008, 13.404954, 12), CellOf(52.520058, 13.404904, 12));
  EXPECT_NE(CellOf(52.520008, 13.404954, 12), CellOf(52.620008, 13.404954, 12));
}

TEST(DeriveTest, WhatIsNoPositionGivesNoCell) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinite = std::numeric_limits<double>::infinity();
  const double bad[][2] = {{nan, 13},    {52, nan},   {infinite, 13}, {52, -infinite},
                           {90.0001, 0}, {-91, 13},   {52, 180.001},  {52, -181},
                           {0, 0},       {-0.0, 0.0}, {1e300, 1e300}};
  for (const auto& [latitude, longitude] : bad) {
    EXPECT_FALSE(CellOf(latitude, longitude, 12).has_value()) << latitude << "," << longitude;
  }
  EXPECT_TRUE(CellOf(90, 180, 12).has_value());
  EXPECT_TRUE(CellOf(-90, -180, 12).has_value());
  EXPECT_TRUE(CellOf(0, 1e-9, 12).has_value());
}

TEST(DeriveTest, OctantsAreCentredOnNorthAndTurnClockwise) {
  const struct {
    double heading;
    std::uint32_t octant;
  } cases[] = {{0, 0},         {22.49999, 0}, {22.5, 1},  {45, 1},  {67.5, 2},  {90, 2},
               {135, 3},       {180, 4},      {225, 5},   {270, 6}, {292.5, 7}, {315, 7},
               {337.49999, 7}, {337.5, 0},    {359.9, 0}, {360, 0}};
  for (const auto& [heading, octant] : cases) {
    EXPECT_EQ(HeadingOctantOf(heading), std::optional(octant)) << heading;
  }
  for (const double bad : {-0.1, 360.1, std::nan(""), std::numeric_limits<double>::infinity()}) {
    EXPECT_FALSE(HeadingOctantOf(bad).has_value()) << bad;
  }
}

}  // namespace
}  // namespace telltale::gateway
