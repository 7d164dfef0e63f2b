#include <gtest/gtest.h>

#include <set>

#include "gate/simulation/dice.h"
#include "gate/simulation/latencies.h"
#include "gate/simulation/rates.h"
#include "gate/simulation/rollouts.h"
#include "gate/simulation/tables.h"
#include "gate/simulation/updates.h"

namespace telltale::gate::simulation {
namespace {

TEST(DiceTest, SeedsThatFollowEachOtherShareNoNumbers) {
  std::set<std::uint64_t> seen;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Dice dice(seed);
    for (int draw = 0; draw < 100; ++draw) EXPECT_TRUE(seen.insert(dice.Next()).second) << seed;
  }
}

TEST(SimulationTest, ATwinInsideTheLimitsIsNotHaltedAndAnEmptyOneIs) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    EXPECT_FALSE(RunRollout({.vehicles = 500}, seed).is_halted) << seed;
    EXPECT_TRUE(RunRollout({.vehicles = 500, .missing = 1}, seed).is_halted) << seed;
  }
}

TEST(SimulationTest, ReplacingAlertsByOthersIsSeenThoughTheTotalsStay) {
  const RolloutCase both = {.vehicles = 1000, .missing = 0.1, .extra = 0.1};
  for (std::uint64_t seed = 0; seed < 5; ++seed) EXPECT_TRUE(RunRollout(both, seed).is_halted);
}

TEST(SimulationTest, AFieldLostForOneModelIsFoundThere) {
  const RolloutEnd end = RunRollout({.vehicles = 1000, .is_field_lost = true}, 3);
  EXPECT_TRUE(end.is_halted);
  EXPECT_EQ(end.stratum, "model=b");
}

TEST(SimulationTest, ALargeCohortOfAGoodReleasePasses) {
  const RolloutEnd end =
      RunRollout({.vehicles = 12000, .inside = 0.3, .is_judged_at_end = true}, 5);
  EXPECT_EQ(end.outcome, Outcome::kPass);
}

TEST(SimulationTest, AFirmwareWithFiveTimesTheFalseAlarmsIsRaisedAndNoneOtherIs) {
  int raised = 0;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    EXPECT_FALSE(RunUpdate({.vehicles = 1000}, seed).is_raised) << seed;
    if (RunUpdate({.vehicles = 1000, .ratio = 5}, seed).is_raised) ++raised;
  }
  EXPECT_GE(raised, 9);
}

TEST(SimulationTest, ASlowerCandidateHaltsAndASlowerHostDoesNot) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    EXPECT_TRUE(RunLatency({.slower = 0.05}, seed).is_halted) << seed;
    EXPECT_FALSE(RunLatency({}, seed).is_halted) << seed;
    EXPECT_TRUE(RunLatency({.is_by_lot = false}, seed).is_order_refused) << seed;
  }
}

TEST(SimulationTest, PlaceboCohortsAreNotHaltedAndFiveTimesTheRateIs) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    EXPECT_FALSE(RunRate({.vehicles = 500}, seed).is_halted) << seed;
    EXPECT_TRUE(RunRate({.vehicles = 500, .shape = 1, .ratio = 5}, seed).is_halted) << seed;
  }
}

TEST(SimulationTest, ALotThatLosesAFifthIsSeenAndAFairOneIsNot) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    EXPECT_FALSE(RunLot({}, seed).is_held) << seed;
    EXPECT_TRUE(RunLot({.lost = 0.2}, seed).is_held) << seed;
  }
}

TEST(SimulationTest, ThreadsChangeNoNumber) {
  const Extent one = {.null_runs = 3, .power_runs = 2, .vehicles_max = 200, .threads = 1};
  Extent two = one;
  two.threads = 2;
  EXPECT_EQ(Tables(one), Tables(two));
}

}  // namespace
}  // namespace telltale::gate::simulation
