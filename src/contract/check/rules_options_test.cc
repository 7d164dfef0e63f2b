// Rules of our own options: blocks, units, classes, approvals, columns.
#include "base/disk.h"
#include "contract/check/check_testing.h"

using namespace telltale::contract::check::testing;  // NOLINT

namespace telltale::contract::check {
namespace {

const std::string& OptionsProto() {
  static const std::string text = [] {
    PosixDisk disk;
    auto read = ReadWholeFile(disk, TELLTALE_SOURCE_DIR "/contract/telltale/v1/options.proto");
    CHECK(read.ok());
    return std::move(*read);
  }();
  return text;
}

// `message Report` with this body; a marked field makes it one that our options are used in.
Texts Report(const std::string& body, const std::string& more = "") {
  return {{"telltale/v1/options.proto", OptionsProto()},
          {"telltale/v1/a.proto",
           "syntax = \"proto3\";\npackage telltale.v1;\nimport \"telltale/v1/options.proto\";\n" +
               more + "\nmessage Report {\noptional int32 seq = 1 [(field) = {privacy: OPEN}];\n" +
               body + "\n}\n"}};
}

struct Case {
  std::string name;
  std::string before;
  std::string broken;
  std::string found;  // all that is told; names without telltale.v1.Report.
  std::string twin;
  std::string noted;
};

std::string ShortIds(const Comparison& comparison) {
  std::string ids = Ids(comparison);
  for (const std::string prefix : {"telltale.v1.Report.", "telltale.v1."}) {
    for (std::size_t at; (at = ids.find(prefix)) != std::string::npos;)
      ids.erase(at, prefix.size());
  }
  return ids;
}

class OptionRules : public ::testing::TestWithParam<Case> {};

TEST_P(OptionRules, TheEditIsToldByItsRuleAndTheTwinIsAccepted) {
  const Case& of = GetParam();
  const Comparison broken = CompareTexts({Report(of.before)}, Report(of.broken));
  EXPECT_EQ(ShortIds(broken), of.found) << Told(broken);
  const Comparison twin = CompareTexts({Report(of.before)}, Report(of.twin));
  EXPECT_EQ(ShortIds(twin), of.noted) << Told(twin);
  EXPECT_FALSE(twin.rejected());
}

const std::string kKm = "optional float d = 2 [(field) = {unit: \"km\" privacy: PRECISE}];";
std::string Field(const std::string& option) {
  return "optional float d = 2 [(field) = {" + option + "}];";
}
std::string Text(const std::string& option) {
  return "optional string t = 2 [(field) = {" + option + "}];";
}

const std::vector<Case> kCases = {
    {"30_unit", Field("unit: \"km\""), Field("unit: \"m\""), "unit-changed d",
     Field("unit: \"km\" vss_path: \"Vehicle.X\" first_firmware: \"2.0.0\""), ""},
    {"30_unit_taken_away", kKm, Field("privacy: PRECISE"), "unit-changed d", kKm, ""},
    {"30_max", Field("min: 0 max: 10"), Field("min: 0 max: 20"), "range-changed d",
     Field("max: 10 min: 0"), ""},
    {"30_scale", Field("scale: 2"), Field("scale: 3"), "scale-changed d",
     Field("scale: 2 offset: 0"), ""},
    {"30_offset", Field("unit: \"Cel\""), Field("unit: \"Cel\" offset: 1"), "scale-changed d",
     Field("unit: \"Cel\" scale: 1"), ""},
    {"30_map_entry_changed", Text("map: {from: \"a\" to: \"b\"}"),
     Text("map: {from: \"a\" to: \"c\"}"), "map-changed t",
     Text("map: {from: \"x\" to: \"y\"} map: {from: \"a\" to: \"b\"}"), ""},
    {"30_source_changed", "optional float x = 3; " + Field("from: {field: \"x\" scale: 2}"),
     "optional float x = 3; " + Field("from: {field: \"x\" scale: 4}"), "source-changed d",
     "optional float x = 3; " +
         Field("from: {field: \"x\" scale: 2 map: {from: \"1\" to: \"2\"}} from: {field: \"seq\"}"),
     ""},
    {"30_column", Field("column: \"a\""), Field("column: \"b\""), "column-changed d",
     Field("column: \"a\""), ""},
    {"30_column_given", Field("unit: \"m\""), Field("unit: \"m\" column: \"e\""),
     "column-changed d", Field("unit: \"m\" column: \"d\""), ""},
    {"30_pattern", Text("pattern: \"[a-z]\""), Text("pattern: \"[a-z]+\""), "pattern-changed t",
     Text("pattern: \"[a-z]\""), ""},
    {"30_value_removed", Text("values: \"a\" values: \"b\""), Text("values: \"b\""),
     "values-removed t", Text("values: \"b\" values: \"a\""), ""},
    {"30_derived", Field("unit: \"m\""), Field("unit: \"m\" derived: true"), "derived-changed d",
     Field("unit: \"m\" derived: false"), ""},
    {"30_safety", Field("privacy: OPEN safety: true"), Field("privacy: OPEN"), "safety-removed d",
     Field("privacy: OPEN safety: true"), ""},
    {"30_safety_given", Field("privacy: OPEN safety: true"), "", "field-removed d",
     Field("privacy: OPEN safety: true"), ""},
    {"31_no_class", "", Field("unit: \"m\""), "class-missing d", Field("privacy: PRECISE"), ""},
    {"31_no_option", "", "optional float d = 2;", "class-missing d", Field("privacy: LINKING"), ""},
    {"31_open_unapproved", "", Field("privacy: OPEN"), "open-unapproved d",
     Field("privacy: IDENTITY"), ""},
    {"31_lowered", Field("privacy: IDENTITY"), Field("privacy: PRECISE"), "class-lowered d",
     Field("privacy: IDENTITY safety: false"), ""},
    {"31_lowered_from_none", Field("unit: \"m\""), Field("unit: \"m\" privacy: OPEN"),
     "class-lowered d", Field("unit: \"m\" privacy: IDENTITY"), ""},
    {"31_raised_is_a_warning", Field("privacy: LINKING"), Field("privacy: PRECISE"),
     "class-raised d", Field("privacy: IDENTITY"), "class-raised d"},
    {"31_open_bytes", "", "optional bytes d = 2 [(field) = {privacy: OPEN values: \"a\"}];",
     "open-bytes d", "optional bytes d = 2 [(field) = {privacy: IDENTITY}];", ""},
    {"31_old_open_bytes", "optional bytes d = 2 [(field) = {privacy: OPEN}];",
     "optional bytes d = 2 [(field) = {privacy: OPEN}];", "open-bytes d",
     "optional bytes d = 2 [(field) = {privacy: PRECISE}];", "class-raised d"},
    {"31_old_open_text_is_a_note", Text("privacy: OPEN"), Text("privacy: OPEN"),
     "open-text-by-code t", Text("privacy: OPEN"), "open-text-by-code t"},
    {"31_more_values", Text("privacy: OPEN values: \"a\""),
     Text("privacy: OPEN values: \"a\" values: \"b\""), "open-widened t",
     Text("privacy: OPEN values: \"a\""), ""},
    {"32_folded_case", kKm,
     kKm + " optional int32 e = 3 [(field) = {privacy: PRECISE column: \"D\"}];",
     "column-collision e", kKm + " optional int32 d_2 = 3 [(field) = {privacy: PRECISE}];", ""},
    {"32_camel", "optional int32 engine_rpm = 2 [(field) = {privacy: PRECISE}];",
     "optional int32 engine_rpm = 2 [(field) = {privacy: PRECISE}];"
     "optional int32 e = 3 [(field) = {privacy: PRECISE column: \"enginerpm\"}];",
     "column-collision e",
     "optional int32 engine_rpm = 2 [(field) = {privacy: PRECISE}];"
     "optional int32 e = 3 [(field) = {privacy: PRECISE column: \"engine_rpm\"}];",
     ""},
    {"32_taken_column", Field("column: \"x\""),
     Field("column: \"x\"") + " optional int32 e = 3 [(field) = {privacy: PRECISE column: \"x\"}];",
     "column-collision e",
     Field("column: \"x\"") + " optional int32 e = 3 [(field) = {privacy: PRECISE column: \"y\"}];",
     ""},
    {"32_platform_column", "", "optional string firmware = 2 [(field) = {privacy: IDENTITY}];",
     "column-reserved firmware",
     "optional string engine_firmware = 2 [(field) = {privacy: IDENTITY}];", ""},
    {"33_list_into_a_single_column", kKm,
     kKm + " repeated float e = 3 [(field) = {privacy: PRECISE column: \"d\"}];",
     "column-retyped e",
     kKm + " optional double e = 3 [(field) = {privacy: PRECISE column: \"d\" scale: 1000}];", ""},
};

INSTANTIATE_TEST_SUITE_P(Rules, OptionRules, ::testing::ValuesIn(kCases),
                         [](const auto& one) { return "rule_" + one.param.name; });

// Approvals

Approvals By(std::vector<std::string> approvers, Change change, const std::string& field,
             const std::string& publisher = "") {
  return {{{"telltale.v1.Report." + field, change, "ann", std::move(approvers), "asked the DPO"}},
          publisher};
}

TEST(ApprovalRules, ANewOpenFieldNeedsOneApproverOtherThanTheAuthor) {
  const Texts before = Report("");
  const Texts after = Report(Field("privacy: OPEN"));
  const auto judged = [&](const Approvals& approvals) {
    return ShortIds(CompareTexts({before}, after, approvals));
  };
  EXPECT_EQ(judged(By({"bob"}, Change::kOpen, "d")), "approved d");
  EXPECT_EQ(judged(By({"ann"}, Change::kOpen, "d")), "open-unapproved d");
  EXPECT_EQ(judged(By({" ANN "}, Change::kOpen, "d")), "open-unapproved d");
  EXPECT_EQ(judged(By({"bob"}, Change::kOpen, "d", "Bob")), "open-unapproved d");
  EXPECT_EQ(judged(By({""}, Change::kOpen, "d")), "open-unapproved d");
  EXPECT_EQ(judged(By({"bob"}, Change::kLower, "d")), "open-unapproved d");
  EXPECT_EQ(judged(By({"bob"}, Change::kOpen, "seq")), "open-unapproved d");
}

TEST(ApprovalRules, LoweringAClassNeedsTwo) {
  const Texts before = Report(Field("privacy: IDENTITY"));
  const Texts after = Report(Field("privacy: OPEN"));
  const auto judged = [&](const Approvals& approvals) {
    return ShortIds(CompareTexts({before}, after, approvals));
  };
  EXPECT_EQ(judged(By({"bob", "carol"}, Change::kLower, "d")), "approved d");
  EXPECT_EQ(judged(By({"bob"}, Change::kLower, "d")), "class-lowered d");
  EXPECT_EQ(judged(By({"bob", "BOB"}, Change::kLower, "d")), "class-lowered d");
  EXPECT_EQ(judged(By({"bob", "ann"}, Change::kLower, "d")), "class-lowered d");
  EXPECT_EQ(judged(By({"bob", "carol"}, Change::kOpen, "d")), "class-lowered d");
}

TEST(ApprovalRules, ASealedTextIsOpenedOnlyWithBounds) {
  const auto judged = [&](const std::string& option) {
    return ShortIds(CompareTexts({Report(Text("privacy: IDENTITY"))}, Report(Text(option)),
                                 By({"bob", "carol"}, Change::kLower, "t")));
  };
  EXPECT_EQ(judged("privacy: OPEN"), "open-text-unbounded t\nopen-text-by-code t\napproved t");
  EXPECT_EQ(judged("privacy: OPEN values: \"ON\""), "approved t");
}

TEST(ApprovalRules, WhatWasApprovedOnceNeedsNoApprovalInLaterVersions) {
  const Texts identity = Report(Field("privacy: IDENTITY"));
  const Texts open = Report(Field("privacy: OPEN"));
  EXPECT_EQ(ShortIds(CompareTexts({identity, open}, open)), "");
  EXPECT_EQ(ShortIds(CompareTexts({open, identity}, open)), "class-lowered d");
}

TEST(ApprovalRules, OpenTextIsBoundedWhoeverApprovesIt) {
  const auto judged = [&](const std::string& option) {
    return ShortIds(
        CompareTexts({Report("")}, Report(Text(option)), By({"bob"}, Change::kOpen, "t")));
  };
  EXPECT_EQ(judged("privacy: OPEN"), "open-text-unbounded t\napproved t");
  EXPECT_EQ(judged("privacy: OPEN values: \"ON\""), "approved t");
  EXPECT_EQ(judged("privacy: OPEN pattern: \"[A-Z]{3}\""), "approved t");
}

TEST(ApprovalRules, MoreOfAnOpenTextNeedsAnApprovalToo) {
  const auto judged = [&](const std::string& before, const std::string& after) {
    return ShortIds(
        CompareTexts({Report(Text(before))}, Report(Text(after)), By({"bob"}, Change::kOpen, "t")));
  };
  EXPECT_EQ(judged("privacy: OPEN values: \"a\"", "privacy: OPEN values: \"a\" values: \"b\""),
            "approved t");
  EXPECT_EQ(judged("privacy: OPEN", "privacy: OPEN pattern: \"[a-z]\""), "approved t");
}

TEST(ApprovalRules, WhatTheVerdictRestsOnIsGivenBack) {
  Approvals approvals = By({"bob"}, Change::kOpen, "d");
  approvals.all.push_back({"telltale.v1.Report.other", Change::kOpen, "ann", {"bob"}, "unneeded"});
  const Comparison told = CompareTexts({Report("")}, Report(Field("privacy: OPEN")), approvals);
  ASSERT_EQ(told.used.size(), 1u);
  EXPECT_EQ(told.used[0], approvals.all[0]);
}

// Where our options apply

TEST(OptionScope, MessagesThatOurOptionsDoNotReachNeedNoClass) {
  const auto with = [](const std::string& more) { return Report("", more); };
  EXPECT_EQ(ShortIds(CompareTexts({with("message Batch { repeated Report r = 1; }")},
                                  with("message Batch { repeated Report r = 1; "
                                       "optional string note = 2; }"))),
            "");
}

TEST(OptionScope, WhatAReportHoldsIsJudgedWithIt) {
  const auto with = [](const std::string& members) {
    return Report("Part part = 2 [(field) = {privacy: IDENTITY}];",
                  "message Part {" + members + "}");
  };
  EXPECT_EQ(ShortIds(CompareTexts({with("")}, with("optional float x = 1;"))),
            "class-missing Part.x");
}

TEST(OptionScope, DroppingEveryOptionDoesNotEscapeTheRules) {
  const Texts before = {{"telltale/v1/options.proto", OptionsProto()},
                        {"a.proto",
                         "syntax = \"proto3\"; package telltale.v1; "
                         "import \"telltale/v1/options.proto\"; message R { optional float a = 1 "
                         "[(field) = {unit: \"m\" privacy: OPEN}]; }"}};
  Texts after = before;
  after["a.proto"] =
      "syntax = \"proto3\"; package telltale.v1; import \"telltale/v1/options.proto\"; "
      "message R { optional float a = 1; optional float b = 2; }";
  EXPECT_EQ(ShortIds(CompareTexts({before}, after)),
            "unit-changed R.a\nclass-raised R.a\nclass-missing R.b");
}

TEST(OptionScope, ANewRequiredFieldOfANewMemberCannotBeNull) {
  const Texts before = Report("");
  Texts after = before;
  after["telltale/v1/part.proto"] =
      "syntax = \"proto2\"; package telltale.v1; import \"telltale/v1/options.proto\"; "
      "message Part { required float x = 1 [(field) = {privacy: PRECISE}]; }";
  after["telltale/v1/a.proto"] =
      "syntax = \"proto3\"; package telltale.v1; import \"telltale/v1/options.proto\"; "
      "import \"telltale/v1/part.proto\"; message Report { "
      "optional int32 seq = 1 [(field) = {privacy: OPEN}]; "
      "Part part = 2 [(field) = {privacy: PRECISE}]; }";
  EXPECT_EQ(ShortIds(CompareTexts({before}, after)), "column-not-nullable Part.x");
}

TEST(BlockRules, ANewNumberLiesInABlockAboveAllThatWereUsedInIt) {
  const std::string blocks =
      "option (block) = {name: \"motion\" first: 1 last: 19};"
      "option (block) = {name: \"brakes\" first: 20 last: 29};"
      "optional int32 a = 4 [(field) = {privacy: PRECISE}];"
      "optional int32 b = 22 [(field) = {privacy: PRECISE}];";
  const auto judged = [&](int number) {
    const Comparison told = CompareTexts(
        {Report(blocks)}, Report(blocks + "optional int32 c = " + std::to_string(number) +
                                 " [(field) = {privacy: PRECISE}];"));
    return told.findings.empty() ? "" : ShortIds(told) + ": " + told.findings[0].advice;
  };
  EXPECT_EQ(judged(5), "");
  EXPECT_EQ(judged(23), "");
  EXPECT_EQ(judged(3), "number-below-highest c: take 5");
  EXPECT_EQ(judged(21), "number-below-highest c: take 23");
  EXPECT_EQ(judged(30),
            "number-outside-block c: take a number of a block, or add a block for the subject");
}

TEST(BlockRules, DerivedNumbersDoNotRaiseWhatCarsUse) {
  const std::string before =
      "optional int32 d = 10001 [(field) = {privacy: PRECISE derived: true}];";
  const Comparison told = CompareTexts(
      {Report(before)}, Report(before + "optional int32 c = 2 [(field) = {privacy: PRECISE}];"));
  EXPECT_EQ(ShortIds(told), "");
}

TEST(OwnContract, TheContractOfThisTreeIsAcceptedAgainstItself) {
  PosixDisk disk;
  const auto source = Source::Read(disk, TELLTALE_SOURCE_DIR "/contract");
  ASSERT_TRUE(source.ok());
  ASSERT_TRUE((*source)->problems().empty());
  const Version version = (*source)->AsVersion("1");
  const auto told = Compare((*source)->candidate(), {&version, 1});
  ASSERT_TRUE(told.ok());
  EXPECT_FALSE(told->rejected()) << Told(*told);
}

}  // namespace
}  // namespace telltale::contract::check
