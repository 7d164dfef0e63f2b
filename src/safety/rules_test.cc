#include "safety/rules.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "safety/test_contract.h"
#include "safety/units.h"

namespace telltale::safety {
namespace {

std::string FileText(const std::string& path) {
  std::ifstream in(std::string(TELLTALE_SOURCE_DIR) + path);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

// A threshold rule with `lines` (each a key) after its name; line 4 of the file is the first.
std::string Threshold(const std::string& lines) {
  return "version: 1\nrules:\n- name: r\n" + lines;
}
const char* const kGood =
    "  kind: threshold\n"
    "  fields: [acceleration_longitudinal_mps2]\n"
    "  direction: below\n"
    "  level: {value: 3.92, unit: m/s2}\n"
    "  severity: HIGH\n";

TEST(RulesTest, ShippedRulesLoad) {
  const auto contract = testing::BuiltContract();
  const auto rules = LoadRules(FileText("/release/default/rules.yaml"), *contract);
  ASSERT_TRUE(rules.ok()) << rules.error().ToString();
  ASSERT_EQ(rules->rules.size(), 3u);
  const Rule& braking = rules->rules[0];
  EXPECT_EQ(braking.name, "hard_braking");
  EXPECT_EQ(braking.direction, Direction::kBelow);
  EXPECT_NEAR(braking.enter, 3.92, 1e-5);
  EXPECT_NEAR(braking.leave, 3.136, 1e-5);
  EXPECT_EQ(braking.hold, Micros{200'000});
  EXPECT_NEAR(braking.minimum_speed, 15, 1e-4);
  EXPECT_EQ(braking.unit, "m/s2");
  EXPECT_FALSE(rules->rules[1].has_peak);
}

TEST(RulesTest, AThresholdInGIsKeptInTheUnitOfTheField) {
  const auto contract = testing::BuiltContract();
  const auto rules = LoadRules(FileText("/tests/shows/rules/harsh-035g.yaml"), *contract);
  ASSERT_TRUE(rules.ok()) << rules.error().ToString();
  ASSERT_EQ(rules->rules.size(), 1u);
  EXPECT_NEAR(rules->rules[0].enter, 0.35 * 9.80665, 1e-5);
  EXPECT_LE(rules->rules[0].enter, 0.35f * 9.80665f) << "as a car in single precision computes it";
  EXPECT_GT(rules->rules[0].enter, 0.3499 * 9.80665);
  EXPECT_EQ(rules->rules[0].slots.size(), 2u);
}

struct Refused {
  const char* why;
  std::string yaml;
  Code code;
  const char* says;
};

// The good rule with `from` replaced, or with another key after it (line 9).
std::string Swap(const std::string& from, const std::string& to) {
  std::string out = Threshold(kGood);
  out.replace(out.find(from), from.size(), to);
  return out;
}
std::string With(const std::string& more) { return Threshold(kGood) + more; }

void ExpectRefused(const std::vector<Refused>& table) {
  const auto contract = testing::BuiltContract();
  for (const Refused& refused : table) {
    const auto rules = LoadRules(refused.yaml, *contract);
    ASSERT_FALSE(rules.ok()) << refused.why;
    EXPECT_EQ(rules.error().code, refused.code) << refused.why << ": " << rules.error().ToString();
    EXPECT_NE(rules.error().message.find(refused.says), std::string::npos)
        << refused.why << ": " << rules.error().message;
  }
}

TEST(RulesTest, AnUnknownOrMissingKeyOrFieldIsRefusedWithItsLine) {
  const auto good = LoadRules(Threshold(kGood), *testing::BuiltContract());
  ASSERT_TRUE(good.ok()) << good.error().ToString();
  ExpectRefused({
      {"not YAML", "version: [1", Code::kInvalid, "line "},
      {"not a map", "- 1", Code::kInvalid, "line 1: the file must be a map"},
      {"empty", "", Code::kInvalid, "line "},
      {"no version", "rules: []", Code::kInvalid, "missing 'version: 1'"},
      {"newer", "version: 2\nrules: []", Code::kUnsupported, "line 1: this build reads version 1"},
      {"unknown top key", "version: 1\nrule: []", Code::kInvalid, "line 2: unknown key 'rule'"},
      {"unknown key", With("  cooldown_ms: 5\n"), Code::kInvalid,
       "line 9: unknown key 'cooldown_ms'"},
      {"key twice", With("  direction: above\n"), Code::kInvalid, "line 9: key 'direction' twice"},
      {"unknown kind", Swap("threshold", "mean"), Code::kInvalid, "line 4: kind must be"},
      {"unknown field", Swap("acceleration_longitudinal_mps2", "warp"), Code::kNotFound,
       "line 5: the contract has no field 'warp'"},
      {"not a safety field", Swap("acceleration_longitudinal_mps2", "engine_speed_rpm"),
       Code::kInvalid, "line 5: field 'engine_speed_rpm' does not go to the safety stream"},
      {"a flag as a number", Swap("acceleration_longitudinal_mps2", "is_fcw_warning"),
       Code::kInvalid, "line 5: field 'is_fcw_warning' is not a number"},
      {"two units",
       Swap("acceleration_longitudinal_mps2", "acceleration_longitudinal_mps2, speed_kmh"),
       Code::kInvalid, "line 5: the fields of a rule must have one unit"},
      {"several fields, no combine",
       Swap("acceleration_longitudinal_mps2",
            "acceleration_longitudinal_mps2, acceleration_lateral_mps2"),
       Code::kInvalid, "line 5: several fields need 'combine: max'"},
  });
}

TEST(RulesTest, AValueUnitOrNameThatDoesNotFitIsRefusedWithItsLine) {
  ExpectRefused({
      {"unit of another dimension", Swap("unit: m/s2", "unit: km/h"), Code::kInvalid,
       "line 7: 'level' is in 'km/h' which does not convert to 'm/s2'"},
      {"no unit", Swap("{value: 3.92, unit: m/s2}", "{value: 3.92}"), Code::kInvalid,
       "line 7: missing key 'unit'"},
      {"bare number", Swap("{value: 3.92, unit: m/s2}", "3.92"), Code::kInvalid,
       "line 7: 'level' must be a map"},
      {"negative level", Swap("3.92", "-3.92"), Code::kInvalid,
       "line 7: 'level' must be above zero"},
      {"nan", Swap("3.92", ".nan"), Code::kInvalid, "line 7: 'value' of 'level' must be a number"},
      {"direction", Swap("below", "down"), Code::kInvalid, "line 6: direction must be"},
      {"severity", Swap("HIGH", "SEVERE"), Code::kInvalid, "line 8: severity must be one of"},
      {"hold", With("  hold_ms: -1\n"), Code::kInvalid, "line 9: 'hold_ms' must be a whole number"},
      {"reset", With("  reset_percent: 120\n"), Code::kInvalid, "line 9: 'reset_percent'"},
      {"speed unit", With("  minimum_speed: {value: 15, unit: m/s2}\n"), Code::kInvalid,
       "line 9: 'minimum_speed' is in 'm/s2'"},
      {"name", Swap("name: r", "name: Hard Braking"), Code::kInvalid, "line 3: a rule's name"},
      {"name twice", Threshold(kGood) + "- name: r\n" + kGood, Code::kInvalid,
       "line 9: rule 'r' is there twice"},
      {"edge on a number",
       "version: 1\nrules:\n- name: e\n  kind: edge\n  field: speed_kmh\n"
       "  severity: LOW\n",
       Code::kInvalid, "line 5: field 'speed_kmh' is not a bool"},
      {"edge with a level",
       "version: 1\nrules:\n- name: e\n  kind: edge\n  field: is_fcw_warning\n"
       "  level: {value: 1, unit: m/s2}\n",
       Code::kInvalid, "line 6: unknown key 'level'"},
      {"ladder above the level",
       Swap("severity: HIGH", "severity: [{from: {value: 1, unit: g}, severity: LOW}]"),
       Code::kInvalid, "line 8: steps of 'severity' must rise"},
      {"falling ladder",
       Swap("severity: HIGH",
            "severity: [{from: {value: 3, unit: m/s2}, severity: HIGH}, "
            "{from: {value: 4, unit: m/s2}, severity: LOW}]"),
       Code::kInvalid, "line 8: steps of 'severity' must rise"},
      {"big", std::string(kRulesFileBytesMax + 1, ' '), Code::kTooBig, "64 KiB"},
  });
}

TEST(RulesTest, MoreRulesThanTheLimitAreRefused) {
  std::string yaml = "version: 1\nrules:\n";
  for (std::size_t n = 0; n <= kRulesMax; ++n) {
    yaml += "- name: r" + std::to_string(n) + "\n" + kGood;
  }
  const auto rules = LoadRules(yaml, *testing::BuiltContract());
  ASSERT_FALSE(rules.ok());
  EXPECT_EQ(rules.error().code, Code::kTooBig);
}

TEST(UnitsTest, ConvertOnlyWhatMeasuresTheSame) {
  EXPECT_DOUBLE_EQ(*ConvertUnit(0.35, "g", "m/s2"), 0.35 * 9.80665);
  EXPECT_DOUBLE_EQ(*ConvertUnit(9.80665, "m/s2", "[g]"), 1);
  EXPECT_NEAR(*ConvertUnit(10, "m/s", "km/h"), 36, 1e-12);
  EXPECT_NEAR(*ConvertUnit(36, "km/h", "m/s"), 10, 1e-12);
  EXPECT_EQ(*ConvertUnit(2, "%", "%"), 2) << "an unknown unit equals itself";
  EXPECT_FALSE(ConvertUnit(1, "%", "m/s2"));
  EXPECT_FALSE(ConvertUnit(1, "m/s", "m/s2"));
}

}  // namespace
}  // namespace telltale::safety
