#include "vault/clock_guard.h"

#include <gtest/gtest.h>

namespace telltale::vault {
namespace {

constexpr Micros kStart{1'764'000'000'000'000};
constexpr Micros kHour{3600 * 1'000'000ll};
constexpr Micros kGuardedDay{24 * kHour.value};

struct ClockGuardTest : testing::Test {
  ManualClock clock{kStart};
};

TEST_F(ClockGuardTest, TimeThatPassesIsBelieved) {
  ClockGuard guard(clock, std::nullopt);
  for (int day = 0; day < 40; ++day) {
    clock.Advance(kGuardedDay);
    EXPECT_FALSE(guard.Look());
    EXPECT_TRUE(guard.is_trusted());
    EXPECT_EQ(guard.NowForKeys(), clock.NowUtc());
  }
}

TEST_F(ClockGuardTest, AJumpForwardStopsKeysNotReadersUntilItIsConfirmed) {
  ClockGuard guard(clock, std::nullopt);
  clock.JumpUtc(Micros{40 * kGuardedDay.value});
  EXPECT_TRUE(guard.Look()) << "said once";
  EXPECT_FALSE(guard.Look());
  EXPECT_FALSE(guard.is_trusted());
  EXPECT_EQ(guard.NowForKeys(), kStart);
  EXPECT_EQ(guard.NowForReaders(), clock.NowUtc()) << "a doubtful clock shows less, never more";
  clock.Advance(kHour);
  EXPECT_EQ(guard.NowForKeys().value / 1'000'000, (kStart + kHour).value / 1'000'000 + 3);
  guard.Confirm(guard.Confirmed());
  EXPECT_TRUE(guard.is_trusted());
  EXPECT_EQ(guard.NowForKeys(), clock.NowUtc());
}

TEST_F(ClockGuardTest, AJumpThatGoesAwayLeavesNothingBehind) {
  ClockGuard guard(clock, std::nullopt);
  clock.JumpUtc(kGuardedDay);
  EXPECT_TRUE(guard.Look());
  clock.JumpUtc(Micros{-kGuardedDay.value});
  EXPECT_FALSE(guard.Look());
  EXPECT_TRUE(guard.is_trusted());
  EXPECT_EQ(guard.NowForReaders(), kStart) << "an hour that never was hides nothing";
}

TEST_F(ClockGuardTest, SmallStepsAddUp) {
  ClockGuard guard(clock, std::nullopt);
  bool asked = false;
  for (int step = 0; step < 3; ++step) {
    clock.JumpUtc(Micros{kHour.value * 9 / 10});
    asked |= guard.Look();
  }
  EXPECT_TRUE(asked);
  EXPECT_LT(guard.NowForKeys(), kStart + kHour);
}

TEST_F(ClockGuardTest, AClockThatGoesBackShowsNothingAgain) {
  ClockGuard guard(clock, std::nullopt);
  clock.Advance(kGuardedDay);
  guard.Look();
  const Micros latest = clock.NowUtc();
  clock.JumpUtc(Micros{-3 * kGuardedDay.value});
  guard.Look();
  EXPECT_EQ(guard.NowForReaders(), latest);
  EXPECT_EQ(guard.NowForKeys(), clock.NowUtc());
}

TEST_F(ClockGuardTest, TimeDownIsKnownWithinOneBoot) {
  ClockMark mark;
  {
    ClockGuard guard(clock, std::nullopt);
    guard.Look();
    mark = guard.mark();
  }
  clock.Advance(Micros{10 * kGuardedDay.value});
  ClockGuard guard(clock, mark);
  EXPECT_FALSE(guard.Look());
  EXPECT_EQ(guard.NowForKeys(), clock.NowUtc());
}

TEST_F(ClockGuardTest, OverARebootOnlyADisciplinedClockIsBelieved) {
  ClockMark mark;
  {
    ClockGuard guard(clock, std::nullopt);
    guard.Look();
    mark = guard.mark();
  }
  clock.Advance(Micros{10 * kGuardedDay.value});
  clock.Reboot();
  ClockGuard doubted(clock, mark);
  EXPECT_TRUE(doubted.Look());
  EXPECT_EQ(doubted.NowForKeys(), kStart);
  clock.Reboot(true);
  ClockGuard believed(clock, mark);
  EXPECT_FALSE(believed.Look());
  EXPECT_EQ(believed.NowForKeys(), clock.NowUtc());
}

}  // namespace
}  // namespace telltale::vault
