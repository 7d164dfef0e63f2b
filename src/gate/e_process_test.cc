#include "gate/e_process.h"

#include <gtest/gtest.h>

#include <cmath>

#include "gate/merge.h"
#include "gate/numeric.h"

namespace telltale::gate {
namespace {

double MeanOfE(double max, double share, std::int64_t n) {
  double mean = 0;
  for (std::int64_t k = 0; k <= n; ++k) {
    mean += std::exp(LogChoose(n, k) + static_cast<double>(k) * std::log(share) +
                     static_cast<double>(n - k) * std::log1p(-share) + LogE(max, {n, k}));
  }
  return mean;
}

TEST(EProcessTest, MeansOneAtTheLimitAndLessBelowItByEnumeration) {
  for (const double max : {0.001, 0.01, 0.2}) {
    for (const std::int64_t n : {1, 2, 7, 25}) {
      EXPECT_NEAR(MeanOfE(max, max, n), 1, 1e-9) << max << " " << n;
      EXPECT_LT(MeanOfE(max, max / 2, n), 1) << max << " " << n;
      EXPECT_GT(MeanOfE(max, std::min(0.99, max * 3), n), 1) << max << " " << n;
    }
  }
}

TEST(EProcessTest, TheBetOfOneVoteIsTheMeanOfTheGridByHand) {
  // 1 % of 1 %: odds 0.0101; grid from 0.01515 (p 0.014926) to 19 (p 0.95).
  const HaltGrid grid(0.01);
  EXPECT_NEAR(grid.shares().front(), 0.0149254, 1e-6);
  EXPECT_NEAR(grid.shares().back(), 0.95, 1e-12);
  double sum = 0;
  for (const double share : grid.shares()) sum += share / 0.01;
  EXPECT_NEAR(std::exp(grid.LogE({1, 1})), sum / kGridPoints, 1e-9);
}

TEST(EProcessTest, RisesInVotesAgainstAndFallsInVotesFor) {
  for (const double max : {0.001, 0.01, 0.5}) {
    const HaltGrid grid(max);
    for (std::int64_t n = 1; n < 60; ++n) {
      for (std::int64_t k = 0; k < n; ++k) {
        EXPECT_LT(grid.LogE({n, k}), grid.LogE({n, k + 1}));
        EXPECT_GT(grid.LogE({n, k}), grid.LogE({n + 1, k}));
      }
    }
  }
}

TEST(EProcessTest, DependsOnTheCountsOnlySoPartitionsAddUp) {
  const Votes sum = Votes{120, 3} + Votes{80, 1};
  EXPECT_EQ(sum, (Votes{200, 4}));
  EXPECT_DOUBLE_EQ(LogE(0.01, sum), LogE(0.01, {200, 4}));
}

TEST(EProcessTest, BoundOfNoVotesIsEverythingAndOfCleanVotesByHand) {
  EXPECT_EQ(UpperBound({0, 0}, 0.05), 1);
  EXPECT_EQ(UpperBound({5, 5}, 0.05), 1);
  // Clean: 1/2 (1-m)^-n alone has to reach 20, so 1 - m = 40^(-1/n); the other bets help a little.
  const double bound = UpperBound({1000, 0}, 0.05);
  EXPECT_LT(bound, 1 - std::pow(40.0, -1.0 / 1000));
  EXPECT_GT(bound, 1 - std::pow(20.0, -1.0 / 1000));
}

TEST(EProcessTest, BoundIsWhereTheInvertedTestTurns) {
  for (const Votes votes : {Votes{50, 0}, Votes{400, 3}, Votes{1000, 80}, Votes{20, 19}}) {
    const double bound = UpperBound(votes, 0.05);
    EXPECT_GT(bound, static_cast<double>(votes.k) / static_cast<double>(votes.n));
    if (bound >= 1) continue;
    EXPECT_GE(LogBelow(bound * 1.0001, votes), std::log(20.0));
    EXPECT_LT(LogBelow(bound * 0.9999, votes), std::log(20.0));
  }
}

TEST(EProcessTest, TheEvidenceBelowMeansAtMostOneAtAndAboveItsMargin) {
  for (const double share : {0.05, 0.06, 0.3}) {
    double mean = 0;
    for (std::int64_t k = 0; k <= 40; ++k) {
      mean += std::exp(LogChoose(40, k) + static_cast<double>(k) * std::log(share) +
                       static_cast<double>(40 - k) * std::log1p(-share) + LogBelow(0.05, {40, k}));
    }
    EXPECT_LE(mean, 1 + 1e-9) << share;
  }
}

TEST(EProcessTest, SaysHowManyCleanVehiclesAreMissing) {
  for (const Votes votes : {Votes{0, 0}, Votes{100, 0}, Votes{300, 2}}) {
    const std::int64_t needed = NeededClean(votes, 0.02, 0.05);
    ASSERT_GT(needed, 0);
    EXPECT_LE(UpperBound({votes.n + needed, votes.k}, 0.05), 0.02 + 1e-12);
    EXPECT_GT(UpperBound({votes.n + needed - 1, votes.k}, 0.05), 0.02);
  }
  EXPECT_EQ(NeededClean({5000, 0}, 0.02, 0.05), 0);
}

TEST(EProcessTest, PowerIsExactByEveryPathOfTwelveVotes) {
  const HaltRule rule = {.max = 0.05, .log_threshold = std::log(20.0), .distinct_min = 2};
  for (const double share : {0.05, 0.2, 0.6}) {
    double halted = 0;
    for (unsigned path = 0; path < 4096; ++path) {
      double chance = 1;
      bool is_halted = false;
      Votes votes;
      for (unsigned i = 0; i < 12; ++i) {
        const bool is_one = ((path >> i) & 1U) != 0;
        chance *= is_one ? share : 1 - share;
        votes = votes + Votes{1, is_one ? 1 : 0};
        if (votes.k >= 2 && LogE(0.05, votes) >= rule.log_threshold) is_halted = true;
      }
      if (is_halted) halted += chance;
    }
    EXPECT_NEAR(PowerOf(rule, 12, share), halted, 1e-12) << share;
  }
}

TEST(EProcessTest, NeverCrossesMoreOftenThanAlphaAtTheLimit) {
  for (const double max : {0.001, 0.01, 0.2}) {
    const HaltRule rule = {.max = max, .log_threshold = std::log(100.0), .distinct_min = 1};
    EXPECT_LE(PowerOf(rule, kExactVotes, max), 0.01) << max;
  }
}

TEST(EProcessTest, TheFewestVotesThatHaltAreTheFewest) {
  const HaltRule rule = {.max = 0.01, .log_threshold = std::log(1000.0), .distinct_min = 3};
  for (const std::int64_t n : {3, 10, 200, 5000, 100000}) {
    const std::int64_t k = HaltsAt(rule, n);
    if (k > n) {
      EXPECT_LT(LogE(0.01, {n, n}), rule.log_threshold);
      continue;
    }
    EXPECT_GE(LogE(0.01, {n, k}), rule.log_threshold);
    if (k > 3) {
      EXPECT_LT(LogE(0.01, {n, k - 1}), rule.log_threshold);
    }
  }
}

TEST(EProcessTest, DetectableIsWhereThePowerIsReachedAndNothingOfNoVehicles) {
  const HaltRule rule = {.max = 0.01, .log_threshold = std::log(1000.0), .distinct_min = 3};
  EXPECT_EQ(Detectable(rule, 0, 0.9), 1);
  EXPECT_EQ(Detectable(rule, 2, 0.9), 1);
  double before = 1;
  for (const std::int64_t n : {50, 200, 1000, 2000, 20000}) {
    const double share = Detectable(rule, n, 0.9);
    EXPECT_GE(PowerOf(rule, n, share), 0.9) << n;
    EXPECT_LT(PowerOf(rule, n, share * 0.99), 0.9) << n;
    EXPECT_LT(share, before);
    before = share;
  }
}

TEST(EProcessTest, TheLargestOfAllLooksGivesThePValue) {
  RunningE running;
  EXPECT_EQ(running.p_value(), 1);
  running.See(std::log(40.0));
  running.See(std::log(3.0));
  EXPECT_NEAR(running.p_value(), 1 / 40.0, 1e-12);
}

TEST(MergeTest, MeanOfEValuesByHand) {
  const std::vector<Weighted> parts = {
      {0.5, std::log(30.0)}, {0.3, std::log(100.0)}, {0.2, kLogZero}};
  EXPECT_NEAR(std::exp(LogMean(parts)), 45, 1e-9);
}

TEST(MergeTest, AMetricWithoutEvidenceLeavesItsWeightWithNobody) {
  const std::vector<Weighted> all = {{0.6, std::log(50.0)}, {0.4, kLogZero}};
  EXPECT_NEAR(std::exp(LogMean(all)), 30, 1e-9);
}

TEST(MergeTest, CalibratesAsPublished) {
  EXPECT_NEAR(std::exp(LogCalibrated(1e-4)), 50, 1e-9);
  EXPECT_NEAR(std::exp(LogCalibrated(1)), 0.5, 1e-12);
  EXPECT_LT(LogCalibrated(0), 400);  // finite
}

TEST(MergeTest, TooFewVehiclesNeverSpeakAgainst) {
  EXPECT_EQ(LogHeldBack(5, false), 0);
  EXPECT_EQ(LogHeldBack(-5, false), -5);
  EXPECT_EQ(LogHeldBack(5, true), 5);
  EXPECT_NEAR(LogAllOrNothing(true, 0.001), std::log(1000.0), 1e-12);
  EXPECT_EQ(LogAllOrNothing(false, 0.001), kLogZero);
}

}  // namespace
}  // namespace telltale::gate
