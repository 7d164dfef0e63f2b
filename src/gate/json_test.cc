#include <gtest/gtest.h>

#include <limits>

#include "gate/gate_testing.h"

namespace telltale::gate {
namespace {

TEST(GateJsonTest, EvidenceAndSettingsComeBackAsTheyWere) {
  const GateSettings settings = testing::GoodSettings();
  Evidence evidence = testing::GoodEvidence(settings);
  evidence.paired[0].examples.push_back({"missing", "00ff", 12, "nothing"});
  evidence.rates.push_back({"rate/aeb", "d", {{{2, 1, 1, 1, 1, 1}, {3, 2, 2, 2, 2, 2}}}});
  evidence.confirmations.push_back({"ann", 1, "cand", "g", 3, 0.5});
  const auto read = EvidenceFromJson(nlohmann::json(ToJson(evidence)));
  ASSERT_TRUE(read.ok()) << read.error().ToString();
  EXPECT_EQ(ToJson(read.value()), ToJson(evidence));
  const auto again = SettingsFromJson(nlohmann::json(ToJson(settings)));
  ASSERT_TRUE(again.ok()) << again.error().ToString();
  EXPECT_EQ(ToJson(again.value()), ToJson(settings));
  EXPECT_EQ(GateDigest(again.value()), GateDigest(settings));
}

TEST(GateJsonTest, TheDigestIsOfTheGateAndNotOfTheRollout) {
  GateSettings settings = testing::GoodSettings();
  const std::string digest = GateDigest(settings);
  EXPECT_EQ(digest.size(), 64u);
  settings.candidate = "other";
  settings.rollout = "r2";
  EXPECT_EQ(GateDigest(settings), digest);
  settings.soak_s += 1;
  EXPECT_NE(GateDigest(settings), digest);
}

// What was approved stays approved: other names, another order or other digits would void it.
TEST(GateJsonTest, TheDigestOfAGateIsWhatItWas) {
  GateSettings settings = testing::GoodSettings();
  settings.metrics[0].extra_of = ExtraOf::kCandidateFired;
  settings.metrics[0].is_guardrail = false;
  MetricSettings rate = settings.metrics[0];
  rate.name = "rate/aeb";
  rate.kind = MetricKind::kRate;
  rate.planned = {0.5, 1};
  settings.metrics.push_back(rate);
  EXPECT_EQ(GateDigest(settings),
            "79b3b7b631ddfdd7d7d3a3b72d2e4931931c38c8fb041af3c4ea0d5c2bfcfa5b");
  EXPECT_EQ(GateDigest({}), "bf7c638581cd850d9048ccb1c7e423f5083e186e0b6800a2539674355e8394a9");
}

TEST(GateJsonTest, EvidenceIsWrittenInTheOrderOfItsMembers) {
  Evidence evidence;
  evidence.basis = {"prod", "r1", "cand", "stab", "g", 9};
  evidence.exposure = {21, 20, 1, 2, 3, 7.5, 12.25, 4, 5, {{"model", "a", 0.5, 6, 1.5, 2}}};
  evidence.invariants = {{Invariant::kStuckProgress, {3, 2}, {1, 0}, 8, "partition 3", {"00ff"}}};
  const PairedCounts counts = {6, 5, 4, 3, 2, 1};
  evidence.paired = {
      {"rule/r", "d", counts, {{"model", "a", counts}}, {{"missing", "00ff", 12, "nothing"}}}};
  evidence.blocks = {{"latency/l", "d", {{0.25, true}}}};
  evidence.rates = {{"rate/r", "d", {{{1, 2, 3, 4, 5, 6}, {7, 8, 9, 10, 11, 12}}}}};
  evidence.arms = {{"cohort", 21}, {"rest", 189}};
  evidence.sources = {{"ingest", 9}};
  evidence.approvals = {{"ann", 1, "cand", "g"}};
  evidence.confirmations = {{"bo", 2, "cand", "g", 3, 0.5}};
  EXPECT_EQ(ToJson(evidence).dump(),
            R"({"format":1,"basis":{"environment":"prod","rollout":"r1","candidate":"cand",)"
            R"("stable":"stab","gate_digest":"g","as_of_us":9},)"
            R"("exposure":{"cohort_vehicles":21,"vehicles":20,"silent_candidate":1,)"
            R"("silent_stable":2,"silent_both":3,"driving_s":7.5,"metres":12.25,)"
            R"("event_from_us":4,"event_to_us":5,"strata":[{"dimension":"model","name":"a",)"
            R"("fleet_share":0.5,"vehicles":6,"driving_s":1.5,"metres":2.0}]},)"
            R"("invariants":[{"invariant":"stuck_progress","candidate":{"breaches":3,)"
            R"("vehicles":2},"stable":{"breaches":1,"vehicles":0},"watched_to_us":8,)"
            R"("what":"partition 3","vehicles":["00ff"]}],"paired":[{"metric":"rule/r",)"
            R"("component_digest":"d","counts":{"stable_fired":6,"missing":5,"exposed":4,)"
            R"("settled":3,"extra":2,"candidate_fired":1},"strata":[{"dimension":"model",)"
            R"("name":"a","counts":{"stable_fired":6,"missing":5,"exposed":4,"settled":3,)"
            R"("extra":2,"candidate_fired":1}}],"examples":[{"side":"missing","vehicle":"00ff",)"
            R"("event_at_us":12,"what":"nothing"}]}],"blocks":[{"metric":"latency/l",)"
            R"("component_digest":"d","blocks":[{"difference":0.25,"candidate_first":true}]}],)"
            R"("rates":[{"metric":"rate/r","component_digest":"d",)"
            R"("looks":[{"candidate":{"vehicles":1,"y":2.0,"e":3.0,"yy":4.0,"ye":5.0,"ee":6.0},)"
            R"("control":{"vehicles":7,"y":8.0,"e":9.0,"yy":10.0,"ye":11.0,"ee":12.0}}]}],)"
            R"("arms":{"cohort":21,"rest":189},"sources":[{"name":"ingest","newest_us":9}],)"
            R"("approvals":[{"by":"ann","at_us":1,"release":"cand","gate_digest":"g"}],)"
            R"("confirmations":[{"by":"bo","at_us":2,"release":"cand","gate_digest":"g",)"
            R"("discordant_seen":3,"detectable_shown":0.5}]})");
}

TEST(GateJsonTest, AReportIsWrittenInTheOrderOfItsMembersWithNineDigits) {
  Report report;
  report.verdict = {Outcome::kHold, Rule::kSoak, "wait"};
  report.holds = {{Rule::kSoak, "", "wait", 0, 60}};
  report.metrics = {{"rule/r", "extra", Family::kFields, 3, 1, 1.0 / 3, 0.5, 0.25, 1, -0.1, 0.2,
                     0.75, 7, true, false, "model=a"}};
  report.log_e = -std::numeric_limits<double>::infinity();
  report.vehicles = {"00ff"};
  report.examples = {{"extra", "00ff", 12, "nothing"}};
  report.gate_digest = "g";
  report.basis = {"prod", "r1", "cand", "stab", "g", 9};
  EXPECT_EQ(ToJson(report).dump(),
            R"({"format":1,"verdict":{"outcome":"hold","rule":"soak","words":"wait"},)"
            R"("basis":{"environment":"prod","rollout":"r1","candidate":"cand","stable":"stab",)"
            R"("gate_digest":"g","as_of_us":9},"gate_digest":"g","log_e":-1e+300,)"
            R"("log_e_halt":0.0,"p_value":1.0,"discordant":0,"detectable":1.0,)"
            R"("needs_confirmation":false,"holds":[{"rule":"soak","metric":"","words":"wait",)"
            R"("vehicles_missing":0,"seconds_missing":60}],"metrics":[{"metric":"rule/r",)"
            R"("side":"extra","family":"fields","n":3,"k":1,"rate":0.333333333,"max":0.5,)"
            R"("margin":0.25,"bound":1.0,"log_e":-0.1,"weight":0.2,"detectable":0.75,)"
            R"("needed":7,"is_small":true,"is_inside":false,"stratum":"model=a"}],)"
            R"("vehicles":["00ff"],"examples":[{"side":"extra","vehicle":"00ff",)"
            R"("event_at_us":12,"what":"nothing"}]})");
}

TEST(GateJsonTest, AMistakeSaysWhereItIs) {
  const nlohmann::json good = ToJson(testing::GoodEvidence(testing::GoodSettings()));
  nlohmann::json json = good;
  json["paired"][0]["strata"][0]["counts"].erase("settled");
  EXPECT_NE(EvidenceFromJson(json).error().message.find("paired strata counts: settled is missing"),
            std::string::npos);
  json = good;
  json["invariants"][0]["invariant"] = "unheard_of";
  EXPECT_NE(EvidenceFromJson(json).error().message.find("invariants: "), std::string::npos);
  json = good;
  json["arms"]["cohort"] = -1;
  EXPECT_NE(EvidenceFromJson(json).error().message.find("arms: cohort is not"), std::string::npos);
}

TEST(GateJsonTest, EveryMemberThatIsNotKnownIsRefused) {
  const nlohmann::json good = ToJson(testing::GoodEvidence(testing::GoodSettings()));
  for (const char* member : {"basis", "exposure"}) {
    nlohmann::json json = good;
    json[member]["more"] = 1;
    EXPECT_FALSE(EvidenceFromJson(json).ok()) << member;
  }
  for (const char* list : {"invariants", "paired", "blocks", "sources", "approvals"}) {
    nlohmann::json json = good;
    json[list][0]["more"] = 1;
    EXPECT_FALSE(EvidenceFromJson(json).ok()) << list;
  }
}

TEST(GateJsonTest, ANewerFormatIsRefusedAndNotGuessed) {
  nlohmann::json evidence = ToJson(testing::GoodEvidence(testing::GoodSettings()));
  nlohmann::json settings = ToJson(testing::GoodSettings());
  nlohmann::json report = ToJson(Judge({}, testing::GoodSettings(), testing::kNow));
  ASSERT_TRUE(VerdictFromJson(report).ok());
  for (nlohmann::json* one : {&evidence, &settings, &report}) (*one)["format"] = 2;
  EXPECT_EQ(EvidenceFromJson(evidence).error().code, Code::kUnsupported);
  EXPECT_EQ(SettingsFromJson(settings).error().code, Code::kUnsupported);
  EXPECT_EQ(VerdictFromJson(report).error().code, Code::kUnsupported);
}

TEST(GateJsonTest, SaysInWordsWhatIsMissing) {
  const GateSettings settings = testing::GoodSettings();
  Evidence evidence = testing::GoodEvidence(settings);
  evidence.paired[0].counts = testing::Clean(210);
  evidence.paired[0].strata.clear();
  const std::string words = InWords(Judge(evidence, settings, testing::kNow));
  EXPECT_NE(words.find("hold (underpowered)"), std::string::npos) << words;
  EXPECT_NE(words.find("more vehicles without a difference"), std::string::npos) << words;
  for (std::size_t at = 0; at < words.size();) {
    const std::size_t end = words.find('\n', at);
    EXPECT_LE(end - at, 100u) << words.substr(at, end - at);
    at = end + 1;
  }
}

TEST(GateJsonTest, WhatARuleDeclaresBecomesItsLimits) {
  MetricSettings metric;
  const MetricSettings fewer = WithDeclared(metric, -20, -10);
  EXPECT_DOUBLE_EQ(fewer.missing_max, 0.2);
  EXPECT_DOUBLE_EQ(fewer.missing_min, 0.1);
  EXPECT_EQ(fewer.extra_max, metric.extra_max);
  const MetricSettings more = WithDeclared(metric, 10, 25);
  EXPECT_DOUBLE_EQ(more.extra_max, 0.2);
  EXPECT_EQ(more.extra_of, ExtraOf::kCandidateFired);
  EXPECT_EQ(more.missing_max, metric.missing_max);
  const MetricSettings gone = WithDeclared(metric, -100, -100);
  GateSettings settings = testing::GoodSettings();
  settings.metrics[0] = gone;
  settings.metrics[0].name = "rule/gone";
  EXPECT_TRUE(CheckSettings(settings).ok());
}

}  // namespace
}  // namespace telltale::gate
