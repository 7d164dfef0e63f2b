// What a rehearsal finds between two sets of alerts, and what it says of it.
#include <gtest/gtest.h>

#include "app/cmd_rehearse_compare.h"

namespace telltale::app {
namespace {

using control::Declaration;
using control::DeclaredChange;
using nlohmann::json;

json Line(const std::string& id, std::int64_t at_us, const char* vehicle = "v1") {
  return {{"output_id", id},          {"rule", "hard_braking"},
          {"vehicle_ref", vehicle},   {"revision", 1},
          {"state", "OPEN"},          {"started_at_us", at_us},
          {"receipt_time_us", at_us}, {"peak_value", -4.5},
          {"release", "old"},         {"publish_time_us", at_us + 7},
          {"input_offset", 3}};
}

RehearsedAlerts Alerts(const std::vector<json>& lines) {
  RehearsedAlerts alerts;
  for (const json& line : lines) EXPECT_TRUE(TakeChange(line, alerts));
  return alerts;
}

Declaration Declared(const DeclaredChange& change) {
  return {.name = "a", .about = "", .changes = {change}};
}

RuleOutcome Only(const RehearsedAlerts& published, const RehearsedAlerts& rehearsed,
                 const Declaration& declaration = {}) {
  const Rehearsed result = CompareAlerts(published, rehearsed, 0, declaration);
  EXPECT_EQ(result.rules.size(), 1u);
  return result.rules.empty() ? RuleOutcome{} : result.rules[0];
}

TEST(RehearseCompareTest, StampsAreNoDifference) {
  json other = Line("a", 100);
  other["release"] = "new";
  other["publish_time_us"] = 0;
  other["input_offset"] = 900;
  const RuleOutcome outcome = Only(Alerts({Line("a", 100)}), Alerts({other}));
  EXPECT_EQ(outcome.same, 1u);
  EXPECT_EQ(outcome.verdict, RuleVerdict::kSame);
}

TEST(RehearseCompareTest, ThePayloadOfTheNewestRevisionIsComparedAndTheKeyNamed) {
  json closed = Line("a", 100);
  closed["revision"] = 2;
  closed["peak_value"] = -6.0;
  const RuleOutcome outcome = Only(Alerts({Line("a", 100)}), Alerts({closed, Line("a", 100)}));
  EXPECT_EQ(outcome.changed, 1u);
  EXPECT_EQ(outcome.changed_keys.at("peak_value"), 1u);
  EXPECT_EQ(outcome.vehicles_affected, 1u);
  EXPECT_EQ(outcome.verdict, RuleVerdict::kNotDeclared);
}

TEST(RehearseCompareTest, AnEpisodeThatBeginsWithAnotherReportIsChangedNotMissingAndExtra) {
  json early = Line("a", 100);
  early["ended_at_us"] = 500;
  json late = Line("b", 300);
  late["ended_at_us"] = 400;
  const RuleOutcome outcome = Only(Alerts({early}), Alerts({late}));
  EXPECT_EQ(outcome.changed, 1u);
  EXPECT_EQ(outcome.missing + outcome.extra, 0u);
  const RuleOutcome apart = Only(Alerts({early}), Alerts({Line("b", 600)}));
  EXPECT_EQ(apart.missing, 1u);
  EXPECT_EQ(apart.extra, 1u);
  const RuleOutcome others = Only(Alerts({early}), Alerts({Line("b", 300, "v2")}));
  EXPECT_EQ(others.missing + others.extra, 2u);
  EXPECT_EQ(others.vehicles_affected, 2u);
}

TEST(RehearseCompareTest, AlertsOpenedBeforeTheTimeAreLeftOut) {
  const RehearsedAlerts both = Alerts({Line("a", 100), Line("b", 300)});
  EXPECT_EQ(CompareAlerts(both, both, 200, {}).rules.at(0).same, 1u);
  EXPECT_TRUE(CompareAlerts(both, both, 400, {}).rules.empty());
}

std::vector<json> Many(int count) {
  std::vector<json> lines;
  for (int n = 0; n < count; ++n)
    lines.push_back(Line("id" + std::to_string(n), 1000 + n * 10'000));
  for (json& line : lines) line["ended_at_us"] = line["started_at_us"].get<int>() + 10;
  return lines;
}

TEST(RehearseCompareTest, ADeclaredShareHoldsOrDoesNot) {
  const DeclaredChange less{.name = "hard_braking", .percent = {{-20, -10}}, .why = "level"};
  const RehearsedAlerts published = Alerts(Many(100));
  const auto verdict = [&](int count) {
    return Only(published, Alerts(Many(count)), Declared(less)).verdict;
  };
  EXPECT_EQ(verdict(100), RuleVerdict::kOutside);
  EXPECT_EQ(verdict(91), RuleVerdict::kOutside);
  EXPECT_EQ(verdict(90), RuleVerdict::kAsDeclared);
  EXPECT_EQ(verdict(80), RuleVerdict::kAsDeclared);
  EXPECT_EQ(verdict(79), RuleVerdict::kOutside);
  EXPECT_EQ(Only(published, Alerts(Many(85)), Declared(less)).says, "fires 15.0 % less");
  // Of three alerts 10 to 20 % are no whole number: one less is as near as can be.
  EXPECT_EQ(Only(Alerts(Many(3)), Alerts(Many(2)), Declared(less)).verdict,
            RuleVerdict::kAsDeclared);
}

TEST(RehearseCompareTest, WhatAlertsSayMustBeDeclaredToo) {
  DeclaredChange change{.name = "hard_braking", .percent = {{0, 0}}, .why = "severity"};
  json other = Line("a", 100);
  other["severity"] = "HIGH";
  const RehearsedAlerts published = Alerts({Line("a", 100)});
  EXPECT_EQ(Only(published, Alerts({other}), Declared(change)).verdict, RuleVerdict::kOutside);
  change.payload = true;
  EXPECT_EQ(Only(published, Alerts({other}), Declared(change)).verdict, RuleVerdict::kAsDeclared);
  change.percent.reset();
  EXPECT_EQ(Only(published, Alerts({other}), Declared(change)).verdict, RuleVerdict::kAsDeclared);
  EXPECT_EQ(Only(published, {}, Declared(change)).verdict, RuleVerdict::kOutside);
}

TEST(RehearseCompareTest, NewAndGoneRulesAreHeldToTheirWord) {
  const DeclaredChange added{.name = "hard_braking", .added = true, .why = "new"};
  const DeclaredChange removed{.name = "hard_braking", .removed = true, .why = "gone"};
  const RehearsedAlerts some = Alerts({Line("a", 100)});
  EXPECT_EQ(Only({}, some, Declared(added)).verdict, RuleVerdict::kAsDeclared);
  EXPECT_EQ(Only(some, some, Declared(added)).verdict, RuleVerdict::kOutside);
  EXPECT_EQ(Only(some, {}, Declared(removed)).verdict, RuleVerdict::kAsDeclared);
  EXPECT_EQ(Only(some, some, Declared(removed)).verdict, RuleVerdict::kOutside);
  EXPECT_EQ(Only({}, {}, Declared(added)).verdict, RuleVerdict::kNoEvidence);
}

TEST(RehearseCompareTest, AReportNamesNoVehicle) {
  const Rehearsed result =
      CompareAlerts(Alerts({Line("a", 100, "0123456789abcdef0123456789abcdef")}), {}, 0, {});
  EXPECT_FALSE(result.passed());
  EXPECT_EQ(ToJson(result).dump().find("0123456789abcdef"), std::string::npos);
}

TEST(RehearseCompareTest, WhatIsNoChangeIsPassedOver) {
  RehearsedAlerts alerts;
  for (const json& line : {json(), json::array(), json::object(), json{{"output_id", 7}},
                           json{{"output_id", "a"}, {"revision", "x"}}}) {
    EXPECT_FALSE(TakeChange(line, alerts));
  }
  EXPECT_TRUE(alerts.empty());
}

}  // namespace
}  // namespace telltale::app
