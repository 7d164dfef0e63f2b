#include "control/rollout_machine.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/cohort.h"
#include "base/random.h"
#include "base/test_rounds.h"

namespace telltale::control {
namespace {

constexpr Micros kNow = Micros::Seconds(1'000'000);

// Everything is there, and all times are over.
RolloutView Ready(Phase phase) {
  return {.phase = phase,
          .stages = {{.per_10000 = 100, .shadow = Micros::Seconds(60), .soak = Micros::Seconds(60)},
                     {.per_10000 = 10'000}},
          .since = kNow - Micros::Seconds(3600),
          .settled = kNow - Micros::Seconds(3600),
          .window = Micros::Seconds(600),
          .is_config_taken = true,
          .partitions = 8};
}

struct Case {
  const char* name;
  Phase phase;
  void (*edit)(RolloutView& view);
  const char* waits_for;  // "" = goes on
  Phase next = Phase::kPending;
};

class MachineTest : public ::testing::TestWithParam<Case> {};

TEST_P(MachineTest, ItGoesOnOrSaysWhatItWaitsFor) {
  RolloutView view = Ready(GetParam().phase);
  GetParam().edit(view);
  const Decision decision = Decide(view, kNow);
  if (*GetParam().waits_for == '\0') {
    ASSERT_TRUE(decision.next.has_value()) << decision.waits_for.front().code;
    EXPECT_EQ(*decision.next, GetParam().next);
    EXPECT_TRUE(decision.waits_for.empty());
    return;
  }
  EXPECT_FALSE(decision.next.has_value());
  ASSERT_EQ(decision.waits_for.size(), 1u);
  EXPECT_EQ(decision.waits_for[0].code, GetParam().waits_for);
}

const Case kCases[] = {
    {"Begin", Phase::kPending, [](RolloutView&) {}, "", Phase::kWarming},
    {"Upstream", Phase::kPending, [](RolloutView& v) { v.upstream = "x"; }, "upstream"},
    {"UpstreamBroken", Phase::kPending,
     [](RolloutView& v) { v.upstream = "x", v.is_break_glass = true; }, "", Phase::kWarming},
    {"Contract", Phase::kPending, [](RolloutView& v) { v.contract = "x", v.is_break_glass = true; },
     "contract"},
    {"Install", Phase::kPending, [](RolloutView& v) { v.install = "x"; }, "install"},
    {"Frozen", Phase::kPending, [](RolloutView& v) { v.freeze = "x"; }, "freeze"},
    {"Warm", Phase::kWarming, [](RolloutView&) {}, "", Phase::kShadow},
    {"Cold", Phase::kWarming, [](RolloutView& v) { v.cold = 1; }, "warm_up"},
    {"ColdBroken", Phase::kWarming, [](RolloutView& v) { v.cold = 1, v.is_break_glass = true; },
     "warm_up"},
    {"NobodyWarm", Phase::kWarming, [](RolloutView& v) { v.partitions = 0; }, "warm_up"},
    {"OnItsWay", Phase::kWarming, [](RolloutView& v) { v.is_config_taken = false; }, "config"},
    {"Shadowed", Phase::kShadow, [](RolloutView&) {}, "", Phase::kAuthority},
    {"ShadowTime", Phase::kShadow, [](RolloutView& v) { v.since = kNow, v.is_break_glass = true; },
     "shadow_time"},
    {"Approvals", Phase::kShadow, [](RolloutView& v) { v.stages[0].approvals = 1; }, "approvals"},
    {"Approved", Phase::kShadow, [](RolloutView& v) { v.stages[0].approvals = 1, v.approvals = 1; },
     "", Phase::kAuthority},
    {"ApprovalsBroken", Phase::kShadow,
     [](RolloutView& v) { v.stages[0].approvals = 1, v.is_break_glass = true; }, "",
     Phase::kAuthority},
    {"Gate", Phase::kShadow, [](RolloutView& v) { v.stages[0].is_gate_manual = true; }, "gate"},
    {"Held", Phase::kShadow, [](RolloutView& v) { v.hold = "x"; }, "hold"},
    {"Unreachable", Phase::kShadow, [](RolloutView& v) { v.unreachable = "x"; }, "unreachable"},
    {"NextStage", Phase::kAuthority, [](RolloutView&) {}, "", Phase::kWarming},
    {"PartitionsPending", Phase::kAuthority, [](RolloutView& v) { v.pending = 1; }, "partitions"},
    {"Soak", Phase::kAuthority, [](RolloutView& v) { v.settled = kNow; }, "soak_time"},
    {"SoakBroken", Phase::kAuthority,
     [](RolloutView& v) { v.settled = kNow, v.is_break_glass = true; }, "", Phase::kWarming},
    {"NotSettled", Phase::kAuthority, [](RolloutView& v) { v.settled.reset(); }, "soak_time"},
    {"LastStage", Phase::kAuthority, [](RolloutView& v) { v.stage = 1; }, "", Phase::kWindow},
    {"SecondSignature", Phase::kAuthority, [](RolloutView& v) { v.second_signature = "x"; },
     "second_signature"},
    {"Window", Phase::kWindow, [](RolloutView& v) { v.settled = kNow; }, "window_time"},
    {"Closed", Phase::kWindow, [](RolloutView&) {}, "", Phase::kClosed},
    {"WindowHeld", Phase::kWindow, [](RolloutView& v) { v.hold = "x"; }, "hold"},
};
INSTANTIATE_TEST_SUITE_P(All, MachineTest, ::testing::ValuesIn(kCases),
                         [](const auto& one) { return std::string(one.param.name); });

RolloutPlace PlaceAt(Phase phase, std::size_t stage) {
  return {.phase = phase,
          .stage = stage,
          .stages = {{.per_10000 = 100}, {.per_10000 = 10'000}},
          .candidate = "new",
          .stable = "old"};
}

TEST(WantedTest, AStageIsInShadowBeforeItHasAuthority) {
  EXPECT_EQ(WantedBy(PlaceAt(Phase::kPending, 0)), Wanted{.stable = "old"});
  EXPECT_EQ(WantedBy(PlaceAt(Phase::kWarming, 0)),
            (Wanted{.stable = "old", .candidate = "new", .shadow_lots = 101}));
  EXPECT_EQ(
      WantedBy(PlaceAt(Phase::kAuthority, 0)),
      (Wanted{.stable = "old", .candidate = "new", .shadow_lots = 101, .authority_lots = 101}));
  EXPECT_EQ(
      WantedBy(PlaceAt(Phase::kWarming, 1)),
      (Wanted{.stable = "old", .candidate = "new", .shadow_lots = kLots, .authority_lots = 101}));
  EXPECT_EQ(
      WantedBy(PlaceAt(Phase::kAuthority, 1)),
      (Wanted{
          .stable = "old", .candidate = "new", .shadow_lots = kLots, .authority_lots = 10'001}));
  EXPECT_EQ(WantedBy(PlaceAt(Phase::kWindow, 1)), (Wanted{.stable = "new", .previous = "old"}));
  EXPECT_EQ(WantedBy(PlaceAt(Phase::kClosed, 1)), (Wanted{.stable = "new"}));
  EXPECT_EQ(WantedBy(PlaceAt(Phase::kRejected, 1)), (Wanted{.stable = "old"}));
}

TEST(WantedTest, ASpeakerGoesWhereItsReleaseGoes) {
  RolloutPlace place = PlaceAt(Phase::kWindow, 1);
  place.candidate_speaker = place.stable_speaker = "first";
  EXPECT_EQ(WantedBy(place), (Wanted{.stable = "new",
                                     .previous = "old",
                                     .stable_speaker = "first",
                                     .previous_speaker = "first"}));
  place.phase = Phase::kShadow;
  EXPECT_EQ(WantedBy(place).stable_speaker, "first");
  EXPECT_EQ(WantedBy(place).candidate_speaker, "first");
  place.phase = Phase::kWithdrawn;
  EXPECT_EQ(WantedBy(place), (Wanted{.stable = "old", .stable_speaker = "first"}));
}

// Whatever is seen, from step to step: no phase is left out, authority never goes beyond what was
// in shadow before, and a cohort only grows.
TEST(MachinePropertyTest, AuthorityIsAlwaysWithinWhatWasInShadowBefore) {
  for (std::uint64_t seed = FirstSeed(); seed <= LastSeed(200); ++seed) {
    SeededRandom random(seed);
    RolloutView view = Ready(Phase::kPending);
    Wanted before = WantedBy(PlaceAt(Phase::kPending, 0));
    for (int turn = 0; turn < 200 && IsOpen(view.phase); ++turn) {
      view.hold = random.Below(4) == 0 ? "x" : "";
      view.cold = random.Below(3) == 0 ? 1 : 0;
      view.pending = random.Below(3) == 0 ? 1 : 0;
      view.is_config_taken = random.Below(3) != 0;
      view.is_break_glass = random.Below(2) == 0;
      view.stages[0].approvals = 1;
      view.approvals = random.Below(2);
      const Decision decision = Decide(view, kNow);
      ASSERT_NE(decision.next.has_value(), !decision.waits_for.empty());
      if (!decision.next) continue;
      ASSERT_TRUE(*decision.next != Phase::kAuthority || view.cold == 0);
      view.phase = *decision.next;
      view.stage = decision.stage;
      const Wanted wanted = WantedBy(PlaceAt(view.phase, view.stage));
      if (!wanted.candidate.empty()) {
        ASSERT_LE(wanted.authority_lots, std::max(before.shadow_lots, before.authority_lots));
        ASSERT_GE(wanted.authority_lots, before.authority_lots);
        ASSERT_GE(wanted.shadow_lots, before.shadow_lots);
      }
      before = wanted;
    }
    EXPECT_EQ(view.phase, Phase::kClosed) << "seed " << seed;
  }
}

}  // namespace
}  // namespace telltale::control
