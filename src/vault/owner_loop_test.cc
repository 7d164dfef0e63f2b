#include "vault/owner_loop.h"

#include "vault/vault_testing.h"

namespace telltale::vault {
namespace {

TEST(ClockWatchTest, AJumpOfTheWallClockEitherWayIsNoticedOnceAndItsSlowCorrectionIsNot) {
  ManualClock clock(kNow);
  ClockWatch watch(clock);
  clock.Advance(Micros::Seconds(86'400));  // time passes: no jump
  EXPECT_FALSE(watch.Jumped());
  clock.JumpUtc(Micros::Seconds(301));
  EXPECT_TRUE(watch.Jumped());
  EXPECT_FALSE(watch.Jumped());
  clock.JumpUtc(Micros::Seconds(-86'400));
  EXPECT_TRUE(watch.Jumped());
  for (int i = 0; i < 100; ++i) {
    clock.JumpUtc(Micros::Seconds(5));
    EXPECT_FALSE(watch.Jumped());
  }
}

}  // namespace
}  // namespace telltale::vault
