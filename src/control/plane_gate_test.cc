// The gate acts on what the observer left: it passes, holds or halts, and nothing passes unseen.
#include <fmt/format.h>

#include "control/control_db.h"
#include "control/objects.h"
#include "control/plane_testing.h"
#include "gate/gate_testing.h"

namespace telltale::control {
namespace {

using nlohmann::json;

constexpr std::int64_t kHour_us = 3'600'000'000;

class PlaneGateTest : public PlaneTest {
 protected:
  PlaneGateTest() {
    EXPECT_TRUE(disk_.MakeFolders("/staging/data/releases").ok());
    Put("gates", "evidence", {{"kind", "evidence"}, {"soak_s", 3600}, {"dimensions", {"model"}}});
    PutPolicy("evidence");
    // What every release of this test has for rules.
    auto shelf = MakeFolderShelf(disk_, Paths("/control"));
    for (const std::string name : {"stable", "good", "bad"}) {
      releases_[name] = Push(*shelf, Rules(name));
      EXPECT_TRUE(shelf->InstallInto(Paths("/staging"), releases_[name]).ok());
    }
    World& world = Of("staging");
    InForce first = world.Newest();
    first.stable_release = releases_["stable"];
    first.config_seq = ConfigSeq{2};
    EXPECT_TRUE(world.Append(Must(SignConfig(first, world.key))).ok());
    world.ordered = first;
    Must(Tick());
  }

  static std::string Rules(const std::string& name) {
    return "version: 1\nrules:\n  - {name: hard_braking, kind: edge, field: is_" + name + "}\n";
  }
  void PutPolicy(const std::string& gate, const std::string& last = "") {
    json policy = Policy("demo");
    policy["stages"] = {{{"per_10000", 100}, {"shadow_s", 1}, {"soak_s", 1}, {"gate", gate}},
                        {{"per_10000", 10'000}, {"shadow_s", 1}, {"soak_s", 1}, {"gate", last}}};
    Put("policies", "demo", policy);
  }

  // As an observer that counts for the settings it was given.
  gate::Evidence Clean(std::int64_t vehicles = 3000) {
    const auto settings = gate::SettingsFromJson(json::parse(Of("staging").gate_settings));
    CHECK(settings.ok());
    gate::Evidence evidence = gate::testing::GoodEvidence(*settings);
    evidence.approvals.clear();
    evidence.arms.clear();
    evidence.basis.environment = settings->environment;
    evidence.basis.rollout = settings->rollout;
    evidence.basis.candidate = settings->candidate;
    evidence.basis.stable = settings->stable;
    evidence.exposure.vehicles = vehicles;
    evidence.exposure.cohort_vehicles = vehicles;
    evidence.exposure.strata = {
        {.dimension = "model", .name = "a", .fleet_share = 1, .vehicles = vehicles}};
    for (gate::PairedEvidence& one : evidence.paired) {
      one.counts = gate::testing::Clean(vehicles);
      one.strata.clear();
    }
    return evidence;
  }
  void Tell(gate::Evidence evidence) {
    const std::int64_t now = clock_.NowUtc().value;
    evidence.basis.as_of_us = now;
    evidence.exposure.event_from_us = now - 30 * kHour_us;
    evidence.exposure.event_to_us = now;
    for (gate::SourceEvidence& one : evidence.sources) one.newest_us = now;
    for (gate::InvariantEvidence& one : evidence.invariants) one.watched_to_us = now;
    Of("staging").evidence = gate::ToJson(evidence).dump();
  }
  // Ticks with evidence that is always of now.
  bool ReachesWith(const gate::Evidence& evidence, const std::string& phase, int ticks = 600) {
    for (int i = 0; i < ticks; ++i) {
      if (PhaseOfNow("staging") == phase) return true;
      Tell(evidence);
      Must(Tick());
    }
    return false;
  }
  std::string GateWaits() {
    const json rollout = RolloutOf("staging");
    for (const json& one : rollout.at("waits_for")) {
      if (one.at("code") == "gate") return one.at("message");
    }
    return "";
  }
  // What somebody reads of the gate before they confirm.
  json Shown() {
    const json report = Must(Do("local:0", "rollouts.gate", "staging-1")).at("report");
    return {{"gate_digest", report.at("gate_digest")},
            {"discordant", report.at("discordant")},
            {"detectable", report.at("detectable")}};
  }
  Result<json> Confirm(const json& shown) {
    return Do("cn:ben", "approve", "staging-1",
              {{"comment", "I looked at them"}, {"shown", shown}});
  }
  void ReopenWithEvents() {
    PlaneOptions options = Options("first");
    options.keeps_events = true;
    plane_.reset();
    plane_ = Must(Plane::Open(std::move(options)));
    Must(Tick(4));
  }
  void InShadow(const std::string& release = "good") {
    Promote("staging", release);
    ASSERT_TRUE(Reaches("staging", "shadow"));
    Must(Tick(20));
  }
};

TEST_F(PlaneGateTest, WithoutEvidenceItHoldsWithWords) {
  InShadow();
  Must(Tick(200));
  EXPECT_EQ(PhaseOfNow("staging"), "shadow");
  EXPECT_NE(GateWaits().find("source_stale: there is no evidence yet"), std::string::npos)
      << GateWaits();
  EXPECT_EQ(RolloutOf("staging").at("gate").at("outcome"), "hold");
}

TEST_F(PlaneGateTest, CleanEvidencePassesAndTheStageGoesOn) {
  InShadow();
  const json settings = json::parse(Of("staging").gate_settings);
  EXPECT_EQ(settings.at("environment"), "world");
  EXPECT_EQ(settings.at("metrics").size(), 2u);
  EXPECT_EQ(settings.at("metrics").at(0).at("name"), "rule/hard_braking");
  EXPECT_TRUE(ReachesWith(Clean(), "window")) << GateWaits();
}

TEST_F(PlaneGateTest, WhatCannotBeReadOrIsOfAnotherHolds) {
  InShadow();
  const gate::Evidence clean = Clean();
  const auto rule_of = [&] {
    Must(Tick(8));
    EXPECT_EQ(PhaseOfNow("staging"), "shadow");
    return RolloutOf("staging").at("gate").at("rule").get<std::string>();
  };
  Of("staging").evidence = "{\"basis\": ";
  EXPECT_EQ(rule_of(), "evidence_inconsistent");
  Of("staging").evidence = "{}";
  EXPECT_EQ(rule_of(), "evidence_inconsistent");
  gate::Evidence foreign = clean;
  foreign.basis.candidate = releases_["bad"];
  Tell(foreign);
  EXPECT_EQ(rule_of(), "evidence_void");
  foreign = clean;
  foreign.basis.gate_digest = std::string(64, '0');
  Tell(foreign);
  EXPECT_EQ(rule_of(), "evidence_void");
  foreign = clean;
  foreign.paired[0].component_digest = "another contract or rules";
  Tell(foreign);
  EXPECT_EQ(rule_of(), "evidence_void");
  Tell(clean);
  const std::string old = Of("staging").evidence;
  clock_.Advance(Micros::Seconds(3600));
  Of("staging").evidence = old;
  Must(Tick(8));
  EXPECT_EQ(rule_of(), "source_stale");
  EXPECT_TRUE(ReachesWith(clean, "authority"));
}

TEST_F(PlaneGateTest, ABadCandidateHaltsByItselfAndCannotComeBack) {
  InShadow("bad");
  ASSERT_TRUE(ReachesWith(Clean(), "authority"));
  Must(Tick(2));
  EXPECT_EQ(Of("staging").ordered.rollout->authority_lots, 101u);
  gate::Evidence bad = Clean();
  bad.paired[0].counts.missing = 900;
  bad.paired[0].examples = {{.side = "missing", .vehicle = "00ff", .event_at_us = 1, .what = "x"}};
  Tell(bad);
  Must(Tick(8));
  const json rollout = RolloutOf("staging");
  ASSERT_EQ(rollout.at("phase"), "rejected");
  EXPECT_NE(rollout.at("reason").get<std::string>().find("l1_missing"), std::string::npos);
  EXPECT_EQ(rollout.at("history").back().at("subject"), "gate");
  EXPECT_EQ(rollout.at("gate").at("outcome"), "halt");
  EXPECT_FALSE(Of("staging").ordered.rollout.has_value());
  EXPECT_EQ(Of("staging").Newest().stable_release, releases_["stable"]);
  EXPECT_EQ(RefusalOf(Do("cn:anna", "promotion.put", "staging", {{"release", releases_["bad"]}})),
            Code::kRefused);
  // No vehicle is kept; it is in the observer's file.
  EXPECT_EQ(rollout.dump().find("00ff"), std::string::npos);
  const json gate = Must(Do("local:0", "rollouts.gate", "staging-1"));
  EXPECT_EQ(gate.at("report").at("vehicles"), json::array({"00ff"}));
  EXPECT_EQ(gate.at("report").at("verdict").at("rule"), "l1_missing");
}

TEST_F(PlaneGateTest, AnInvariantHaltsAtOnceAndAHoldOfThePersonsDoesNotStopThat) {
  InShadow("bad");
  Must(Do("cn:anna", "hold", "staging", {{"reason", "lunch"}}));
  gate::Evidence bad = Clean();
  bad.invariants[static_cast<int>(gate::Invariant::kCrashLoop)].candidate = {.breaches = 1};
  Tell(bad);
  Must(Tick(8));
  EXPECT_EQ(PhaseOfNow("staging"), "rejected");
}

TEST_F(PlaneGateTest, ARestartChangesNothing) {
  InShadow();
  const gate::Evidence clean = Clean();
  const std::string settings = Of("staging").gate_settings;
  ASSERT_TRUE(ReachesWith(clean, "authority"));
  plane_.reset();
  Open();
  Must(Tick(4));
  EXPECT_EQ(Of("staging").gate_settings, settings);
  EXPECT_TRUE(ReachesWith(clean, "window"));
}

TEST_F(PlaneGateTest, ASmallCohortIsConfirmedByAPersonWithAComment) {
  InShadow();
  const gate::Evidence small = Clean(40);
  EXPECT_FALSE(ReachesWith(small, "authority", 40));
  EXPECT_NE(GateWaits().find("below_minimum_vehicles: 40"), std::string::npos) << GateWaits();
  EXPECT_NE(GateWaits().find("would not be seen"), std::string::npos) << GateWaits();
  Must(Do("cn:ben", "approve", "staging-1"));
  EXPECT_FALSE(ReachesWith(small, "authority", 20));  // without a comment nobody confirms
  const auto unseen = Do("cn:ben", "approve", "staging-1", {{"comment", "it will do"}});
  ASSERT_EQ(RefusalOf(unseen), Code::kRefused);
  EXPECT_NE(unseen.error().message.find("telltale approve"), std::string::npos);
  Must(Confirm(Shown()));
  EXPECT_TRUE(ReachesWith(small, "authority", 40)) << GateWaits();
  EXPECT_EQ(RolloutOf("staging").at("approvals").back().at("confirms").at("discordant"), 0);
}

TEST_F(PlaneGateTest, AConfirmationIsOfWhatWasShown) {
  InShadow();
  gate::Evidence small = Clean(40);
  EXPECT_FALSE(ReachesWith(small, "authority", 12));
  const json shown = Shown();
  small.paired[1].counts.missing = 1;
  EXPECT_FALSE(ReachesWith(small, "authority", 12));
  EXPECT_EQ(RefusalOf(Confirm(shown)), Code::kExists);  // worse by now
  json other = Shown();
  other["gate_digest"] = std::string(64, '0');
  EXPECT_EQ(RefusalOf(Confirm(other)), Code::kExists);
  other = Shown();
  other["detectable"] = other.at("detectable").get<double>() / 2;
  EXPECT_EQ(RefusalOf(Confirm(other)), Code::kExists);
  EXPECT_EQ(RefusalOf(Confirm({{"discordant", 0}})), Code::kInvalid);
  EXPECT_TRUE(RolloutOf("staging").at("approvals").empty());
}

TEST_F(PlaneGateTest, AConfirmationHoldsForNothingWorseThanWhatThereWas) {
  InShadow();
  gate::Evidence small = Clean(40);
  EXPECT_FALSE(ReachesWith(small, "authority", 12));
  json boast = Shown();
  boast["discordant"] = 1'000;
  boast["detectable"] = 1;
  Must(Confirm(boast));
  small.paired[1].counts.missing = 1;
  EXPECT_FALSE(ReachesWith(small, "authority", 40));
}

TEST_F(PlaneGateTest, AnApprovalBeforeControlHasLookedConfirmsNothing) {
  InShadow();
  EXPECT_FALSE(ReachesWith(Clean(40), "authority", 12));
  const json shown = Shown();
  Put("gates", "evidence", {{"kind", "evidence"}, {"soak_s", 1800}, {"dimensions", {"model"}}});
  EXPECT_EQ(RefusalOf(Confirm(shown)), Code::kExists);
}

TEST_F(PlaneGateTest, WhereOneWorkerComputesForBothAPersonSaysThatItWillDo) {
  auto shelf = MakeFolderShelf(disk_, Paths("/control"));
  releases_["silent"] = Push(*shelf, Rules("stable"), {{"features", "more"}});
  InShadow("silent");
  Must(Tick(8));
  EXPECT_NE(GateWaits().find("confirmation: one worker computes for both"), std::string::npos)
      << GateWaits();
  Must(Confirm(Shown()));
  EXPECT_TRUE(Reaches("staging", "authority"));
}

TEST_F(PlaneGateTest, CountsThatWentBackHoldUntilTheyCaughtUp) {
  InShadow();
  gate::Evidence clean = Clean();
  clean.paired[0].counts.missing = 4;
  clean.invariants[4].candidate = {.breaches = 1, .vehicles = 1};  // not enough to halt
  Tell(clean);
  Must(Tick(8));
  Tell(Clean());  // a difference was lost: it would pass
  Must(Tick(8));
  EXPECT_EQ(PhaseOfNow("staging"), "shadow");
  EXPECT_NE(GateWaits().find("went back"), std::string::npos) << GateWaits();
  clean.invariants[4].candidate = {};
  EXPECT_FALSE(ReachesWith(clean, "authority", 40));
}

TEST_F(PlaneGateTest, AVerdictDoesNotOutliveItsEvidence) {
  InShadow();
  const gate::Evidence clean = Clean();
  ASSERT_TRUE(ReachesWith(clean, "authority"));
  // It passed; from now on nobody counts, though all soaks are long over.
  clock_.Advance(Micros::Seconds(3600));
  Must(Tick(600));
  EXPECT_EQ(PhaseOfNow("staging"), "authority");
  EXPECT_EQ(RolloutOf("staging").at("stage"), 0);
  EXPECT_NE(GateWaits().find("source_stale"), std::string::npos) << GateWaits();
  Of("staging").evidence = "";
  Must(Tick(600));
  EXPECT_EQ(PhaseOfNow("staging"), "authority");
  EXPECT_NE(GateWaits().find("there is no evidence yet"), std::string::npos) << GateWaits();
  EXPECT_TRUE(ReachesWith(clean, "window"));
}

TEST_F(PlaneGateTest, EvidenceOfTheFutureHolds) {
  InShadow();
  const gate::Evidence clean = Clean();
  for (int i = 0; i < 40; ++i) {
    clock_.Advance(Micros::Seconds(7200));
    Tell(clean);
    clock_.Advance(Micros::Seconds(-7200));
    Must(Tick());
  }
  EXPECT_EQ(PhaseOfNow("staging"), "shadow");
  EXPECT_NE(GateWaits().find("source_stale"), std::string::npos) << GateWaits();
}

TEST_F(PlaneGateTest, AStageDoesNotBeginItsCountsAnew) {
  PutPolicy("evidence", "evidence");
  InShadow();
  gate::Evidence counted = Clean();
  counted.paired[0].counts.missing = 9;
  for (int i = 0; i < 600 && RolloutOf("staging").at("stage") == json(0); ++i) {
    Tell(counted);
    Must(Tick());
  }
  ASSERT_EQ(RolloutOf("staging").at("stage"), 1);
  Tell(Clean());
  Must(Tick(8));
  EXPECT_EQ(RolloutOf("staging").at("stage"), 1);
  EXPECT_NE(GateWaits().find("went back"), std::string::npos) << GateWaits();
  // And what was seen in the first stage halts together with what is seen in the second.
  counted.paired[0].counts.missing = 90;
  Tell(counted);
  Must(Tick(8));
  EXPECT_EQ(PhaseOfNow("staging"), "rejected");
}

TEST_F(PlaneGateTest, AConfirmationDoesNotOutliveTheThresholdItWasGivenUnder) {
  InShadow();
  EXPECT_FALSE(ReachesWith(Clean(40), "authority", 12));
  Must(Do("cn:anna", "hold", "staging", {{"reason", "not before noon"}}));
  Must(Confirm(Shown()));
  Put("gates", "evidence",
      {{"kind", "evidence"},
       {"soak_s", 3600},
       {"dimensions", {"model"}},
       {"missing_margin", 0.05}});
  Must(Tick(4));
  const gate::Evidence anew = Clean(40);
  Must(Do("cn:anna", "resume", "staging"));
  EXPECT_FALSE(ReachesWith(anew, "authority", 60));
  EXPECT_NE(GateWaits().find("below_minimum_vehicles"), std::string::npos) << GateWaits();
}

TEST_F(PlaneGateTest, AHaltActsThoughNobodyCanBeToldOfIt) {
  ReopenWithEvents();
  InShadow("bad");
  ASSERT_TRUE(ReachesWith(Clean(), "authority"));
  for (const json& one : Must(plane_->Events(100))) {
    ASSERT_TRUE(plane_->KeepEvent(one, EventFate::kDead).ok());  // the receiver is gone
  }
  gate::Evidence bad = Clean();
  bad.paired[0].counts.missing = 900;
  Tell(bad);
  Must(Tick(8));
  EXPECT_EQ(PhaseOfNow("staging"), "rejected");
  EXPECT_FALSE(Of("staging").ordered.rollout.has_value());
  const auto waiting = Must(plane_->Events(100));
  ASSERT_EQ(waiting.size(), 1u);
  EXPECT_EQ(waiting.back().at("event"), "rollout.halted");
}

TEST_F(PlaneGateTest, AnotherGateVoidsTheEvidenceAndOnceTooOftenIsRefused) {
  InShadow();
  const gate::Evidence clean = Clean();
  Put("gates", "evidence", {{"kind", "evidence"}, {"soak_s", 1800}, {"dimensions", {"model"}}});
  EXPECT_FALSE(ReachesWith(clean, "authority", 40));
  EXPECT_EQ(RolloutOf("staging").at("gate").at("rule"), "evidence_void");
  // It began twice: a third time would make false halts more than twice the target.
  const auto third = Do("local:0", "gates.put", "evidence",
                        {{"kind", "evidence"}, {"soak_s", 60}, {"dimensions", {"model"}}});
  EXPECT_EQ(RefusalOf(third), Code::kRefused);
  EXPECT_EQ(RefusalOf(Do("local:0", "gates.put", "evidence", {{"kind", "none"}})), Code::kRefused);
  EXPECT_TRUE(ReachesWith(Clean(), "authority"));
}

TEST_F(PlaneGateTest, AGateThatNamesSomethingTwiceIsRefusedAndSaysWhat) {
  const json block = {{"name", "latency/marks_late"}, {"family", "latency"}};
  const json stratum = {{"dimension", "model"}, {"name", "a"}};
  const std::vector<std::tuple<std::string, json, std::string>> lists = {
      {"rules", {{"name", "hard_braking"}}, "rule 1: "},
      {"blocks", block, "block 1: "},
      {"strata", stratum, "stratum 1: "}};
  for (const auto& [list, item, where] : lists) {
    json gate = {{"kind", "evidence"}};
    gate[list] = json::array({item, item});
    const auto refused = ReadObject(kGates, "twice", gate);
    ASSERT_FALSE(refused.ok()) << list;
    EXPECT_NE(refused.error().message.find(where + "it is there twice"), std::string::npos)
        << refused.error().message;
    gate[list][1]["name"] = "another";
    EXPECT_TRUE(ReadObject(kGates, "once", gate).ok()) << list;
  }
}

TEST_F(PlaneGateTest, NoGateBecomesOneOfEvidenceUnderAnOpenRollout) {
  const json evidence = {{"kind", "evidence"}, {"dimensions", {"model"}}};
  Put("gates", "later", {{"kind", "none"}});
  json policy = Policy("demo");
  policy["stages"][0]["gate"] = "evidence";
  policy["stages"][1]["gate"] = "later";
  Put("policies", "demo", policy);
  InShadow();
  EXPECT_EQ(RefusalOf(Do("local:0", "gates.put", "later", evidence)), Code::kRefused);
  // Nor by way of a deletion; what no stage of it names may.
  PutPolicy("evidence");
  Must(Do("local:0", "gates.delete", "later"));
  EXPECT_EQ(RefusalOf(Do("local:0", "gates.put", "later", evidence)), Code::kRefused);
  Put("gates", "later", {{"kind", "manual"}});
  Put("gates", "unused", evidence);
  Must(Do("cn:anna", "rollback", "staging", {{"reason", "enough"}}));
  ASSERT_TRUE(Reaches("staging", "withdrawn"));
  Put("gates", "later", evidence);
}

TEST_F(PlaneGateTest, AGateThatHaltsByChanceTooOftenIsRefused) {
  const auto refused =
      Do("local:0", "gates.put", "loose", {{"kind", "evidence"}, {"alpha_halt", 0.05}});
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("alpha_halt"), std::string::npos);
  const auto slip =
      Do("local:0", "gates.put", "loose", {{"kind", "evidence"}, {"alpha_hald", 0.01}});
  EXPECT_NE(slip.error().message.find("alpha_halt"), std::string::npos);
  Put("gates", "second", {{"kind", "evidence"}});
  json policy = Policy("demo");
  policy["stages"][0]["gate"] = "evidence";
  policy["stages"][1]["gate"] = "second";
  Put("policies", "two", policy);
  EXPECT_EQ(RefusalOf(Do("cn:anna", "promotion.put", "staging",
                         {{"release", releases_["good"]}, {"policy", "two"}})),
            Code::kInvalid);
}

TEST_F(PlaneGateTest, WhatWasRejectedLeavesARepairDraft) {
  InShadow("bad");
  gate::Evidence bad = Clean();
  bad.invariants[0].candidate = {.breaches = 2, .vehicles = 2};
  Tell(bad);
  Must(Tick(12));
  ASSERT_EQ(PhaseOfNow("staging"), "rejected");
  const json draft = Must(Do("local:0", "rollouts.repair_draft", "staging-1"));
  EXPECT_EQ(draft.at("release"), releases_["bad"]);
  EXPECT_EQ(draft.at("verdict").at("rule"), "contract_failure");
  EXPECT_EQ(draft.at("complete"), true);
  ASSERT_EQ(draft.at("lanes").size(), 1u);
  EXPECT_EQ(draft.at("lanes").at(0).at("to_offset"), 90);
  EXPECT_TRUE(disk_.Exists("/control/data/control/repair-drafts/staging-1.json"));
}

TEST_F(PlaneGateTest, APersonSaysWhetherAHaltWasAFalseOne) {
  InShadow("bad");
  const json word = {{"halt", "false"}, {"why", "the tyres were new"}};
  EXPECT_EQ(RefusalOf(Do("cn:ben", "judge_halt", "staging-1", word)), Code::kInvalid);
  gate::Evidence bad = Clean();
  bad.paired[0].counts.missing = 900;
  Tell(bad);
  Must(Tick(8));
  ASSERT_EQ(PhaseOfNow("staging"), "rejected");
  EXPECT_EQ(RefusalOf(Do("cn:ben", "judge_halt", "staging-1", {{"halt", "false"}})),
            Code::kInvalid);
  EXPECT_EQ(RefusalOf(Do("cn:ben", "judge_halt", "staging-1", {{"halt", "false"}, {"why", ""}})),
            Code::kInvalid);
  Must(Do("cn:ben", "judge_halt", "staging-1", word));
  EXPECT_EQ(RolloutOf("staging").at("judgement").at("halt"), "false");
  EXPECT_EQ(RolloutOf("staging").at("judgement").at("subject"), "cn:ben");
  Must(Do("cn:ben", "judge_halt", "staging-1", {{"halt", "true"}, {"why", "no, they were not"}}));
  EXPECT_EQ(RolloutOf("staging").at("judgement").at("halt"), "true");
  EXPECT_EQ(PhaseOfNow("staging"), "rejected");  // it stays away all the same
  // What a person halted says nothing of the gate.
  InShadow("good");
  Must(Do("cn:anna", "halt", "staging-2",
          {{"reason", "I know better"}, {"evidence", json::object()}}));
  EXPECT_EQ(RefusalOf(Do("cn:ben", "judge_halt", "staging-2", word)), Code::kInvalid);
}

TEST_F(PlaneGateTest, WhatHappensIsToldOnceAndInOrder) {
  ReopenWithEvents();
  InShadow("bad");
  ASSERT_TRUE(ReachesWith(Clean(), "authority"));
  gate::Evidence bad = Clean();
  bad.paired[0].counts.missing = 900;
  Tell(bad);
  Must(Tick(8));
  std::vector<std::string> names;
  const auto events = Must(plane_->Events(100));
  for (const json& one : events) names.push_back(one.at("event"));
  EXPECT_EQ(names, (std::vector<std::string>{"rollout.held", "rollout.passed", "rollout.halted"}));
  ASSERT_TRUE(plane_->KeepEvent(events[0], EventFate::kTold).ok());
  ASSERT_TRUE(plane_->KeepEvent(events[1], EventFate::kDead).ok());
  EXPECT_EQ(Must(plane_->Events(100)).size(), 1u);
  const json told = Must(plane_->Do({"local:0"}, "status", {})).at("webhook");
  EXPECT_EQ(told.at("waiting"), 1);
  EXPECT_EQ(told.at("dead"), 1);
}

TEST_F(PlaneGateTest, WhatNobodyListenedToIsBoundedAndCounted) {
  plane_.reset();
  {
    const std::string path = Paths("/control").data() + "/control/control.db";
    ControlDb db = Must(ControlDb::Open(path, &vfs_));
    const auto add = [&](const char* kind, int number) {
      const json event = {{"number", number},   {"event", "rollout.held"},
                          {"rollout", "old-1"}, {"at", "2026-01-01T00:00:00Z"},
                          {"tries", 0},         {"last_error", ""}};
      ASSERT_TRUE(db.Put(kind, fmt::format("{:016}", number), event).ok());
    };
    auto transaction = Must(db.Begin());
    for (int i = 1; i <= 1000; ++i) add("dead-events", i);
    for (int i = 1001; i <= 11'000; ++i) add("events", i);
    ASSERT_TRUE(db.Put("counts", "events", {{"next", 11'001}, {"dropped", 7}}).ok());
    ASSERT_TRUE(transaction.Commit().ok());
  }
  ReopenWithEvents();
  InShadow();  // it holds, which is told
  const json told = Must(plane_->Do({"local:0"}, "status", {})).at("webhook");
  EXPECT_EQ(told.at("waiting"), 10'000);
  EXPECT_EQ(told.at("dead"), 1000);
  EXPECT_EQ(told.at("dropped"), 8);
  EXPECT_EQ(told.at("dead_letters").back().at("number"), 11'001);
}

}  // namespace
}  // namespace telltale::control
