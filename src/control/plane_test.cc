#include "control/plane_testing.h"

namespace telltale::control {
namespace {

using nlohmann::json;

TEST_F(PlaneTest, AReleaseGoesThroughAllStagesAndTheOldOneStaysUntilTheWindowIsOver) {
  Promote("staging", "good");
  ASSERT_TRUE(Reaches("staging", "shadow"));
  InForce config = Of("staging").Newest();
  ASSERT_TRUE(config.rollout.has_value());
  EXPECT_EQ(config.rollout->id, "staging-1");
  EXPECT_EQ(config.rollout->shadow_lots, 101u);
  EXPECT_EQ(config.rollout->authority_lots, 0u);
  EXPECT_EQ(config.rollout->order.salt, "staging-1");
  EXPECT_EQ(config.rollout->began, config.config_seq);
  EXPECT_EQ(config.leader_epoch, 1u);
  const ConfigSeq began = config.rollout->began;
  Put("role-bindings", "anna-too", {{"subject", "cn:anna"}, {"role", "approver"}});
  Must(Do("cn:anna", "approve", "staging-1"));  // a demo's: oneself counts
  ASSERT_TRUE(Reaches("staging", "authority"));
  Must(Tick());
  EXPECT_EQ(Of("staging").Newest().rollout->authority_lots, 101u);
  ASSERT_TRUE(Reaches("staging", "warming"));
  Must(Tick());
  config = Of("staging").Newest();
  EXPECT_EQ(config.rollout->shadow_lots, kLots);
  EXPECT_EQ(config.rollout->authority_lots, 101u);
  EXPECT_EQ(config.rollout->began, began);
  ASSERT_TRUE(Reaches("staging", "window"));
  Must(Tick());
  config = Of("staging").Newest();
  EXPECT_EQ(config.stable_release, releases_["good"]);
  EXPECT_EQ(config.previous_release, releases_["stable"]);
  EXPECT_FALSE(config.rollout.has_value());
  ASSERT_TRUE(Reaches("staging", "closed"));
  Must(Tick());
  EXPECT_EQ(Of("staging").Newest().previous_release, "");
  EXPECT_EQ(Of("staging").ordered.config_seq, Of("staging").Newest().config_seq);
  EXPECT_TRUE(RolloutOf("staging").at("approvals").at(0).at("self").get<bool>());
  EXPECT_TRUE(Must(plane_->Do({"local:0"}, "audit.verify", {})).at("ok").get<bool>());
}

TEST_F(PlaneTest, AReleaseWithStablesSafetyPathArrivesWithoutAWorkerOfItsOwn) {
  Of("staging").is_warm = false;  // nobody writes a journal for it
  Promote("staging", "features");
  Must(Do("cn:ben", "approve", "staging-1"));
  ASSERT_TRUE(Reaches("staging", "shadow"));
  InForce config = Of("staging").Newest();
  EXPECT_EQ(config.rollout->candidate, releases_["features"]);
  EXPECT_EQ(config.SpeakerOfCandidate(), releases_["stable"]);
  EXPECT_EQ(RolloutOf("staging").at("speaker"), releases_["stable"]);
  EXPECT_NE(RolloutOf("staging").at("history").at(1).at("note"), "");
  ASSERT_TRUE(Reaches("staging", "authority"));
  Must(Tick(2));
  EXPECT_EQ(Of("staging").Newest().rollout->authority_lots, 101u) << "soaks by lots all the same";
  EXPECT_EQ(Of("staging").View().partitions[0].lanes[0].release, releases_["stable"]);
  ASSERT_TRUE(Reaches("staging", "window"));
  Must(Tick());
  config = Of("staging").Newest();
  EXPECT_EQ(config.stable_release, releases_["features"]);
  EXPECT_EQ(config.SpeakerOfStable(), releases_["stable"]);
  EXPECT_EQ(config.SpeakerOfPrevious(), releases_["stable"]);
  ASSERT_TRUE(Reaches("staging", "closed"));
  Must(Tick());
  EXPECT_EQ(Of("staging").Newest().SpeakerOfStable(), releases_["stable"]);
  EXPECT_EQ(Of("staging").ordered.config_seq, Of("staging").Newest().config_seq);
}

TEST_F(PlaneTest, TheSpeakerIsHandedOnUntilAReleaseDecidesOtherwise) {
  const auto arrive = [this](const std::string& release, int number) {
    Promote("staging", release);
    Must(Do("cn:ben", "approve", "staging-" + std::to_string(number)));
    ASSERT_TRUE(Reaches("staging", "closed"));
    Must(Tick());
  };
  arrive("features", 1);
  arrive("more-features", 2);
  EXPECT_EQ(Of("staging").Newest().stable_release, releases_["more-features"]);
  EXPECT_EQ(Of("staging").Newest().SpeakerOfStable(), releases_["stable"]);
  Promote("staging", "good");
  Must(Do("cn:ben", "approve", "staging-3"));
  ASSERT_TRUE(Reaches("staging", "authority"));
  Must(Tick(2));
  EXPECT_EQ(Of("staging").Newest().SpeakerOfCandidate(), releases_["good"]);
  const json answer = Must(Do("cn:anna", "rollback", "staging"));
  EXPECT_EQ(answer.at("partitions").at("flipped"), 4) << "to the speaker of what was stable";
  Must(Tick());
  EXPECT_EQ(Of("staging").Newest().stable_release, releases_["more-features"]);
  EXPECT_EQ(Of("staging").Newest().SpeakerOfStable(), releases_["stable"]);
  Of("staging").is_warm = false;
  arrive("stable", 4);  // back to who spoke all the time
  Of("staging").is_warm = true;
  EXPECT_EQ(Of("staging").Newest().stable_release, releases_["stable"]);
  EXPECT_EQ(Of("staging").Newest().stable_speaker, "");
  arrive("good", 5);
  EXPECT_EQ(Of("staging").Newest().SpeakerOfStable(), releases_["good"]);
  arrive("more-features", 6);
  EXPECT_EQ(Of("staging").Newest().SpeakerOfStable(), releases_["more-features"]);
}

TEST_F(PlaneTest, WhoPromotedDoesNotApproveUnderAStandardPolicy) {
  Promote("staging", "good");
  Must(Do("cn:ben", "approve", "staging-1"));
  ASSERT_TRUE(Reaches("staging", "window"));
  Promote("prod", "good");
  ASSERT_TRUE(Reaches("prod", "shadow"));
  Put("role-bindings", "anna-too", {{"subject", "cn:anna"}, {"role", "approver"}});
  EXPECT_EQ(RefusalOf(Do("cn:anna", "approve", "prod-1")), Code::kRefused);
  Must(Tick(200));
  EXPECT_EQ(RolloutOf("prod").at("waits_for").at(0).at("code"), "approvals");
  Must(Do("cn:ben", "approve", "prod-1"));
  EXPECT_TRUE(Reaches("prod", "authority"));
}

TEST_F(PlaneTest, AReleaseWaitsForItsUpstream) {
  Promote("prod", "good");
  Must(Tick(40));
  const json rollout = RolloutOf("prod");
  EXPECT_EQ(rollout.at("phase"), "pending");
  EXPECT_EQ(rollout.at("waits_for").at(0).at("code"), "upstream");
  Promote("staging", "good");
  Must(Do("cn:ben", "approve", "staging-1"));
  ASSERT_TRUE(Reaches("staging", "window"));
  EXPECT_TRUE(Reaches("prod", "shadow"));
}

TEST_F(PlaneTest, ARollbackFencesThePublisherBeforeItAnswersAndTheLogFollows) {
  Promote("staging", "bad");
  Must(Do("cn:ben", "approve", "staging-1"));
  ASSERT_TRUE(Reaches("staging", "authority"));
  Must(Tick(2));
  const auto log_before = Of("staging").Newest().config_seq;
  const json answer = Must(Do("cn:anna", "rollback", "staging", {{"reason", "brakes"}}));
  EXPECT_EQ(answer.at("partitions").at("flipped"), 4);
  EXPECT_EQ(answer.at("partitions").at("pending"), 0);
  EXPECT_NE(answer.at("fenced_at"), "");
  EXPECT_EQ(answer.at("rollout").at("phase"), "withdrawn");
  EXPECT_FALSE(Of("staging").ordered.rollout.has_value());
  EXPECT_EQ(Of("staging").Newest().config_seq, log_before);
  Must(Tick());
  EXPECT_FALSE(Of("staging").Newest().rollout.has_value());
  EXPECT_EQ(Of("staging").Newest().config_seq, Of("staging").ordered.config_seq);
  Promote("staging", "bad");  // withdrawn is not rejected
  EXPECT_EQ(RolloutOf("staging").at("id"), "staging-2");
}

TEST_F(PlaneTest, ARollbackDuringTheWindowGoesBackToThePreviousRelease) {
  Promote("staging", "bad");
  Must(Do("cn:ben", "approve", "staging-1"));
  ASSERT_TRUE(Reaches("staging", "window"));
  Must(Tick(2));
  Must(Do("cn:anna", "rollback", "staging"));
  EXPECT_EQ(Of("staging").ordered.stable_release, releases_["stable"]);
  Must(Tick());
  EXPECT_EQ(Of("staging").Newest().stable_release, releases_["stable"]);
  EXPECT_EQ(Of("staging").Newest().previous_release, "");
  EXPECT_EQ(RefusalOf(Do("cn:anna", "rollback", "staging")), Code::kNotFound);
}

TEST_F(PlaneTest, ARollbackStandsWhileNothingCanBeReachedAndIsSentLater) {
  Promote("staging", "bad");
  Must(Do("cn:ben", "approve", "staging-1"));
  ASSERT_TRUE(Reaches("staging", "authority"));
  Must(Tick(2));
  Of("staging").is_publisher_down = true;
  Of("staging").is_log_down = true;
  const json answer = Must(Do("cn:anna", "rollback", "staging"));
  EXPECT_EQ(answer.at("fenced_at"), "");
  EXPECT_NE(answer.at("reason"), "");
  Must(Tick(20));
  Of("staging").is_publisher_down = false;
  Must(Tick(8));
  EXPECT_FALSE(Of("staging").ordered.rollout.has_value());
  EXPECT_TRUE(Of("staging").Newest().rollout.has_value());
  Of("staging").is_log_down = false;
  Must(Tick(8));
  EXPECT_FALSE(Of("staging").Newest().rollout.has_value());
}

TEST_F(PlaneTest, ARejectedReleaseComesBackOnlyByTwoApproversAndFromZero) {
  Promote("staging", "bad");
  Must(Do("cn:ben", "approve", "staging-1"));
  ASSERT_TRUE(Reaches("staging", "window"));
  Must(Do("cn:anna", "halt", "staging-1", {{"evidence", {{"p", 0.001}}}, {"reason", "worse"}}));
  EXPECT_EQ(PhaseOfNow("staging"), "rejected");
  Must(Tick(2));
  EXPECT_EQ(RefusalOf(Do("cn:anna", "promotion.put", "staging", {{"release", releases_["bad"]}})),
            Code::kRefused);
  EXPECT_EQ(Must(Do("cn:ben", "release.get", releases_["bad"])).at("state"), "rejected");
  const json cause = {{"cause", "a sensor fault"}};
  EXPECT_FALSE(Must(Do("cn:ben", "reinstate", releases_["bad"], cause)).at("reinstated"));
  EXPECT_EQ(RefusalOf(Do("cn:ben", "reinstate", releases_["bad"], cause)), Code::kRefused);
  EXPECT_TRUE(Must(Do("cn:cleo", "reinstate", releases_["bad"], cause)).at("reinstated"));
  Promote("prod", "bad");
  Must(Tick(10));
  EXPECT_EQ(RolloutOf("prod").at("waits_for").at(0).at("code"), "upstream");
}

TEST_F(PlaneTest, APinWithdrawsWhatIsUnderWayAndRefusesPromotions) {
  Promote("staging", "bad");
  Must(Do("cn:ben", "approve", "staging-1"));
  ASSERT_TRUE(Reaches("staging", "authority"));
  Must(Tick(2));
  const json pin = Must(Do("cn:anna", "pin.put", "staging",
                           {{"release", releases_["stable"]}, {"reason", "holidays"}}));
  EXPECT_EQ(pin.at("rollback").at("rollout").at("phase"), "withdrawn");
  EXPECT_FALSE(Of("staging").ordered.rollout.has_value());
  EXPECT_EQ(RefusalOf(Do("cn:anna", "promotion.put", "staging", {{"release", releases_["good"]}})),
            Code::kRefused);
  Must(Do("cn:anna", "pin.delete", "staging"));
  Promote("staging", "good");
}

TEST_F(PlaneTest, AHoldStopsTheWayForwardAndNotTheWayBack) {
  Promote("staging", "good");
  Must(Do("cn:ben", "approve", "staging-1"));
  ASSERT_TRUE(Reaches("staging", "shadow"));
  Must(Do("cn:anna", "hold", "staging", {{"reason", "a look"}}));
  Must(Tick(400));
  EXPECT_EQ(PhaseOfNow("staging"), "shadow");
  EXPECT_EQ(RolloutOf("staging").at("waits_for").at(0).at("code"), "hold");
  Must(Do("cn:anna", "resume", "staging"));
  ASSERT_TRUE(Reaches("staging", "authority"));
  Must(Do("cn:anna", "hold", "staging"));
  Must(Tick(400));
  EXPECT_EQ(RolloutOf("staging").at("waits_for").at(0).at("message"), "held, without a reason");
  Must(Do("cn:anna", "rollback", "staging"));
  EXPECT_EQ(PhaseOfNow("staging"), "withdrawn");
}

TEST_F(PlaneTest, APendingPartitionKeepsTheNextStageWaitingAndIsNamed) {
  Promote("staging", "good");
  Must(Do("cn:ben", "approve", "staging-1"));
  ASSERT_TRUE(Reaches("staging", "authority"));
  Of("staging").stuck = 2;
  Must(Tick(400));
  const json rollout = RolloutOf("staging");
  EXPECT_EQ(rollout.at("phase"), "authority");
  EXPECT_EQ(rollout.at("partitions_pending"),
            json({{{"partition", 2}, {"reason", "journal_stopped"}}}));
  const json answer = Must(Do("cn:anna", "rollback", "staging"));
  EXPECT_EQ(answer.at("partitions").at("flipped"), 3);
  EXPECT_EQ(answer.at("partitions").at("pending"), 1);
}

TEST_F(PlaneTest, AnEnvironmentThatIsDownBlocksNoOther) {
  Of("prod").is_log_down = true;
  Of("prod").is_publisher_down = true;
  Promote("staging", "good");
  Must(Do("cn:ben", "approve", "staging-1"));
  EXPECT_TRUE(Reaches("staging", "window"));
  const json status = Must(plane_->Do({"cn:ben"}, "status", {}));
  EXPECT_FALSE(status.at("environments").at(0).at("publisher").at("reachable"));
}

TEST_F(PlaneTest, AContractThatTheOperatorPutInForceBetweenIsKept) {
  Promote("staging", "good");
  Must(Do("cn:ben", "approve", "staging-1"));
  ASSERT_TRUE(Reaches("staging", "shadow"));
  InForce config = Of("staging").Newest();
  config.config_seq = ConfigSeq{config.config_seq.value + 1};
  config.contract_number = 2;
  config.contract_digest = std::string(64, 'd');
  ASSERT_TRUE(Of("staging").Append(Must(SignConfig(config, Of("staging").key))).ok());
  ASSERT_TRUE(Reaches("staging", "window"));
  Must(Tick(2));
  EXPECT_EQ(Of("staging").Newest().contract_number, 2u);
  EXPECT_EQ(Of("staging").Newest().contract_digest, std::string(64, 'd'));
  EXPECT_EQ(Of("staging").Newest().stable_release, releases_["good"]);
}

// What cannot be compared runs twice.
TEST_F(PlaneTest, UnderAnotherContractTheDiffSaysWhetherStableSpeaks) {
  auto shelf = MakeFolderShelf(disk_, Paths("/control"));
  const std::string later = Push(*shelf, "stable", {{"contract", "a later contract"}});
  InForce config = Of("staging").Newest();
  config.config_seq = ConfigSeq{2};
  config.contract_number = 2;
  config.contract_digest = HexEncode(seal::Sha256("a later contract"));
  ASSERT_TRUE(Of("staging").Append(Must(SignConfig(config, Of("staging").key))).ok());
  const auto speaker_of = [&](const std::string& release) -> std::string {
    Must(Do("cn:anna", "promotion.put", "staging", {{"release", release}}));
    EXPECT_TRUE(Reaches("staging", "shadow"));
    const std::string speaker = RolloutOf("staging").at("speaker");
    Must(Do("cn:anna", "rollback", "staging"));
    Must(Tick(2));
    return speaker;
  };
  EXPECT_EQ(speaker_of(later), releases_["stable"]);
  const std::string manifest = "/control/data/control/releases/" + releases_["stable"];
  ASSERT_TRUE(disk_.Remove(manifest + "/manifest.json").ok());
  const std::string latest =
      Push(*shelf, "stable", {{"contract", "a later contract"}, {"features", "others"}});
  EXPECT_EQ(speaker_of(latest), latest);
}

TEST_F(PlaneTest, BreakGlassSkipsUpstreamAndApprovalsUntilNobodyElseSigns) {
  Put("role-bindings", "dora", {{"subject", "cn:dora"}, {"role", "break_glass"}});
  const json wish = {{"release", releases_["good"]},
                     {"reason", "a recall"},
                     {"expires_at", FormatUtc(Micros::Seconds(kStart_s + 7 * 86'400))}};
  Must(Do("cn:dora", "break_glass", "prod", wish));
  Promote("prod", "good");
  ASSERT_TRUE(Reaches("prod", "shadow"));
  clock_.Advance(Micros::Seconds(86'401));
  Must(Tick(100));
  EXPECT_EQ(RolloutOf("prod").at("waits_for").at(0).at("code"), "second_signature");
  Put("role-bindings", "emil", {{"subject", "cn:emil"}, {"role", "break_glass"}});
  Must(Do("cn:emil", "break_glass", "prod", wish));
  EXPECT_TRUE(Reaches("prod", "window"));
  EXPECT_TRUE(RolloutOf("prod").at("break_glass"));
}

TEST_F(PlaneTest, ARehearsalCountsAsStagingUnderASmallPolicyOnly) {
  Put("policies", "small", Policy("small"));
  const json rehearsal = {{"release", releases_["good"]}, {"report", {{"verdict", "pass"}}}};
  Must(Do("cn:anna", "rehearsals.put", "prod", rehearsal));
  Promote("prod", "good");
  Must(Tick(10));
  EXPECT_EQ(PhaseOfNow("prod"), "pending");
  Must(Do("cn:anna", "rollback", "prod"));
  Must(Do("cn:anna", "promotion.put", "prod",
          {{"release", releases_["good"]}, {"policy", "small"}}));
  EXPECT_TRUE(Reaches("prod", "shadow"));
  EXPECT_TRUE(RolloutOf("prod").at("rehearsed"));
}

TEST_F(PlaneTest, WhoHasNoRoleIsRefusedAndWhoHasItForAnotherEnvironmentToo) {
  EXPECT_EQ(RefusalOf(plane_->Do({"cn:nobody"}, "status", {})), Code::kRefused);
  EXPECT_EQ(RefusalOf(Do("cn:ben", "rollback", "prod")), Code::kRefused);
  const json tried = Must(plane_->Do({"local:0"}, "audit", {{"limit", 1000}})).at("items").back();
  EXPECT_EQ(tried.at("subject"), "cn:ben");
  EXPECT_EQ(tried.at("operation"), "refused");
  Put("role-bindings", "fred",
      {{"subject", "token:fred"}, {"role", "deployer"}, {"environments", {"staging"}}});
  EXPECT_EQ(RefusalOf(Do("token:fred", "hold", "prod")), Code::kRefused);
  Must(Do("token:fred", "hold", "staging"));
  EXPECT_EQ(RefusalOf(Do("token:fred", "role-bindings.put", "me",
                         {{"subject", "token:fred"}, {"role", "deployer"}})),
            Code::kRefused);
}

TEST_F(PlaneTest, AnUnknownMemberIsRefusedWithTheNearestName) {
  json policy = Policy("demo");
  policy["warmup_s"] = 5;
  const auto refused = Do("local:0", "policies.put", "x", policy);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().ToString(),
            "invalid: policies x: \"warmup_s\" is not known here; did you mean \"warm_up_s\"?");
}

TEST_F(PlaneTest, WhatIsNamedElsewhereIsNotDeletedAndProdIsProtected) {
  EXPECT_EQ(RefusalOf(Do("local:0", "policies.delete", "demo")), Code::kExists);
  EXPECT_EQ(RefusalOf(Do("local:0", "environments.delete", "staging")), Code::kExists);
  EXPECT_EQ(RefusalOf(Do("local:0", "environments.delete", "prod")), Code::kRefused);
  EXPECT_EQ(RefusalOf(Do("local:0", "environments.put", "staging",
                         {{"kind", "staging"}, {"dir", "/staging"}, {"upstream", "prod"}})),
            Code::kInvalid);
}

TEST_F(PlaneTest, OnlyOneLeadsAndTheOtherTakesOverWhenTheLeaseIsOver) {
  auto second = Must(Plane::Open(Options("second")));
  Promote("staging", "good");
  Must(Tick(8));
  ASSERT_TRUE(second->Tick().ok());
  EXPECT_EQ(Must(second->Do({"local:0"}, "status", {})).at("leader").at("is_this"), false);
  EXPECT_EQ(Of("staging").Newest().leader_epoch, 1u);
  clock_.Advance(Micros::Seconds(11));  // the first hangs
  ASSERT_TRUE(second->Tick().ok());
  EXPECT_EQ(Must(second->Do({"local:0"}, "status", {})).at("leader").at("is_this"), true);
  Must(Do("cn:anna", "rollback", "staging"));  // to the first, which leads no more
  EXPECT_TRUE(Of("staging").ordered.rollout.has_value());
  clock_.Advance(Micros{250'000});
  ASSERT_TRUE(second->Tick().ok());
  EXPECT_FALSE(Of("staging").ordered.rollout.has_value());
  EXPECT_EQ(Of("staging").Newest().leader_epoch, 2u);
}

TEST_F(PlaneTest, TheReportTellsWhoDidWhatAndEscapesIt) {
  Promote("staging", "good");
  Must(Do("cn:ben", "approve", "staging-1", {{"comment", "a | b <script>"}}));
  ASSERT_TRUE(Reaches("staging", "authority"));
  const std::string text =
      Must(Do("cn:ben", "rollouts.report", "staging-1")).at("markdown").get<std::string>();
  EXPECT_NE(text.find("# Rollout staging-1"), std::string::npos);
  EXPECT_NE(text.find("stage 0: cn:ben"), std::string::npos);
  EXPECT_NE(text.find("a \\| b \\<script>"), std::string::npos);
  EXPECT_NE(text.find("\"component\": \"rules\""), std::string::npos);
}

TEST_F(PlaneTest, WhatTheReleasesBesideTheSpeakerCostIsAddedUpOverEveryCount) {
  const auto cost = [this](const char* release, const char* place, double seconds, Micros since) {
    return WorkerCost{.release = releases_[release],
                      .place = place,
                      .cpu = Micros{static_cast<std::int64_t>(seconds * 1e6)},
                      .cpu_since = since};
  };
  const auto told = [this] { return RolloutOf("staging").at("costs"); };
  const Micros long_ago = clock_.NowUtc() - Micros::Seconds(60);
  Promote("staging", "good");
  const Micros began = clock_.NowUtc();
  Must(Tick());
  EXPECT_EQ(told(), (json{{"candidate_cpu_s", nullptr}, {"previous_cpu_s", nullptr}}));
  Of("staging").costs = {cost("good", "candidate", 7, long_ago)};
  Must(Tick());
  EXPECT_EQ(told().at("candidate_cpu_s"), json()) << "it is of a rollout before";
  Of("staging").costs = {cost("good", "candidate", 2.5, began),
                         cost("stable", "stable", 99, began)};
  Must(Tick());
  EXPECT_EQ(told().at("candidate_cpu_s"), 2.5);
  // `serve` began again: its count did, too.
  Of("staging").costs = {cost("good", "candidate", 1.25, began + Micros{1})};
  Must(Tick());
  ASSERT_TRUE(Reaches("staging", "shadow"));
  EXPECT_EQ(told().at("candidate_cpu_s"), 3.75);
  Must(Do("cn:ben", "approve", "staging-1"));
  ASSERT_TRUE(Reaches("staging", "window"));
  Of("staging").costs = {cost("good", "stable", 50, began + Micros{2}),
                         cost("stable", "previous", 0.5, began + Micros{2})};
  Must(Tick());
  EXPECT_EQ(RolloutOf("staging").at("previous_costs"), (json{{"cpu_s", 0.5}}));
  ASSERT_TRUE(Reaches("staging", "closed"));
  Of("staging").costs.clear();
  plane_.reset();
  Open();
  const json answer = Must(Do("cn:ben", "rollouts.get", "staging-1"));
  EXPECT_EQ(answer.at("costs"), (json{{"candidate_cpu_s", 3.75}, {"previous_cpu_s", 0.5}}));
  EXPECT_EQ(answer.at("previous_costs"), (json{{"cpu_s", 0.5}}));
}

TEST_F(PlaneTest, OneRolloutIsAnsweredWithWhatTheLakeFoundAndTheReportTellsIt) {
  Promote("staging", "good");
  const auto get = [&] { return Must(Do("cn:ben", "rollouts.get", "staging-1")).at("lake"); };
  const auto report = [&] {
    return Must(Do("cn:ben", "rollouts.report", "staging-1")).at("markdown").get<std::string>();
  };
  EXPECT_EQ(get(), lake_);
  EXPECT_EQ(lake_asked_, "/staging " + releases_["good"] + " staging-1");
  EXPECT_NE(report().find("Nothing was compared."), std::string::npos);
  EXPECT_NE(report().find("| candidate, on trial | not counted |"), std::string::npos);
  lake_["features"] = {{"verdict", "differs"},
                       {"reason", ""},
                       {"at", "2026-11-30T10:00:00.000000Z"},
                       {"tables",
                        {{{"name", "wear|x"},
                          {"status", "compared"},
                          {"error", ""},
                          {"same", 90},
                          {"changed", 5},
                          {"missing", nullptr},
                          {"extra", 0},
                          {"vehicles", 8},
                          {"vehicles_affected", 3},
                          {"worst", {{{"column", "mm"}, {"changed", 5}, {"largest", 0.2}}}}}}}};
  lake_["telemetry"] = {
      {"verdict", "unreadable"}, {"reason", "no JSON"}, {"at", ""}, {"tables", json::array()}};
  const std::string text = report();
  EXPECT_NE(text.find("features: differs at 2026-11-30T10:00:00.000000Z."), std::string::npos);
  EXPECT_NE(text.find("| wear\\|x | compared | 90 | 5 |  | 0 | 3 of 8 | mm (5) |"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("telemetry: unreadable, no JSON."), std::string::npos);
  EXPECT_FALSE(RolloutOf("staging").contains("lake")) << "lists go without";
}

TEST_F(PlaneTest, APromotionPutTwiceIsOneRollout) {
  Promote("staging", "good");
  const json again = Promote("staging", "good");
  EXPECT_EQ(again.at("rollout").at("id"), "staging-1");
  EXPECT_EQ(RefusalOf(Do("cn:anna", "promotion.put", "staging", {{"release", releases_["bad"]}})),
            Code::kExists);
  EXPECT_EQ(
      RefusalOf(Do("cn:anna", "promotion.put", "staging", {{"release", std::string(64, '0')}})),
      Code::kNotFound);
}

}  // namespace
}  // namespace telltale::control
