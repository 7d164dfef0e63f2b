// Rules of fields and oneofs: one row a rule, each with a twin that is accepted.
#include "contract/check/check_testing.h"

using namespace telltale::contract::check::testing;  // NOLINT

namespace telltale::contract::check {
namespace {

struct Case {
  std::string name;
  std::string before;  // body of the file before; a leading "2|" makes it proto2
  std::string broken;  // of the candidate
  std::string found;   // all that is told, "rule full name" a line
  std::string twin;    // of a candidate that is accepted
  std::string noted;   // all that is told of the twin
};

Texts FileOf(const std::string& body) {
  const bool is_proto2 = body.starts_with("2|");
  return {{"a.proto", std::string("syntax = \"proto") + (is_proto2 ? "2" : "3") +
                          "\";\npackage p;\n" + (is_proto2 ? body.substr(2) : body)}};
}

class FieldRules : public ::testing::TestWithParam<Case> {};

TEST_P(FieldRules, TheEditIsToldByItsRuleAndTheTwinIsAccepted) {
  const Case& of = GetParam();
  const Comparison broken = CompareTexts({FileOf(of.before)}, FileOf(of.broken));
  EXPECT_EQ(Ids(broken), of.found) << Told(broken);
  const Comparison twin = CompareTexts({FileOf(of.before)}, FileOf(of.twin));
  EXPECT_EQ(Ids(twin), of.noted) << Told(twin);
  EXPECT_FALSE(twin.rejected());
  for (const Finding& one : broken.findings) {
    EXPECT_GT(one.place.line, 0) << Told(broken);
    EXPECT_FALSE(one.effect.empty() || one.advice.empty());
  }
}

const std::vector<Case> kCases = {
    {"1_removed", "message M { optional int32 a = 1; optional int32 b = 2; }",
     "message M { optional int32 a = 1; }", "field-removed p.M.b",
     "message M { optional int32 b = 2 [deprecated = true]; optional int32 a = 1; }", ""},
    {"1_removed_and_reserved", "message M { optional int32 a = 1; }",
     "message M { reserved 1; reserved \"a\"; }", "field-removed p.M.a",
     "message M { optional int32 a = 1; reserved 2; }", ""},
    {"1_group_removed", "2|message M { optional group G = 1 { optional int32 x = 1; } }",
     "2|message M { }", "field-removed p.M.g",
     "2|message M { optional group G = 1 { optional int32 x = 1; optional int32 y = 2; } }", ""},
    {"2_renumbered", "message M { optional int32 a = 1; optional int32 b = 2; }",
     "message M { optional int32 a = 1; optional int32 b = 3; }", "field-renumbered p.M.b",
     "message M { optional int32 a = 1; optional int32 b = 2; optional int32 c = 3; }", ""},
    {"2_renumbered_onto_a_removed_one",
     "message M { optional int32 a = 1; optional string b = 2; }",
     "message M { optional int32 a = 2; }", "field-renumbered p.M.a\nfield-removed p.M.b",
     "message M { optional string b = 2; optional int32 a = 1; }", ""},
    {"3_renamed", "message M { optional int32 a = 1; }", "message M { optional int32 z = 1; }",
     "field-renamed p.M.z", "message M { optional int32 a = 1; optional int32 z = 2; }", ""},
    {"3_placeholder", "message M { optional int32 a = 1; }",
     "message M { optional int32 reserved_1 = 1; }", "field-placeholder p.M.reserved_1",
     "message M { optional int32 a = 1; optional int32 unused_hours = 2; }", ""},
    {"3_deprecated_by_name", "message M { optional int32 speed = 1; }",
     "message M { optional int32 DEPRECATED_speed = 1; }", "field-placeholder p.M.DEPRECATED_speed",
     "message M { optional int32 speed = 1 [deprecated = true]; }", ""},
    {"3_group_renamed", "2|message M { optional group G = 1 { optional int32 x = 1; } }",
     "2|message M { optional group H = 1 { optional int32 x = 1; } }", "field-renamed p.M.h",
     "2|message M { optional group G = 1 { optional int32 x = 1; } optional int32 h = 2; }", ""},
    {"4_numbers_swapped", "message M { optional int32 a = 1; optional int32 b = 2; }",
     "message M { optional int32 a = 2; optional int32 b = 1; }", "fields-swapped p.M.a",
     "message M { optional int32 b = 2; optional int32 a = 1; }", ""},
    {"4_names_swapped_of_other_types", "message M { optional int32 a = 1; optional string b = 2; }",
     "message M { optional int32 b = 1; optional string a = 2; }", "fields-swapped p.M.a",
     "message M { optional int32 a = 1; optional string b = 2; }", ""},
    {"4_three_in_a_circle",
     "message M { optional int32 a = 1; optional int32 b = 2; optional int32 c = 3; }",
     "message M { optional int32 b = 1; optional int32 c = 2; optional int32 a = 3; }",
     "fields-swapped p.M.a",
     "message M { optional int32 c = 3; optional int32 b = 2; optional int32 a = 1; }", ""},
    {"5_scalar_type", "message M { optional int32 a = 1; }", "message M { optional int64 a = 1; }",
     "type-changed p.M.a", "message M { optional int32 a = 1; optional int64 b = 2; }", ""},
    {"5_map_value_type", "message M { map<string, int32> a = 1; }",
     "message M { map<string, sint32> a = 1; }", "type-changed p.M.a",
     "message M { map<string, int32> a = 1; map<string, sint32> b = 2; }", ""},
    {"6_enum_to_int", "enum E { Z = 0; } message M { optional E a = 1; }",
     "enum E { Z = 0; } message M { optional int32 a = 1; }", "kind-changed p.M.a",
     "enum E { Z = 0; Y = 1; } message M { optional E a = 1; }", ""},
    {"6_string_to_bytes", "message M { optional string a = 1; }",
     "message M { optional bytes a = 1; }", "kind-changed p.M.a",
     "message M { optional string a = 1; optional bytes b = 2; }", ""},
    {"6_bytes_to_message", "message N { } message M { optional bytes a = 1; }",
     "message N { } message M { optional N a = 1; }", "kind-changed p.M.a",
     "message N { } message M { optional bytes a = 1; optional N b = 2; }", ""},
    {"7_other_message", "message N { } message O { } message M { optional N a = 1; }",
     "message N { } message O { } message M { optional O a = 1; }", "named-type-changed p.M.a",
     "message N { } message O { } message M { optional N a = 1; optional O b = 2; }", ""},
    {"7_other_enum_in_a_map",
     "enum E { Z = 0; } enum F { Y = 0; } message M { map<int32, E> a = 1; }",
     "enum E { Z = 0; } enum F { Y = 0; } message M { map<int32, F> a = 1; }",
     "named-type-changed p.M.a",
     "enum E { Z = 0; } enum F { Y = 0; } message M { map<int32, E> a = 1; }", ""},
    {"8_singular_to_repeated", "message M { optional int32 a = 1; }",
     "message M { repeated int32 a = 1; }", "cardinality-changed p.M.a",
     "message M { optional int32 a = 1; repeated int32 b = 2; }", ""},
    {"8_repeated_message_to_singular", "message N { } message M { repeated N a = 1; }",
     "message N { } message M { N a = 1; }", "cardinality-changed p.M.a",
     "message N { } message M { repeated N a = 1; N b = 2; }", ""},
    {"8_map_to_repeated", "message M { map<string, int32> a = 1; }",
     "message M { repeated int32 a = 1; }", "cardinality-changed p.M.a",
     "message M { map<string, int32> a = 1; repeated int32 b = 2; }", ""},
    {"9_explicit_to_implicit", "message M { optional int32 a = 1; }", "message M { int32 a = 1; }",
     "presence-changed p.M.a", "message M { optional int32 a = 1; }", ""},
    {"9_implicit_to_explicit", "message M { int32 a = 1; }", "message M { optional int32 a = 1; }",
     "presence-changed p.M.a", "message M { int32 a = 1; optional int32 b = 2; }", ""},
    {"10_required_added", "2|message M { optional int32 a = 1; }",
     "2|message M { optional int32 a = 1; required int32 b = 2; }", "required-added p.M.b",
     "2|message M { optional int32 a = 1; optional int32 b = 2; }", ""},
    {"10_required_taken_away", "2|message M { required int32 a = 1; }",
     "2|message M { optional int32 a = 1; }", "required-changed p.M.a",
     "2|message M { required int32 a = 1; optional int32 b = 2; }", ""},
    {"10_required_set", "2|message M { optional int32 a = 1; }",
     "2|message M { required int32 a = 1; }", "required-changed p.M.a",
     "2|message M { optional int32 a = 1; } message N { required int32 a = 1; }", ""},
    {"11_into_a_oneof", "message M { optional int32 a = 1; oneof o { int32 b = 2; } }",
     "message M { oneof o { int32 b = 2; int32 a = 1; } }", "oneof-moved p.M.a",
     "message M { oneof o { int32 b = 2; } optional int32 a = 1; }", ""},
    {"11_out_of_a_oneof", "message M { oneof o { int32 a = 1; int32 b = 2; } }",
     "message M { oneof o { int32 a = 1; } optional int32 b = 2; }", "oneof-moved p.M.b",
     "message M { oneof o { int32 b = 2; int32 a = 1; } }", ""},
    {"11_between_oneofs",
     "message M { oneof o { int32 a = 1; int32 b = 2; } oneof q { int32 c = 3; } }",
     "message M { oneof o { int32 a = 1; } oneof q { int32 b = 2; int32 c = 3; } }",
     "oneof-moved p.M.b",
     "message M { oneof q { int32 c = 3; } oneof o { int32 a = 1; int32 b = 2; } }", ""},
    {"11_into_a_new_oneof", "message M { optional int32 a = 1; }",
     "message M { oneof o { int32 a = 1; } }", "oneof-moved p.M.a",
     "message M { optional int32 a = 1; oneof o { int32 b = 2; } }", ""},
    {"11_oneof_renamed", "message M { oneof o { int32 a = 1; int32 b = 2; } }",
     "message M { oneof q { int32 a = 1; int32 b = 2; } }", "oneof-renamed p.M.o",
     "message M { oneof o { int32 a = 1; int32 b = 2; } oneof q { int32 c = 3; } }", ""},
    {"12_oneof_removed", "message M { oneof o { int32 a = 1; int32 b = 2; } }",
     "message M { optional int32 a = 1; optional int32 b = 2; }", "oneof-removed p.M.o",
     "message M { oneof o { int32 a = 1; int32 b = 2; } optional int32 c = 3; }", ""},
    {"12_oneof_removed_with_its_members", "message M { oneof o { int32 a = 1; } }", "message M { }",
     "field-removed p.M.a", "message M { oneof o { int32 a = 1; } }", ""},
    {"13_new_member_is_a_note", "message M { oneof o { int32 a = 1; } }",
     "message M { oneof o { int32 a = 1; int32 b = 2; } }", "oneof-member-added p.M.b",
     "message M { oneof o { int32 a = 1; int32 b = 2; } }", "oneof-member-added p.M.b"},
    {"22_json_name", "message M { optional int32 a_b = 1; }",
     "message M { optional int32 a_b = 1 [json_name = \"x\"]; }", "json-name-changed p.M.a_b",
     "message M { optional int32 a_b = 1 [json_name = \"aB\"]; }", ""},
    {"23_default", "2|message M { optional int32 a = 1 [default = 4]; }",
     "2|message M { optional int32 a = 1 [default = 5]; }", "default-changed p.M.a",
     "2|message M { optional int32 a = 1 [default = 0x4]; }", ""},
    {"23_default_taken_away", "2|message M { optional string a = 1 [default = \"x\"]; }",
     "2|message M { optional string a = 1; }", "default-changed p.M.a",
     "2|message M { optional string a = 1 [default = \"x\"]; optional int32 b = 2; }", ""},
    {"23_the_default_that_it_had_anyway", "2|message M { optional int32 a = 1; }",
     "2|message M { optional int32 a = 1 [default = 1]; }", "default-changed p.M.a",
     "2|message M { optional int32 a = 1 [default = 0]; }", ""},
    {"25_group_to_message", "2|message M { optional group G = 1 { optional int32 x = 1; } }",
     "2|message M { message G { optional int32 x = 1; } optional G g = 1; }",
     "encoding-changed p.M.g", "2|message M { optional group G = 1 { optional int32 x = 1; } }",
     ""},
    {"26_packed_is_no_change", "message M { repeated int32 a = 1; }", "message M { }",
     "field-removed p.M.a", "message M { repeated int32 a = 1 [packed = false]; }", ""},
    {"28_new_without_presence", "message M { }", "message M { int32 a = 1; }",
     "presence-missing p.M.a", "message M { optional int32 a = 1; repeated int32 b = 2; }", ""},
    {"28_in_a_new_message", "message M { }",
     "message M { } enum E { Z = 0; } message N { E a = 1; }", "presence-missing p.N.a",
     "message M { } enum E { Z = 0; } message N { optional E a = 1; M m = 2; map<int32, E> c = 3; "
     "}",
     ""},
};

INSTANTIATE_TEST_SUITE_P(Rules, FieldRules, ::testing::ValuesIn(kCases),
                         [](const auto& one) { return "rule_" + one.param.name; });

TEST(FieldRulesTest, ASuggestionNamesTheNextFreeNumber) {
  const Comparison told =
      CompareTexts({FileOf("2|message M { optional int32 a = 1; reserved 8, 9; extensions 10; }")},
                   FileOf("2|message M { optional int64 a = 1; reserved 8, 9; extensions 10;"
                          " optional int32 b = 7; }"));
  EXPECT_NE(Told(told).find("add field 11 beside it"), std::string::npos) << Told(told);
}

TEST(FieldRulesTest, TheOldPlaceIsShownWhereTheFieldIsGone) {
  const Comparison told =
      CompareTexts({FileOf("message M {\n  optional int32 a = 1;\n  optional int32 b = 2;\n}")},
                   FileOf("message M {\n  optional int32 a = 1;\n}"));
  ASSERT_EQ(told.findings.size(), 1u);
  EXPECT_EQ(told.findings[0].place.ToString(), "/c/a.proto:5:3");
}

TEST(FieldRulesTest, NumbersBelowTheHighestEverUsedAreAWarning) {
  const std::string before = "message M { optional int32 a = 1; optional int32 b = 7; }";
  const auto with = [&](const std::string& more) {
    return FileOf("message M { optional int32 a = 1; optional int32 b = 7; " + more + " }");
  };
  const Comparison low = CompareTexts({FileOf(before)}, with("optional int32 c = 5;"));
  EXPECT_EQ(Ids(low), "number-below-highest p.M.c");
  EXPECT_EQ(low.findings[0].advice, "take 8");
  EXPECT_FALSE(low.rejected());
  EXPECT_EQ(Ids(CompareTexts({FileOf(before)}, with("optional int32 c = 8;"))), "");
}

TEST(FieldRulesTest, Proto3WithOptionalReadsAsProto2Did) {
  const Texts before = FileOf("2|message M { optional int32 a = 1; repeated int32 b = 2; }");
  EXPECT_EQ(Ids(CompareTexts({before}, FileOf("message M { optional int32 a = 1; "
                                              "repeated int32 b = 2; }"))),
            "");
  EXPECT_EQ(Ids(CompareTexts({before}, FileOf("message M { int32 a = 1; repeated int32 b = 2; }"))),
            "presence-changed p.M.a");
}

TEST(FieldRulesTest, CheckedTextIsOneWarningAFile) {
  const Comparison told = CompareTexts({FileOf("2|message M { optional string a = 1; "
                                               "optional string b = 2; }")},
                                       FileOf("message M { optional string a = 1; "
                                              "optional string b = 2; }"));
  EXPECT_EQ(Ids(told), "utf8-changed a.proto");
  EXPECT_FALSE(told.rejected());
}

}  // namespace
}  // namespace telltale::contract::check
