#include <gtest/gtest.h>

#include "base/random.h"
#include "safety/decide.h"

namespace telltale::safety {
namespace {

TEST(StaysIdleTest, SaysWhatDecideWouldOfAnIdleRule) {
  SeededRandom random(20'411);
  std::uint64_t opened = 0;
  for (int n = 0; n < 100'000; ++n) {
    Rule rule;
    rule.slots = {kSlotsFixed, kSlotsFixed + 1};
    rule.direction = static_cast<Direction>(random.NextU64() % 3);
    rule.enter = static_cast<double>(random.NextU64() % 10) - 5;
    rule.leave = rule.enter - 1;
    rule.hold = Micros{static_cast<std::int64_t>(random.NextU64() % 2) * 200'000};
    rule.minimum_speed = static_cast<double>(random.NextU64() % 3) * 10;
    Values values;
    values.present = random.NextU64();
    for (const std::size_t slot :
         {std::size_t{kSlotSpeed}, std::size_t{kSlotsFixed}, std::size_t{kSlotsFixed} + 1}) {
      values.number[slot] = static_cast<double>(random.NextU64() % 30) - 10;
    }
    const Report report{.boot = {1, 2}, .seq = 3, .event_time = Micros{4}, .values = &values};
    const Decision decision = Decide(Episode{}, report, rule);
    const bool stays = decision.next.phase == Phase::kIdle && decision.count == 0;
    ASSERT_EQ(StaysIdle(report, rule), stays) << n;
    if (stays) {
      ASSERT_EQ(decision.next, Episode{}) << n;
    }
    opened += stays ? 0 : 1;
  }
  EXPECT_GT(opened, 10'000u);
}

}  // namespace
}  // namespace telltale::safety
