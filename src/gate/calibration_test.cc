#include "gate/calibration.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"

namespace telltale::gate {
namespace {

std::vector<PlaceboVehicle> Fleet(int vehicles) {
  SeededRandom random(11);
  std::vector<PlaceboVehicle> fleet;
  for (int i = 0; i < vehicles; ++i) {
    PlaceboVehicle one;
    for (std::uint8_t& byte : one.vehicle.bytes)
      byte = static_cast<std::uint8_t>(random.Below(256));
    // One in ten has most events.
    one.events = random.Below(10) == 0 ? static_cast<double>(random.Below(40)) : 0;
    one.exposure = 1 + static_cast<double>(random.Below(100)) / 10;
    fleet.push_back(one);
  }
  return fleet;
}

TEST(CalibrationTest, PlacebosOfOneReleaseHaltAboutAsOftenAsAlphaSays) {
  const auto fleet = Fleet(400);
  const PlaceboHalts strict = HaltsOfPlacebos(fleet, "placebo", 999, 0.01);
  EXPECT_EQ(strict.draws, 999);
  EXPECT_LE(strict.halted, 25);
  // The test does look: at a tenth it finds about a tenth.
  const PlaceboHalts loose = HaltsOfPlacebos(fleet, "placebo", 999, 0.1);
  EXPECT_GT(loose.halted, 50);
  EXPECT_LT(loose.halted, 150);
  EXPECT_LT(loose.interval.low, loose.interval.high);
}

TEST(CalibrationTest, TooFewEventsAreNoDraws) {
  auto fleet = Fleet(400);
  for (PlaceboVehicle& one : fleet) one.events = 0;
  const PlaceboHalts halts = HaltsOfPlacebos(fleet, "placebo", 50, 0.01);
  EXPECT_EQ(halts.draws, 0);
  EXPECT_EQ(halts.interval.high, 1);
  EXPECT_EQ(HaltsOfPlacebos({}, "placebo", 50, 0.01).draws, 0);
}

TEST(CalibrationTest, AHaltThatNobodyJudgedIsAtWorstAFalseOne) {
  const LiveRates none = RatesOf({});
  EXPECT_EQ(none.at_worst.low, 0);
  EXPECT_EQ(none.at_worst.high, 1);
  const LiveRates some =
      RatesOf({.rollouts = 100, .halted = 5, .called_false = 1, .called_true = 2});
  EXPECT_NEAR(some.called_false.high, 0.0545, 1e-4);  // 1 of 100
  EXPECT_NEAR(some.at_worst.high, 0.0852, 1e-4);      // 3 of 100
}

}  // namespace
}  // namespace telltale::gate
