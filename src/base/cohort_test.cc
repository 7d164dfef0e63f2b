#include "base/cohort.h"

#include <gtest/gtest.h>

namespace telltale {
namespace {

VehicleRef RefOf(std::uint32_t n) {
  VehicleRef ref;
  for (std::size_t i = 0; i < ref.bytes.size(); ++i) {
    ref.bytes[i] = static_cast<std::uint8_t>((n >> (8 * (i % 4))) ^ (i * 37));
  }
  return ref;
}

Cohort ShareOf(std::uint32_t per_10000) { return {per_10000, "s", {}, {}}; }

// Published: another implementation draws the same vehicles.
TEST(CohortTest, TheDrawIsWhatWasPublished) {
  VehicleRef zeros;
  VehicleRef rising;
  for (std::size_t i = 0; i < 16; ++i) rising.bytes[i] = static_cast<std::uint8_t>(i);
  EXPECT_EQ(DrawOf("", zeros), 6481u);
  EXPECT_EQ(DrawOf("release-7", zeros), 2236u);
  EXPECT_EQ(DrawOf("release-7", rising), 1379u);
}

TEST(CohortTest, AShareIsAboutAsLargeAsItSaysAndOnlyGrows) {
  const Cohort small = ShareOf(500);
  const Cohort large = ShareOf(2'000);
  int in_small = 0;
  for (std::uint32_t n = 0; n < 20'000; ++n) {
    in_small += small.Contains(RefOf(n));
    EXPECT_TRUE(!small.Contains(RefOf(n)) || large.Contains(RefOf(n))) << n;
  }
  // Five standard deviations of a binomial draw: 31 vehicles each.
  EXPECT_NEAR(in_small, 1'000, 155);
}

TEST(CohortTest, NobodyAndEverybodyAreExact) {
  for (std::uint32_t n = 0; n < 1'000; ++n) {
    EXPECT_FALSE(ShareOf(0).Contains(RefOf(n)));
    EXPECT_TRUE(ShareOf(10'000).Contains(RefOf(n)));
  }
}

TEST(CohortTest, TheListsWinOverTheDrawAndNeverOverAlways) {
  Cohort cohort{.per_10000 = 0, .salt = "s", .always = {RefOf(1), RefOf(2)}, .never = {RefOf(2)}};
  EXPECT_TRUE(cohort.Contains(RefOf(1)));
  EXPECT_FALSE(cohort.Contains(RefOf(2)));
  cohort.per_10000 = 10'000;
  EXPECT_FALSE(cohort.Contains(RefOf(2)));
}

TEST(CohortTest, ACohortIsItsLots) {
  for (const std::uint32_t share : {0u, 1u, 500u, 9'999u, 10'000u}) {
    const Cohort cohort{share, "s", {RefOf(1), RefOf(2)}, {RefOf(2)}};
    for (std::uint32_t n = 0; n < 2'000; ++n) {
      EXPECT_EQ(cohort.Contains(RefOf(n)), LotOf(cohort, RefOf(n)) < LotsOfShare(share)) << n;
      EXPECT_LT(LotOf(cohort, RefOf(n)), kLots);
    }
  }
}

}  // namespace
}  // namespace telltale
