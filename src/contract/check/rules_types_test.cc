// Rules of enums, reserved numbers, types, files, extensions and services.
#include "base/disk.h"
#include "contract/check/check_testing.h"

using namespace telltale::contract::check::testing;  // NOLINT

namespace telltale::contract::check {
namespace {

struct Case {
  std::string name;
  Texts before;
  Texts broken;
  std::string found;  // all that is told
  Texts twin;         // accepted
  std::string noted;  // all that is told of the twin
};

Texts P2(const std::string& body, const std::string& package = "p") {
  return {{"a.proto", "syntax = \"proto2\"; package " + package + "; " + body}};
}
Texts P3(const std::string& body, const std::string& package = "p") {
  return {{"a.proto", "syntax = \"proto3\"; package " + package + "; " + body}};
}

class TypeRules : public ::testing::TestWithParam<Case> {};

TEST_P(TypeRules, TheEditIsToldByItsRuleAndTheTwinIsAccepted) {
  const Case& of = GetParam();
  const Comparison broken = CompareTexts({of.before}, of.broken);
  EXPECT_EQ(Ids(broken), of.found) << Told(broken);
  const Comparison twin = CompareTexts({of.before}, of.twin);
  EXPECT_EQ(Ids(twin), of.noted) << Told(twin);
  EXPECT_FALSE(twin.rejected());
}

const std::vector<Case> kEnumCases = {
    {"4_values_swapped", P3("enum E { Z = 0; A = 1; B = 2; }"),
     P3("enum E { Z = 0; A = 2; B = 1; }"), "enum-values-swapped p.E.A",
     P3("enum E { Z = 0; B = 2; A = 1; }"), ""},
    {"4_zero_swapped_with_another", P3("enum E { Z = 0; A = 1; }"), P3("enum E { A = 0; Z = 1; }"),
     "enum-values-swapped p.E.Z", P3("enum E { Z = 0; A = 1; B = 2; }"), ""},
    {"14_value_removed", P3("enum E { Z = 0; A = 1; }"), P3("enum E { Z = 0; }"),
     "enum-value-removed p.E.A", P3("enum E { Z = 0; A = 1 [deprecated = true]; }"), ""},
    {"15_value_renamed", P3("enum E { Z = 0; A = 1; }"), P3("enum E { Z = 0; B = 1; }"),
     "enum-value-renamed p.E.B", P3("enum E { option allow_alias = true; Z = 0; A = 1; B = 1; }"),
     ""},
    {"15_value_renumbered", P3("enum E { Z = 0; A = 1; }"), P3("enum E { Z = 0; A = 2; }"),
     "enum-value-renumbered p.E.A", P3("enum E { Z = 0; A = 1; B = 2; }"), ""},
    {"15_value_placeholder", P3("enum E { Z = 0; E_A = 1; }"),
     P3("enum E { Z = 0; E_RESERVED_1 = 1; }"), "enum-value-placeholder p.E.E_RESERVED_1",
     P3("enum E { Z = 0; E_A = 1; E_RESERVED_2 = 2; }"), ""},
    {"15_alias_removed", P3("enum E { option allow_alias = true; Z = 0; A = 1; B = 1; }"),
     P3("enum E { Z = 0; B = 1; }"), "enum-alias-removed p.E.A",
     P3("enum E { option allow_alias = true; Z = 0; B = 1; A = 1; C = 1; }"), ""},
    {"16_opened", P2("enum E { Z = 0; }"), P3("enum E { Z = 0; }"), "enum-openness-changed p.E",
     P2("enum E { Z = 0; A = 1; }"), ""},
    {"16_zero_renamed", P3("enum E { Z = 0; A = 1; }"), P3("enum E { Y = 0; A = 1; }"),
     "enum-zero-changed p.E.Y", P3("enum E { Z = 0; A = 1; Y = 2; }"), ""},
    {"16_other_first_value", P2("enum E { A = 1; B = 2; }"), P2("enum E { B = 2; A = 1; }"),
     "enum-zero-changed p.E.B", P2("enum E { A = 1; Z = 0; B = 2; }"), ""},
    {"17_enum_number", P3("enum E { Z = 0; reserved 5 to max; }"),
     P3("enum E { Z = 0; "
        "reserved 6 to max; }"),
     "reserved-number-removed p.E", P3("enum E { Z = 0; reserved 7 to max, 4 to 6; }"), ""},
    {"18_reserved_enum_number", P3("enum E { Z = 0; reserved 5; }"), P3("enum E { Z = 0; A = 5; }"),
     "number-reused p.E.A", P3("enum E { Z = 0; A = 6; reserved 5; }"), ""},
    {"19_enum_removed", P3("enum E { Z = 0; } enum F { Y = 0; X = 1; }"), P3("enum E { Z = 0; }"),
     "enum-removed p.F", P3("enum F { Y = 0; X = 1; } enum E { Z = 0; }"), ""},
    {"20_enum_moved_inside", P3("enum E { Z = 0; A = 1; } message M { optional E e = 1; }"),
     P3("message M { enum E { Z = 0; A = 1; } optional E e = 1; }"), "type-moved p.E",
     P3("message M { enum F { Y = 0; } optional E e = 1; } enum E { Z = 0; A = 1; }"), ""},
};

const std::vector<Case> kTypeCases = {
    {"17_range_shrunk", P3("message M { reserved 5 to 9; }"), P3("message M { reserved 5 to 8; }"),
     "reserved-number-removed p.M", P3("message M { reserved 7 to 9, 5, 6; }"), ""},
    {"17_name", P3("message M { reserved \"a\", \"b\"; }"), P3("message M { reserved \"b\"; }"),
     "reserved-name-removed p.M.a", P3("message M { reserved \"b\", \"a\", \"c\"; }"), ""},
    {"17_to_max", P3("message M { reserved 100 to max; }"),
     P3("message M { reserved 200 to max; }"), "reserved-number-removed p.M",
     P3("message M { reserved 50 to max; }"), ""},
    {"18_reserved_number_used", P3("message M { reserved 5 to 7; }"),
     P3("message M { reserved 5, 7; optional int32 a = 6; }"), "number-reused p.M.a",
     P3("message M { reserved 5 to 7; optional int32 a = 8; }"), ""},
    {"18_reserved_name_used", P3("message M { reserved \"a\"; }"),
     P3("message M { optional int32 a = 1; }"), "name-reused p.M.a",
     P3("message M { reserved \"a\"; optional int32 b = 1; }"), ""},
    {"18_number_of_another_type", P3("message M { optional int32 a = 1; }"),
     P3("message M { optional string b = 1; }"), "number-reused p.M.b",
     P3("message M { optional int32 a = 1; optional string b = 2; }"), ""},
    {"19_message_removed_with_what_is_in_it",
     P3("message M { } message N { message O { optional int32 a = 1; } enum E { Z = 0; } }"),
     P3("message M { }"), "message-removed p.N",
     P3("message N { message O { optional int32 a = 1; } enum E { Z = 0; } } message M { }"), ""},
    {"20_moved_into_another", P3("message M { N n = 1; } message N { optional int32 a = 1; }"),
     P3("message M { message N { optional int32 a = 1; } N n = 1; }"), "type-moved p.N",
     P3("message M { N n = 1; message O { optional int32 b = 1; } } message N { optional int32 a = "
        "1; }"),
     ""},
    {"20_renamed", P3("message N { optional int32 a = 1; }"),
     P3("message O { optional int32 a = 1; }"), "type-moved p.N",
     P3("message N { optional int32 a = 1; } message O { optional int32 a = 1; }"), ""},
    {"20_package", P3("message M { N n = 1; } message N { } enum E { Z = 0; }"),
     P3("message M { N n = 1; } message N { } enum E { Z = 0; }", "q"), "package-changed p",
     P3("message N { } message M { N n = 1; } enum E { Z = 0; }"), ""},
    {"21_other_file",
     {{"a.proto", "syntax = \"proto3\"; package p; message M { } message N { }"}},
     {{"a.proto", "syntax = \"proto3\"; package p; message M { }"},
      {"b.proto", "syntax = \"proto3\"; package p; message N { }"}},
     "file-changed a.proto",
     {{"a.proto", "syntax = \"proto3\"; package p; message M { } message N { }"},
      {"b.proto", "syntax = \"proto3\"; package p; message O { }"}},
     ""},
    {"24_range_removed", P2("message M { extensions 100 to 199; }"),
     P2("message M { extensions 100 to 149; }"), "extension-range-removed p.M",
     P2("message M { extensions 150 to max; extensions 100 to 149; }"), ""},
    {"24_extension_removed",
     P2("message M { extensions 100 to 199; } extend M { optional int32 a = 100; }"),
     P2("message M { extensions 100 to 199; }"), "extension-removed p.a",
     P2("message M { extensions 100 to 199; } extend M { optional int32 a = 100; "
        "repeated int32 b = 101; }"),
     ""},
    {"24_extension_of_a_built_in_type",
     {{"a.proto",
       "syntax = \"proto3\"; package p; import \"google/protobuf/descriptor.proto\"; "
       "extend google.protobuf.FieldOptions { optional string unit = 50000; }"}},
     {{"a.proto",
       "syntax = \"proto3\"; package p; import \"google/protobuf/descriptor.proto\"; "
       "extend google.protobuf.FieldOptions { optional string unit = 50001; }"}},
     "field-renumbered p.unit",
     {{"a.proto",
       "syntax = \"proto3\"; package p; import \"google/protobuf/descriptor.proto\"; "
       "extend google.protobuf.FieldOptions { optional string unit = 50000; "
       "optional string note = 50001; }"}},
     ""},
    {"25_message_set", P2("message M { extensions 4 to max; }"),
     P2("message M { option message_set_wire_format = true; extensions 4 to max; }"),
     "encoding-changed p.M", P2("message M { extensions 4 to max; } message N { }"), ""},
    {"36_rpc_removed",
     P3("message M { } service S { rpc A(M) returns (M); rpc B(M) returns (M); }"),
     P3("message M { } service S { rpc A(M) returns (M); }"), "rpc-removed p.S.B",
     P3("message M { } service S { rpc B(M) returns (M); rpc A(M) returns (M); }"), ""},
    {"36_rpc_changed", P3("message M { } service S { rpc A(M) returns (M); }"),
     P3("message M { } service S { rpc A(M) returns (stream M); }"), "rpc-changed p.S.A",
     P3("message M { } service S { rpc A(M) returns (M); rpc B(M) returns (stream M); }"), ""},
    {"36_service_removed", P3("message M { } service S { rpc A(M) returns (M); } service T { }"),
     P3("message M { } service T { }"), "service-removed p.S", P3("message M { }"),
     ""},  // no service any more: out of scope
};

INSTANTIATE_TEST_SUITE_P(Enums, TypeRules, ::testing::ValuesIn(kEnumCases),
                         [](const auto& one) { return "rule_" + one.param.name; });
INSTANTIATE_TEST_SUITE_P(Types, TypeRules, ::testing::ValuesIn(kTypeCases),
                         [](const auto& one) { return "rule_" + one.param.name; });

// Rules 18 and 34: every earlier version counts.

TEST(HistoryRules, ANumberThatWasUsedLongAgoIsNeverTakenAgain) {
  const Texts first = P3("message M { optional int32 a = 1; optional int32 b = 2; }");
  const Texts second = P3("message M { optional int32 a = 1; }");
  const Comparison told = CompareTexts(
      {first, second}, P3("message M { optional int32 a = 1; optional int32 c = 2; }"));
  EXPECT_EQ(Ids(told), "number-reused p.M.c") << Told(told);
  EXPECT_EQ(told.findings[0].version, "1");
}

TEST(HistoryRules, ANameThatWasUsedLongAgoIsNeverTakenAgain) {
  const Texts first = P3("message M { optional int32 a = 1; optional int32 b = 2; }");
  const Texts second = P3("message M { optional int32 a = 1; }");
  const Comparison told = CompareTexts(
      {first, second}, P3("message M { optional int32 a = 1; optional int32 b = 3; }"));
  EXPECT_EQ(Ids(told), "name-reused p.M.b") << Told(told);
}

TEST(HistoryRules, AnEnumNumberThatWasUsedLongAgoIsNeverTakenAgain) {
  const Comparison told = CompareTexts({P3("enum E { Z = 0; A = 1; }"), P3("enum E { Z = 0; }")},
                                       P3("enum E { Z = 0; B = 1; }"));
  EXPECT_EQ(Ids(told), "number-reused p.E.B") << Told(told);
}

TEST(HistoryRules, AFindingIsToldOnceWithTheOldestVersionItBreaks) {
  const Texts one = P3("message M { optional int32 a = 1; }");
  const Texts two = P3("message M { optional int32 a = 1; optional int32 b = 2; }");
  const Comparison told = CompareTexts({one, two, two}, P3("message M { optional int64 a = 1; "
                                                           "optional int64 b = 2; }"));
  EXPECT_EQ(Ids(told), "type-changed p.M.a\ntype-changed p.M.b");
  EXPECT_EQ(told.findings[0].version, "1");
  EXPECT_EQ(told.findings[1].version, "2");
}

TEST(HistoryRules, AWarningThatWasAcceptedIsNotToldForEver) {
  const Texts one = P3("message M { optional int32 a = 1; }");
  const Texts two = P3("message M { optional int32 a = 1 [json_name = \"x\"]; }");
  EXPECT_EQ(Ids(CompareTexts({one}, two)), "json-name-changed p.M.a");
  EXPECT_EQ(Ids(CompareTexts({one, two}, two)), "");
  EXPECT_EQ(Ids(CompareTexts({one, two}, one)), "json-name-changed p.M.a");
}

TEST(HistoryRules, WithoutAnEarlierVersionNothingIsNew) {
  EXPECT_EQ(Ids(CompareTexts({}, P3("message M { int32 a = 1; }"))), "");
}

TEST(RulesTest, EachRuleHasAnIdOfItsOwnAndEachNumberOfTheReferenceIsThere) {
  std::set<std::string_view> ids;
  std::set<int> numbers;
  for (const RuleText& rule : AllRules()) {
    EXPECT_TRUE(ids.insert(rule.id).second) << rule.id;
    numbers.insert(rule.number);
  }
  // 26 and 27 are allowed, 34 is how all are judged, 35 is a test of the stores.
  for (int number = 1; number <= 36; ++number) {
    const bool is_no_finding = number == 26 || number == 27 || number == 34 || number == 35;
    EXPECT_EQ(numbers.contains(number), !is_no_finding) << number;
  }
}

TEST(RulesTest, ThePageTellsEachRuleWithNumberAndVerdict) {
  PosixDisk disk;
  const auto page = ReadWholeFile(disk, TELLTALE_SOURCE_DIR "/docs/contract-check.md");
  ASSERT_TRUE(page.ok());
  std::size_t rows = 0;
  for (const RuleText& rule : AllRules()) {
    const std::string row = "| " + std::to_string(rule.number) + " | `" + std::string(rule.id) +
                            "` | " + std::string(VerdictName(rule.verdict)) + " |";
    EXPECT_NE(page->find(row), std::string::npos) << row;
  }
  for (std::size_t at = 0; (at = page->find("` | ", at)) != std::string::npos; ++at) {
    const std::string_view rest = std::string_view(*page).substr(at + 4);
    rows += rest.starts_with("REJECT") || rest.starts_with("WARN") || rest.starts_with("NOTE");
  }
  EXPECT_EQ(rows, AllRules().size());
}

TEST(IntervalSetTest, RangesAreCollapsedBeforeTheyAreSubtracted) {
  IntervalSet set;
  set.Add(5, 6);
  set.Add(6, 8);
  set.Add(20, 30);
  EXPECT_EQ(set.ToString(30), "5 to 7, 20 to max");
  set.Remove(7, 25);
  EXPECT_EQ(set.ToString(100), "5 to 6, 25 to 29");
  EXPECT_EQ(set.FirstOutside(5), 7);
  EXPECT_EQ(set.HighestBelow(1, 27), 26);
  EXPECT_EQ(set.HighestBelow(10, 20), 9);
}

}  // namespace
}  // namespace telltale::contract::check
