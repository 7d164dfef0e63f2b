// Published and hand-computed values of the other tests of this folder.
#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "gate/blocks.h"
#include "gate/clustered.h"
#include "gate/exact.h"
#include "gate/numeric.h"
#include "gate/post_update.h"
#include "gate/spending.h"
#include "gate/srm.h"

namespace telltale::gate {
namespace {

TEST(NumericTest, GammaNormalAndBinomialByTheirTables) {
  EXPECT_NEAR(LogGamma(1), 0, 1e-13);
  EXPECT_NEAR(LogGamma(0.5), 0.5 * std::log(std::numbers::pi), 1e-13);
  EXPECT_NEAR(LogGamma(101), 363.73937555556349, 1e-10);
  EXPECT_NEAR(std::exp(LogChoose(10, 3)), 120, 1e-9);
  EXPECT_NEAR(NormalQuantile(0.975), 1.959963984540054, 1e-12);
  EXPECT_NEAR(NormalQuantile(0.0005), -3.290526731491926, 1e-10);
  EXPECT_NEAR(BinomialTail(10, 3, 0.2), 0.3222004736, 1e-10);
  EXPECT_NEAR(BinomialTail(10, 1, 0.2), 1 - std::pow(0.8, 10), 1e-12);
  EXPECT_EQ(BinomialTail(10, 11, 0.2), 0);
}

TEST(NumericTest, ClopperPearsonByItsTable) {
  // 0 of 1000 at 95 %: 1 - 0.025^(1/1000); 10 of 100: 0.0490 to 0.1762.
  EXPECT_NEAR(ClopperPearson(1000, 0, 0.95).high, 1 - std::pow(0.025, 1e-3), 1e-9);
  EXPECT_EQ(ClopperPearson(1000, 0, 0.95).low, 0);
  EXPECT_NEAR(ClopperPearson(100, 10, 0.95).low, 0.04900469, 1e-6);
  EXPECT_NEAR(ClopperPearson(100, 10, 0.95).high, 0.17622260, 1e-6);
  EXPECT_EQ(ClopperPearson(5, 5, 0.95).high, 1);
}

TEST(BalanceTest, UnanimousVotesNeededArePublished) {
  EXPECT_GE(std::exp(LogVotes(8, 8)), 20);
  EXPECT_LT(std::exp(LogVotes(7, 7)), 20);
  EXPECT_GE(std::exp(LogVotes(11, 0)), 100);
  EXPECT_LT(std::exp(LogVotes(10, 0)), 100);
  EXPECT_GE(std::exp(LogVotes(14, 14)), 1000);
  EXPECT_LT(std::exp(LogVotes(13, 13)), 1000);
}

TEST(BalanceTest, MeansOneUnderItsSharesByEnumeration) {
  double mean = 0;
  for (std::int64_t a = 0; a <= 12; ++a) {
    for (std::int64_t b = 0; a + b <= 12; ++b) {
      const std::int64_t c = 12 - a - b;
      const std::array<Arm, 3> arms = {Arm{a, 0.1}, Arm{b, 0.3}, Arm{c, 0.6}};
      const double log_chance =
          LogGamma(13) - LogGamma(static_cast<double>(a) + 1) -
          LogGamma(static_cast<double>(b) + 1) - LogGamma(static_cast<double>(c) + 1) +
          static_cast<double>(a) * std::log(0.1) + static_cast<double>(b) * std::log(0.3) +
          static_cast<double>(c) * std::log(0.6);
      mean += std::exp(log_chance + LogBalanceE(arms));
    }
  }
  EXPECT_NEAR(mean, 1, 1e-9);
}

TEST(ExactTest, AllowsWholeVehiclesOnly) {
  EXPECT_EQ(ExactlyAllowed(99, 0.01), 0);
  EXPECT_EQ(ExactlyAllowed(100, 0.01), 1);
  EXPECT_TRUE(IsExactlyWithin({0, 0}, 0.01));
  EXPECT_FALSE(IsExactlyWithin({99, 1}, 0.01));
}

TEST(SpendingTest, SpendsAsTheReferenceTables) {
  EXPECT_NEAR(Spent(Spending::kOBrienFleming, 0.01, 0.25), 2.6e-7, 1e-8);
  EXPECT_NEAR(Spent(Spending::kOBrienFleming, 0.01, 0.5), 2.7e-4, 1e-5);
  EXPECT_NEAR(Spent(Spending::kOBrienFleming, 0.01, 0.75), 2.9e-3, 1e-4);
  EXPECT_NEAR(Spent(Spending::kPocock, 0.01, 0.25), 3.6e-3, 5e-5);
  EXPECT_NEAR(Spent(Spending::kPocock, 0.01, 0.5), 6.2e-3, 5e-5);
  EXPECT_NEAR(Spent(Spending::kPocock, 0.01, 0.75), 8.3e-3, 5e-5);
  EXPECT_NEAR(Spent(Spending::kPocock, 0.01, 1), 0.01, 1e-12);
}

TEST(SpendingTest, BoundariesOfFiveLooksArePublished) {
  const std::vector<double> planned = {0.2, 0.4, 0.6, 0.8, 1.0};
  const std::vector<double> obf = {4.8769, 3.3569, 2.6803, 2.2898, 2.0310};
  const std::vector<double> pocock = {2.4380, 2.4268, 2.4101, 2.3966, 2.3859};
  const auto late = Boundaries(Spending::kOBrienFleming, 0.025, planned);
  const auto early = Boundaries(Spending::kPocock, 0.025, planned);
  for (std::size_t i = 0; i < planned.size(); ++i) {
    EXPECT_NEAR(late[i], obf[i], 2e-3) << i;
    EXPECT_NEAR(early[i], pocock[i], 2e-3) << i;
  }
}

TEST(ClusteredTest, VarianceIsByVehiclesAndByHand) {
  // Two vehicles, 10 h each, with 0 and 4 events: R 0.2, residuals -2 and 2, variance 16/400.
  const Rate rate = RateOf({.vehicles = 2, .y = 4, .e = 20, .yy = 16, .ye = 40, .ee = 200});
  ASSERT_TRUE(rate.is_usable);
  EXPECT_DOUBLE_EQ(rate.rate, 0.2);
  EXPECT_NEAR(rate.variance, 16.0 / 400, 1e-12);
}

ArmSums Arms(std::int64_t vehicles, double events_each) {
  const auto n = static_cast<double>(vehicles);
  // Half of the vehicles have twice as many, half none.
  return {.vehicles = vehicles,
          .y = n * events_each,
          .e = n * 10,
          .yy = n / 2 * 4 * events_each * events_each,
          .ye = n * events_each * 10,
          .ee = n * 100};
}

TEST(ClusteredTest, HaltsAboveTheMarginAndIsSafeBelowIt) {
  const RateRule rule = {.margin = 1.5, .planned = {0.5, 1.0}};
  EXPECT_TRUE(JudgeRate({{Arms(400, 3), Arms(400, 1)}}, rule).is_above);
  const RateVerdict safe =
      JudgeRate({{Arms(900, 1), Arms(900, 1)}, {Arms(1800, 1), Arms(1800, 1)}}, rule);
  EXPECT_TRUE(safe.is_below);
  EXPECT_FALSE(safe.is_above);
  EXPECT_FALSE(JudgeRate({}, rule).is_below);
}

TEST(BlocksTest, MeansAtMostOneAtTheMarginByEnumeration) {
  // D is 1 with chance q and -1 otherwise; its mean is 2q - 1 = 0.2.
  double above = 0;
  double below = 0;
  for (unsigned path = 0; path < 1024; ++path) {
    std::vector<Block> blocks;
    double chance = 1;
    for (unsigned i = 0; i < 10; ++i) {
      const bool is_one = ((path >> i) & 1U) != 0;
      chance *= is_one ? 0.6 : 0.4;
      blocks.push_back({is_one ? 1.0 : -1.0, i % 2 == 0});
    }
    above += chance * std::exp(LogBlockE(blocks, 0.2));
    below += chance * std::exp(LogBlockBelow(blocks, 0.2));
  }
  EXPECT_NEAR(above, 1, 1e-9);
  EXPECT_NEAR(below, 1, 1e-9);
}

TEST(BlocksTest, BoundIsAboveTheMeanAndOneOfNoBlocks) {
  EXPECT_EQ(BlockUpperBound({}, 0.05), 1);
  const std::vector<Block> blocks(500, Block{0.05, true});
  const double bound = BlockUpperBound(blocks, 0.05);
  EXPECT_GT(bound, 0.05);
  EXPECT_LT(bound, 0.08);
}

TEST(BlocksTest, AnOrderThatNoLotGivesIsSeen) {
  std::vector<Block> same(20, Block{0, true});
  std::vector<Block> swapped;
  std::vector<Block> lots;
  SeededRandom random(7);
  for (int i = 0; i < 20; ++i) swapped.push_back({0, i % 2 == 0});
  for (int i = 0; i < 200; ++i) lots.push_back({0, random.Below(2) == 0});
  EXPECT_FALSE(IsOrderRandom(same, 0.01));
  EXPECT_FALSE(IsOrderRandom(swapped, 0.01));
  EXPECT_TRUE(IsOrderRandom(lots, 0.01));
  EXPECT_TRUE(IsOrderRandom({}, 0.01));
}

TEST(PostUpdateTest, OneEventOfTheUpdatedByHand) {
  UpdateEvidence evidence(1);
  evidence.Add({.expected_updated = 1, .expected_control = 3, .events_updated = 1});
  double mean = 0;
  for (int j = 0; j < kRatioPoints; ++j) {
    const double ratio = 1.25 * std::pow(32.0, j / 11.0);
    mean += ratio * 0.25 / (ratio * 0.25 + 0.75) / 0.25 / kRatioPoints;
  }
  EXPECT_NEAR(std::exp(evidence.log_e()), mean, 1e-9);
}

TEST(PostUpdateTest, MeansOneWhenNothingChangedByEnumeration) {
  // Eight events in one block; each falls to the updated with chance 1/4.
  double mean = 0;
  for (std::int64_t k = 0; k <= 8; ++k) {
    UpdateEvidence evidence(1);
    evidence.Add({.expected_updated = 1,
                  .expected_control = 3,
                  .events_updated = k,
                  .events_control = 8 - k});
    mean += std::exp(LogChoose(8, k) + static_cast<double>(k) * std::log(0.25) +
                     static_cast<double>(8 - k) * std::log(0.75) + evidence.log_e());
  }
  EXPECT_NEAR(mean, 1, 1e-9);
}

TEST(PostUpdateTest, WithoutControlNothingIsSaid) {
  UpdateEvidence evidence(1);
  evidence.Add({.expected_updated = 1, .expected_control = 0, .events_updated = 50});
  EXPECT_EQ(evidence.log_e(), 0);
  EXPECT_EQ(evidence.blocks_without_control(), 1);
}

TEST(PostUpdateTest, AVehiclesPastCountsAsMuchAsItIsLong) {
  const RatePrior prior = {.shape = 1, .rate_h = 100};
  EXPECT_DOUBLE_EQ(ExpectedPerHour(prior, {}), 0.01);
  EXPECT_DOUBLE_EQ(ExpectedPerHour(prior, {9, 100}), 0.05);
  const std::vector<OwnPast> alike(100, OwnPast{2, 10});
  const RatePrior fitted = FitPrior(alike);
  EXPECT_EQ(fitted.shape, 100);  // no vehicle differs
  EXPECT_NEAR(fitted.shape / fitted.rate_h, 0.2, 1e-12);
  std::vector<OwnPast> chatty(99, OwnPast{0, 10});
  chatty.push_back({200, 10});
  EXPECT_EQ(FitPrior(chatty).shape, 0.05);
}

}  // namespace
}  // namespace telltale::gate
