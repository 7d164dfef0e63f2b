// The control plane killed at every step: on return it continues, and what it sent never
// contradicts itself.
#include "base/test_rounds.h"
#include "control/plane_testing.h"

namespace telltale::control {
namespace {

using nlohmann::json;

class PlaneCrashTest : public PlaneTest {
 protected:
  // A power cut, and another process later.
  void CrashAndReopen(std::uint64_t seed) {
    plane_.reset();
    disk_.Crash(seed);
    disk_.FailNever();
    clock_.Advance(Micros::Seconds(11));  // the lease of the life before
    plane_ = Must(Plane::Open(Options("life " + std::to_string(seed))));
  }

  // What each reader of the log relies on.
  void CheckLog(const World& world) {
    ConfigSeq began;
    std::uint64_t epoch = 0;
    std::uint32_t shadow = 0, authority = 0;
    for (const auto& [seq, bytes] : world.log) {
      const InForce config = Must(VerifyConfig(bytes, world.key.public_raw));
      ASSERT_EQ(config.config_seq.value, seq);
      ASSERT_GE(config.leader_epoch, epoch);
      epoch = config.leader_epoch;
      if (!config.rollout) continue;
      const Rollout& rollout = *config.rollout;
      if (began.value == 0) began = config.config_seq;
      ASSERT_EQ(rollout.began, began);
      ASSERT_LE(rollout.authority_lots, std::max(shadow, authority));
      ASSERT_GE(rollout.shadow_lots, shadow);
      shadow = rollout.shadow_lots;
      authority = rollout.authority_lots;
    }
  }

  // Promotes, and ticks until it is closed; says how many ticks it took. A failure of the disk
  // leaves off.
  Status Run() {
    for (int i = 0; i < 1200; ++i) {
      clock_.Advance(Micros{250'000});
      RETURN_IF_ERROR(plane_->Tick());
      const auto list = plane_->Do({"local:0"}, "rollouts.list", {{"environment", "staging"}});
      if (!list.ok()) return list.error();
      if (list->at("items").empty()) {
        const auto promoted =
            plane_->Do({"local:0"}, "promotion.put",
                       {{"key", "staging"}, {"body", {{"release", releases_[promoted_]}}}});
        if (!promoted.ok()) return promoted.error();
        continue;
      }
      const json& rollout = list->at("items").at(0);
      if (rollout.at("phase") == "closed") return Ok();
      if (rollout.at("phase") == "shadow" && rollout.at("approvals").empty()) {
        const auto approved =
            plane_->Do({"local:0"}, "approve", {{"key", "staging-1"}, {"body", json::object()}});
        if (!approved.ok()) return approved.error();
      }
    }
    return Error{Code::kUnavailable, "it does not close"};
  }

  // Killed at one write after the other until it is closed.
  void RunThroughCrashes();

  std::string promoted_ = "good";
};

void PlaneCrashTest::RunThroughCrashes() {
  int crashes = 0;
  std::uint64_t seed = FirstSeed();
  // Each life fails some writes later than its beginning, so the whole rollout is covered.
  for (std::uint64_t writes = 1; writes < 400 * TestRounds(); writes += 3) {
    disk_.FailAfter(writes % 37);
    const Status run = Run();
    if (run.ok()) break;
    ASSERT_NE(run.error().message, "it does not close");
    CrashAndReopen(++seed);
    ++crashes;
  }
  disk_.FailNever();
  if (PhaseOfNow("staging") != "closed") {
    const Status run = Run();
    ASSERT_TRUE(run.ok()) << run.error().ToString();
  }
  Must(Tick(3));
  EXPECT_GT(crashes, 10);
  CheckLog(Of("staging"));
  EXPECT_EQ(Of("staging").Newest().stable_release, releases_[promoted_]);
  EXPECT_EQ(Of("staging").ordered.config_seq, Of("staging").Newest().config_seq);
  EXPECT_EQ(Must(plane_->Do({"local:0"}, "rollouts.list", {})).at("items").size(), 1u);
  EXPECT_TRUE(Must(plane_->Do({"local:0"}, "audit.verify", {})).at("ok").get<bool>());
}

TEST_F(PlaneCrashTest, KilledAtAnyWriteItContinuesAndTheLogIsSound) { RunThroughCrashes(); }

TEST_F(PlaneCrashTest, WhoSpeaksIsTheSameAfterAnyCrash) {
  promoted_ = "features";
  RunThroughCrashes();
  for (const auto& [seq, bytes] : Of("staging").log) {
    const InForce config = Must(VerifyConfig(bytes, Of("staging").key.public_raw));
    EXPECT_EQ(config.SpeakerOfStable(), releases_["stable"]) << "config " << seq;
    EXPECT_TRUE(!config.rollout || config.SpeakerOfCandidate() == releases_["stable"]);
  }
}

TEST_F(PlaneCrashTest, ARollbackThatWasAnsweredIsNotForgotten) {
  for (std::uint64_t seed = FirstSeed(); seed <= LastSeed(5); ++seed) {
    Promote("staging", "good");
    const std::string id = RolloutOf("staging").at("id");
    Must(Do("cn:ben", "approve", id));
    ASSERT_TRUE(Reaches("staging", "authority"));
    Must(Tick(2));
    Of("staging").is_publisher_down = seed % 2 == 0;
    Must(Do("cn:anna", "rollback", "staging"));
    CrashAndReopen(seed);
    Of("staging").is_publisher_down = false;
    Must(Tick(8));
    EXPECT_EQ(RolloutOf("staging").at("phase"), "withdrawn");
    EXPECT_FALSE(Of("staging").ordered.rollout.has_value());
    EXPECT_FALSE(Of("staging").Newest().rollout.has_value());
  }
}

TEST_F(PlaneCrashTest, AnOlderDatabaseTakesALeaderEpochAboveTheLogs) {
  InForce config = Of("staging").Newest();
  config.config_seq = ConfigSeq{9};
  config.leader_epoch = 7;
  ASSERT_TRUE(Of("staging").Append(Must(SignConfig(config, Of("staging").key))).ok());
  Promote("staging", "good");
  ASSERT_TRUE(Reaches("staging", "shadow"));
  EXPECT_EQ(Of("staging").Newest().leader_epoch, 8u);
  EXPECT_EQ(Of("staging").Newest().config_seq, ConfigSeq{10});
}

}  // namespace
}  // namespace telltale::control
