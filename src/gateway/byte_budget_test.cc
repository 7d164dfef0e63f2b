#include "gateway/byte_budget.h"

#include <gtest/gtest.h>

namespace telltale::gateway {
namespace {

constexpr ByteBudget::Rate kRate{.bytes_per_second = 1000, .burst_bytes = 5000};
constexpr Micros AtSecond(std::int64_t seconds) { return Micros{seconds * 1'000'000}; }

TEST(ByteBudgetTest, ABurstIsTakenAtOnceAndThenTheRate) {
  ByteBudget budget(kRate, AtSecond(10));
  EXPECT_TRUE(budget.Spend(4999, AtSecond(10)));
  EXPECT_FALSE(budget.Spend(1, AtSecond(10)));
  EXPECT_FALSE(budget.HasAny(AtSecond(10)));
  EXPECT_TRUE(budget.HasAny(AtSecond(11)));
  EXPECT_FALSE(budget.Spend(1000, AtSecond(11)));
}

TEST(ByteBudgetTest, APacketOverWhatIsLeftIsADebtToWaitFor) {
  ByteBudget budget(kRate, AtSecond(0));
  EXPECT_FALSE(budget.Spend(7000, AtSecond(0)));
  EXPECT_FALSE(budget.HasAny(AtSecond(2)));
  EXPECT_TRUE(budget.HasAny(AtSecond(3)));
}

TEST(ByteBudgetTest, ALongSilenceFillsItOnceOnly) {
  ByteBudget budget(kRate, AtSecond(0));
  budget.Spend(5000, AtSecond(0));
  EXPECT_TRUE(budget.IsFull(AtSecond(1'000'000'000)));
  EXPECT_FALSE(budget.Spend(5000, AtSecond(1'000'000'000)));
}

TEST(ByteBudgetTest, OftenLookingLosesNoTokens) {
  ByteBudget budget(kRate, AtSecond(0));
  budget.Spend(5000, AtSecond(0));
  for (std::int64_t us = 0; us <= 1'000'000; us += 7) budget.HasAny(Micros{us});
  EXPECT_TRUE(budget.Spend(990, AtSecond(1)));
}

}  // namespace
}  // namespace telltale::gateway
