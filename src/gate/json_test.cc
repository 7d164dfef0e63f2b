#include <gtest/gtest.h>

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
