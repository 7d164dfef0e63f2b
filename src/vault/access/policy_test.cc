// A policy is refused as a whole and with every mistake's line; what it allows is what it says.
#include "vault/access/policy.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace telltale::access {
namespace {

constexpr const char* kWhole = R"(version: 1
roles:
  investigator: [request]
  privacy: [approve, audit, subject_export]
  editor: [edit_policy]
people:
  - {number: 1, name: Asker, uids: [1001], roles: [investigator]}
  - {number: 2, name: Officer, uids: [1002], certificates: [officer], roles: [privacy]}
  - {number: 3, name: Editor, roles: [editor],
     certificates: ["sha256:00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff"]}
purposes:
  crash:
    roles: [investigator]
    form: trace
    fields: [latitude_deg, longitude_deg]
    max_vehicles: 2
    max_hours: 48
    second_person: {over_vehicles: 1, over_hours: 24}
    approve_roles: [privacy]
  wear:
    roles: [investigator]
    form: distance_bins
    bin_m: 500
    time_floor_s: 300
    max_vehicles: 100
    max_hours: 744
    second_person: never
caps: {requests: 10, vehicles: 20, rows: 1000}
)";

std::string With(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

// "LINE: what" of each mistake.
std::string Mistakes(const std::string& text, const char* kind = "dev") {
  std::string all;
  for (const PolicyMistake& mistake : ReadPolicy(text, kind).mistakes) {
    all += std::to_string(mistake.line) + ": " + mistake.what + "\n";
  }
  return all;
}

TEST(PolicyTest, AWholePolicySaysWhoIsWhoAndMayDoWhat) {
  ASSERT_EQ(Mistakes(kWhole), "");
  const Policy policy = ReadPolicy(kWhole, "prod").policy;
  const Person* asker = policy.PersonOf(Caller{.uid = 1001, .common_name = "", .fingerprint = ""});
  ASSERT_NE(asker, nullptr);
  EXPECT_EQ(asker->number, 1u);
  EXPECT_EQ(policy.PersonOf(Caller{.uid = 7, .common_name = "", .fingerprint = ""}), nullptr);
  const Caller officer{.uid = {}, .common_name = "officer", .fingerprint = "ab"};
  ASSERT_NE(policy.PersonOf(officer), nullptr);
  EXPECT_EQ(policy.PersonOf(officer)->number, 2u);
  const Caller editor{
      .uid = {},
      .common_name = "x",
      .fingerprint = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"};
  ASSERT_NE(policy.PersonOf(editor), nullptr);
  EXPECT_TRUE(policy.Has(*policy.PersonOf(editor), Verb::kEditPolicy));
  EXPECT_FALSE(policy.Has(*asker, Verb::kApprove));
  EXPECT_EQ(policy.RoleFor(*asker, policy.purposes.at("crash")), "investigator");
  EXPECT_EQ(policy.RoleFor(*policy.PersonOf(officer), policy.purposes.at("crash")), "");
  EXPECT_TRUE(policy.MayApprove(*policy.PersonOf(officer), policy.purposes.at("crash").approval));
  EXPECT_FALSE(policy.MayApprove(*asker, policy.purposes.at("crash").approval));
}

TEST(PolicyTest, IdentitiesOfTwoPeopleAreNobody) {
  const Policy policy = ReadPolicy(kWhole, "dev").policy;
  EXPECT_EQ(policy.PersonOf(Caller{.uid = 1001, .common_name = "officer", .fingerprint = ""}),
            nullptr);
  EXPECT_EQ(policy.PersonOf(Caller{}), nullptr);
}

TEST(PolicyTest, APersonIsTheSameUnderANewNumberOrAnotherIdentity) {
  EXPECT_TRUE(IsSamePerson({1, {5}, {}}, {2, {5, 6}, {}}));
  EXPECT_TRUE(IsSamePerson({1, {}, {"a"}}, {2, {}, {"a"}}));
  EXPECT_TRUE(IsSamePerson({1, {5}, {}}, {1, {6}, {}}));
  EXPECT_FALSE(IsSamePerson({1, {5}, {"a"}}, {2, {6}, {"b"}}));
  EXPECT_FALSE(IsSamePerson({0, {}, {}}, {0, {}, {}}));
}

struct Refused {
  const char* from;
  const char* to;
  const char* mistake;  // part of it, with its line
};

TEST(PolicyTest, EachMistakeIsRefusedWithItsLine) {
  const std::vector<Refused> cases = {
      {"version: 1", "version: 2", "1: version must be 1"},
      {"caps:", "cap:", "35: unknown key in the policy"},
      {"[request]", "[request, peek]", "3: role investigator: a verb is"},
      {"number: 2", "number: 1", "8: person 1: its number or an identity"},
      {"uids: [1002]", "uids: [1001]", "8: person 2: its number or an identity"},
      {"uids: [1001]", "uids: [x]", "7: person 1: a user id is a number"},
      {"uids: [1001], ", "", "7: person 1: without uids and certificates"},
      {"sha256:00", "sha256:0", "9: person 3: sha256: takes 64 hex digits"},
      {"roles: [editor],", "roles: [boss],", "9: person 3: there is no such role as boss"},
      {"form: trace", "form: map", "13: purpose crash: form must be"},
      {"bin_m: 500", "bin_m: 5", "23: purpose wear: bin_m must be a number from 100"},
      {"bin_m: 500", "bin_m: 500\n    fields: all", "24: purpose wear: fields does not go with"},
      {"    bin_m: 500\n", "", "21: purpose wear: bin_m must be"},
      {"time_floor_s: 300", "time_floor_s: 1", "24: purpose wear: time_floor_s must be"},
      {"form: distance_bins\n    bin_m: 500", "form: cells\n    cell_level: 13",
       "23: purpose wear: cell_level must be a number from 5 to 12"},
      {"max_hours: 48", "max_hours: 9999", "16: purpose crash: max_hours must be"},
      {"    approve_roles: [privacy]\n", "", "12: purpose crash: approve_roles must be a list"},
      {"second_person: never", "second_person: maybe", "27: purpose wear: second_person must be"},
      {"[latitude_deg, longitude_deg]", "[latitude_deg]\n    classes: [quarantine]",
       "15: purpose crash: class quarantine needs"},
      {"rows: 1000", "rows: 0", "28: caps: rows must be"},
      {"  crash:\n", "  crash: &a\n", "11: an anchor or alias"},
      {"caps:", "holds: {approve_roles: [privacy], approvers: 1}\ncaps:",
       "28: holds: approvers must be a number from 2"},
      {"roles:\n", "roles: [\n", "not YAML"},
  };
  for (const Refused& one : cases) {
    const std::string mistakes = Mistakes(With(kWhole, one.from, one.to));
    const std::string what(one.mistake);
    // The line in the table is for the reader where an edit moves lines: the words must be there.
    const std::size_t colon = what.find(": ");
    const std::string words = what[0] >= '0' && what[0] <= '9' ? what.substr(colon + 2) : what;
    EXPECT_NE(mistakes.find(words), std::string::npos) << one.to << "\n" << mistakes;
  }
  EXPECT_TRUE(Mistakes(With(kWhole, "version: 1", "version: 2")).starts_with("1: "));
  EXPECT_TRUE(Mistakes(With(kWhole, "form: trace", "form: map")).starts_with("14: "));
  EXPECT_TRUE(Mistakes(With(kWhole, "bin_m: 500", "bin_m: 5")).starts_with("23: "));
}

TEST(PolicyTest, ProdRefusesExactTracesWithoutASecondPerson) {
  const std::string loose = With(
      With(kWhole, "second_person: {over_vehicles: 1, over_hours: 24}", "second_person: never"),
      "    approve_roles: [privacy]\n", "");
  EXPECT_EQ(Mistakes(loose, "dev"), "");
  EXPECT_EQ(Mistakes(loose, "staging"), "");
  EXPECT_NE(Mistakes(loose, "prod").find("18: purpose crash: in an environment of kind prod"),
            std::string::npos);
}

TEST(PolicyTest, WhatInitWritesHoldsInEveryKindOfEnvironment) {
  for (const char* kind : {"dev", "staging", "prod"}) {
    const std::string text = FirstPolicy({0, 1000}, kind);
    EXPECT_EQ(Mistakes(text, kind), "") << kind;
    const Policy policy = ReadPolicy(text, kind).policy;
    EXPECT_NE(policy.PersonOf(Caller{.uid = 1000, .common_name = "", .fingerprint = ""}), nullptr);
    EXPECT_EQ(policy.purposes.at("crash_reconstruction").form, Form::kTrace);
  }
  // In prod one person is not enough, and the check says so.
  EXPECT_FALSE(ReadPolicy(FirstPolicy({0}, "prod"), "prod").warnings.empty());
}

TEST(PolicyTest, APolicyOverTheLimitIsNotRead) {
  EXPECT_FALSE(ReadPolicy(std::string(kPolicyBytesMax + 1, '#'), "dev").mistakes.empty());
  for (const char* text : {"", "- a", "text", "a: b", "version: 1"}) {
    EXPECT_FALSE(ReadPolicy(text, "dev").mistakes.empty()) << text;
  }
}

}  // namespace
}  // namespace telltale::access
