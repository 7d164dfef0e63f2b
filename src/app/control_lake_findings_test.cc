#include "app/control_lake_findings.h"

#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/sim_disk.h"

namespace telltale::app {
namespace {

using nlohmann::json;

const std::string kRelease(64, 'c');

json Comparison(std::uint64_t changed) {
  return {{"rows_stable", 100},
          {"rows_candidate", 100},
          {"same", 100 - changed},
          {"changed", changed},
          {"missing", 0},
          {"extra", 0},
          {"vehicles", 8},
          {"vehicles_affected", changed == 0 ? 0 : 3},
          {"columns", json::array()},
          {"columns_only_stable", json::array()},
          {"columns_only_candidate", json::array()},
          {"columns_retyped", json::array()},
          {"examples", {{{"kind", "changed"}, {"vehicle_ref", "0011223344"}}}}};
}

json Compared(const std::string& name, std::uint64_t changed) {
  return {{"name", name}, {"status", "compared"}, {"comparison", Comparison(changed)}};
}

json Report(json tables) {
  return {{"format", "telltale-shadow-report"},
          {"version", 1},
          {"kind", "features"},
          {"release", kRelease},
          {"salt", "prod-7"},
          {"lots", 1001},
          {"vehicles", {{"cohort", 8}, {"seen", 90}}},
          {"made_at_us", 1'796'032'800'000'000},
          {"closed_at_us", nullptr},
          {"tables", std::move(tables)}};
}

json FindingOf(const json& report, const std::string& salt = "prod-7") {
  return LakeFinding(report.dump(), "features", {.release = kRelease, .salt = salt});
}

TEST(LakeFindingTest, WhatIsWrongComesFirstAndNoVehicleIsNamed) {
  json wear = Compared("wear", 5);
  wear["comparison"]["columns"] = {{{"name", "mm"}, {"changed", 5}, {"largest", 0.25}}};
  const json finding =
      FindingOf(Report({{{"name", "as_is"}, {"status", "same_code"}},
                        Compared("a", 0),
                        Compared("b", 2),
                        wear,
                        {{"name", "broken"}, {"status", "failed"}, {"error", "no column x"}}}));
  EXPECT_EQ(finding["verdict"], "failed");
  EXPECT_EQ(finding["at"], FormatUtc(Micros{1'796'032'800'000'000}));
  EXPECT_EQ(finding["vehicles"], (json{{"cohort", 8}, {"seen", 90}}));
  std::string order;
  for (const json& one : finding["tables"]) {
    order += one["name"].get<std::string>() + "=" + one["verdict"].get<std::string>() + " ";
  }
  EXPECT_EQ(order, "broken=failed wear=differs b=differs a=same as_is=same ");
  EXPECT_EQ(finding["tables"][0]["error"], "no column x");
  EXPECT_EQ(finding["tables"][0]["changed"], json()) << "nobody counted";
  EXPECT_EQ(finding["tables"][1]["worst"],
            (json{{{"column", "mm"}, {"changed", 5}, {"largest", 0.25}}}));
  EXPECT_EQ(finding.dump().find("0011223344"), std::string::npos);
}

TEST(LakeFindingTest, TheVerdictIsThatOfTheWorstTable) {
  EXPECT_EQ(FindingOf(Report(json::array()))["verdict"], "not_compared");
  EXPECT_EQ(FindingOf(Report({Compared("a", 0)}))["verdict"], "same");
  EXPECT_EQ(FindingOf(Report({Compared("a", 0), Compared("b", 1)}))["verdict"], "differs");
  EXPECT_EQ(FindingOf(Report({{{"name", "new"}, {"status", "added"}}}))["verdict"], "differs");
  json retyped = Compared("a", 0);
  retyped["comparison"]["columns_retyped"] = {"x"};
  EXPECT_EQ(FindingOf(Report({retyped}))["verdict"], "differs");
}

TEST(LakeFindingTest, AnotherRolloutsReportIsForeignAndOnlyItsReasonIsTold) {
  const json report = Report({Compared("a", 7)});
  for (const json& finding :
       {FindingOf(report, "prod-8"),
        LakeFinding(report.dump(), "telemetry", {.release = kRelease, .salt = "prod-7"}),
        LakeFinding(report.dump(), "features", {.release = std::string(64, 'd'), .salt = ""})}) {
    EXPECT_EQ(finding["verdict"], "foreign");
    EXPECT_NE(finding["reason"], "");
    EXPECT_EQ(finding["tables"], json::array());
  }
  EXPECT_EQ(FindingOf(report, "")["verdict"], "differs") << "any cohort's was asked for";
}

TEST(LakeFindingTest, WhatIsNoReportIsUnreadableWithTheReason) {
  json newer = Report({});
  newer["version"] = 2;
  json other = Report({});
  other["format"] = "something";
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("[]"), newer.dump(), other.dump()}) {
    const json finding = LakeFinding(text, "features", {.release = kRelease, .salt = "prod-7"});
    EXPECT_EQ(finding["verdict"], "unreadable") << text;
    EXPECT_NE(finding["reason"], "") << text;
  }
}

TEST(LakeFindingTest, MembersOfAnotherTypeCostNoMoreThanThemselves) {
  json report = Report({Compared("a", 1), 3, "x"});
  report["vehicles"] = "many";
  report["made_at_us"] = -1;
  report["tables"][0]["comparison"]["same"] = "ninety";
  report["tables"][0]["comparison"]["columns"] = {3, {{"name", std::string(999, 'n')}}};
  const json finding = FindingOf(report);
  EXPECT_EQ(finding["verdict"], "differs");
  EXPECT_EQ(finding["at"], "");
  EXPECT_EQ(finding["vehicles"], json());
  ASSERT_EQ(finding["tables"].size(), 1u);
  EXPECT_EQ(finding["tables"][0]["same"], json());
  EXPECT_LT(finding["tables"][0]["worst"][0]["column"].get<std::string>().size(), 400u);
}

TEST(LakeFindingTest, ALongReportIsCutAndSaysByHowMuch) {
  json tables = json::array();
  for (int i = 0; i < 33; ++i) tables.push_back(Compared("t" + std::to_string(i), 0));
  const json finding = FindingOf(Report(tables));
  EXPECT_EQ(finding["tables"].size(), 20u);
  EXPECT_EQ(finding["tables_left_out"], 13);
}

TEST(LakeFindingTest, AReportThatIsNotThereIsNull) {
  SimDisk disk;
  const LakeQuestion question{.release = kRelease, .salt = "prod-7"};
  EXPECT_EQ(LakeFindings(disk, "/env", question),
            (json{{"features", nullptr}, {"telemetry", nullptr}}));
  const std::string folder = "/env/data/lake/shadow/" + kRelease;
  ASSERT_TRUE(disk.MakeFolders(folder, 0755).ok());
  ASSERT_TRUE(WriteFileDurably(disk, folder + "/features.json", Report({}).dump()).ok());
  ASSERT_TRUE(WriteFileDurably(disk, folder + "/telemetry.json", "half of").ok());
  const json found = LakeFindings(disk, "/env", question);
  EXPECT_EQ(found["features"]["verdict"], "not_compared");
  EXPECT_EQ(found["telemetry"]["verdict"], "unreadable");
}

}  // namespace
}  // namespace telltale::app
