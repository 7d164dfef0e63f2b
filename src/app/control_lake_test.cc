#include "app/control_lake.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/check.h"

namespace telltale::app {
namespace {

using nlohmann::json;

const std::string kStable(64, 'a');
const std::string kCandidate(64, 'b');
constexpr Micros kBegan = Micros::Seconds(1'800'000'000);

json RolloutIn(const std::string& phase, const std::string& id = "prod-3") {
  return {{"id", id},
          {"environment", "prod"},
          {"candidate", kCandidate},
          {"stable", kStable},
          {"stage", 0},
          {"phase", phase},
          {"shadow_per_10000", 500},
          {"cohort", {{"key", ""}, {"salt", id}, {"always", {"ab"}}, {"never", json::array()}}},
          {"closed_at", phase == "withdrawn" ? "2026-11-30T10:00:00Z" : ""}};
}

std::vector<std::string> Names(const std::vector<LakeErrand>& errands) {
  std::vector<std::string> names;
  for (const LakeErrand& errand : errands) names.push_back(errand.name);
  return names;
}

using Texts = std::vector<std::string>;

TEST(LakeErrandsTest, AChangedFeatureIsComputedForTheCohortOfTheStage) {
  const auto errands =
      LakeErrands({{.rollout = RolloutIn("shadow"), .dir = "/prod", .features = true}}, {});
  ASSERT_EQ(Names(errands), Texts{"prod-3 stage 1 features"});
  EXPECT_EQ(errands[0].arguments,
            (Texts{"shadow", "features", "--dir", "/prod", "--release", kCandidate, "--stable",
                   kStable, "--order", R"({"always":["ab"],"never":[],"salt":"prod-3"})", "--lots",
                   "501", "--reopen", "--quiet"}));
}

TEST(LakeErrandsTest, TheLastStageIsEverybody) {
  json rollout = RolloutIn("authority");
  rollout["shadow_per_10000"] = 10'000;
  rollout["stage"] = 1;
  const auto errands = LakeErrands({{.rollout = rollout, .dir = "/prod", .telemetry = true}}, {});
  ASSERT_EQ(Names(errands), Texts{"prod-3 stage 2 telemetry"});
  EXPECT_EQ(errands[0].lots, 10'002u);
}

TEST(LakeErrandsTest, WhatChangesNothingInTheLakeIsNotComputedTwice) {
  EXPECT_TRUE(LakeErrands({{.rollout = RolloutIn("shadow"), .dir = "/prod"}}, {}).empty());
}

TEST(LakeErrandsTest, NothingIsComparedBeforeTheShadowAndAfterTheAuthority) {
  for (const char* phase : {"pending", "warming", "window"}) {
    const LakeRollout one{.rollout = RolloutIn(phase), .dir = "/prod", .features = true};
    EXPECT_TRUE(LakeErrands({one}, {}).empty()) << phase;
  }
}

TEST(LakeErrandsTest, FeaturesWaitForTheTelemetryThatTheyRead) {
  const LakeRollout one{
      .rollout = RolloutIn("shadow"), .dir = "/prod", .telemetry = true, .features = true};
  EXPECT_EQ(Names(LakeErrands({one}, {})), Texts{"prod-3 stage 1 telemetry"});
  const auto over = LakeErrands({one}, {{"prod-3 stage 1 telemetry", LakeOutcome::kDone}});
  ASSERT_EQ(Names(over), Texts{"prod-3 stage 1 features"});
  EXPECT_EQ(over[0].arguments.back(), "--over-shadow");
  const auto without = LakeErrands({one}, {{"prod-3 stage 1 telemetry", LakeOutcome::kGivenUp}});
  ASSERT_EQ(Names(without), Texts{"prod-3 stage 1 features"});
  EXPECT_NE(without[0].arguments.back(), "--over-shadow");
}

TEST(LakeErrandsTest, AShadowIsClosedOnceWhenItsRolloutEndsHoweverThatIs) {
  for (const char* phase : {"closed", "withdrawn", "rejected"}) {
    json rollout = RolloutIn(phase);
    rollout["closed_at"] = "2026-11-30T10:00:00Z";
    const LakeRollout one{.rollout = rollout, .dir = "/prod", .features = true};
    const auto errands = LakeErrands({one}, {});
    ASSERT_EQ(Names(errands), Texts{"prod-3 close"}) << phase;
    EXPECT_EQ(errands[0].arguments, (Texts{"shadow", "close", "--dir", "/prod", "--release",
                                           kCandidate, "--at", "2026-11-30T10:00:00Z"}));
    EXPECT_TRUE(LakeErrands({one}, {{"prod-3 close", LakeOutcome::kDone}}).empty());
  }
}

TEST(LakeErrandsTest, AReleaseThatCameBackIsNotClosedByItsEarlierRollout) {
  const LakeRollout now{.rollout = RolloutIn("shadow", "prod-4"), .dir = "/prod", .features = true};
  const LakeRollout before{.rollout = RolloutIn("withdrawn"), .dir = "/prod"};
  EXPECT_EQ(Names(LakeErrands({now, before}, {})), Texts{"prod-4 stage 1 features"});
}

// Answers as the plane does, with one environment and one rollout.
class OneRollout final : public control::Plane {
 public:
  explicit OneRollout(std::string dir) : dir_(std::move(dir)) {}

  Result<json> Do(const control::Actor&, std::string_view operation, const json&) override {
    if (operation == "status") {
      return json{{"leader", {{"is_this", is_leader}}},
                  {"environments", {{{"key", "prod"}, {"rollout", rollout}}}}};
    }
    const auto items = [](json one) { return json{{"items", {std::move(one)}}}; };
    if (operation == "environments.list") return items({{"key", "prod"}, {"dir", dir_}});
    if (operation == "rollouts.list") return items(rollout);
    if (operation == "release.get") return json{{"components", components}};
    if (operation == "release.diff") {
      return json{{"dual_run", {{"telemetry", telemetry}, {"features", features}}}};
    }
    return Error{Code::kNotFound, std::string(operation)};
  }
  Status Tick() override { return Ok(); }

  bool is_leader = true;
  json rollout = RolloutIn("shadow");
  json components = {{"features", "c"}};
  bool telemetry = false;
  json features = {"crank_dip"};

 private:
  const std::string dir_;
};

// A program that writes its arguments down and ends as it is told to.
class ControlLakeTest : public testing::Test {
 protected:
  ControlLakeTest()
      : folder_(MakeFolder()), plane_(folder_ + "/prod"), layout_(Layout::At(folder_)) {
    layout_.python = folder_ + "/python3";
    Write("prod/data/lake/catalog.db", "");
    EndWith("exit 0");
    lake_.emplace(plane_, control::Actor{"local:1"}, disk_, clock_, layout_);
  }
  ~ControlLakeTest() override {
    lake_.reset();
    std::filesystem::remove_all(folder_);
  }

  static std::string MakeFolder() {
    std::string name = testing::TempDir() + "control-lake-XXXXXX";
    CHECK(mkdtemp(name.data()) != nullptr);
    return name;
  }
  void Write(const std::string& name, const std::string& text) {
    const std::filesystem::path path = folder_ + "/" + name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  void EndWith(const std::string& last) {
    // In place of the one before in one step: a script that runs is not written to.
    Write("new", "#!/bin/sh\necho \"$@\" >> " + folder_ + "/ran\n" + last + "\n");
    std::filesystem::permissions(folder_ + "/new", std::filesystem::perms::owner_all);
    std::filesystem::rename(folder_ + "/new", layout_.python);
  }
  void PutReport(json report) {
    if (!report.contains("version")) report["version"] = 1;
    Write("prod/data/lake/shadow/" + kCandidate + "/features.json", report.dump());
  }

  // One look, and another when what it began has ended.
  void LookToTheEnd() {
    lake_->Look();
    if (lake_->pid() == 0) return;
    siginfo_t ended{};
    CHECK(waitid(P_PID, static_cast<id_t>(lake_->pid()), &ended, WEXITED | WNOWAIT) == 0);
    lake_->Look();
  }
  std::size_t Runs() {
    std::ifstream file(folder_ + "/ran");
    std::string line;
    std::size_t runs = 0;
    while (std::getline(file, line)) ++runs;
    return runs;
  }

  const std::string folder_;
  PosixDisk disk_;
  ManualClock clock_{kBegan};
  OneRollout plane_;
  Layout layout_;
  std::optional<ControlLake> lake_;
};

TEST_F(ControlLakeTest, AStageIsComparedOnce) {
  LookToTheEnd();
  LookToTheEnd();
  EXPECT_EQ(Runs(), 1u);
  plane_.rollout["phase"] = "authority";
  LookToTheEnd();
  EXPECT_EQ(Runs(), 1u);
  plane_.rollout["phase"] = "shadow";
  plane_.rollout["stage"] = 1;
  LookToTheEnd();
  EXPECT_EQ(Runs(), 2u) << "the next stage has more vehicles";
}

TEST_F(ControlLakeTest, WhatTheReportsHaveIsNotDoneAgainByAControlThatWasStartedAnew) {
  PutReport({{"salt", "prod-3"}, {"lots", 501}, {"closed_at_us", nullptr}});
  LookToTheEnd();
  EXPECT_EQ(Runs(), 0u);
  plane_.rollout = RolloutIn("withdrawn");
  LookToTheEnd();
  EXPECT_EQ(Runs(), 1u) << "the report is not closed";
  PutReport({{"salt", "prod-3"}, {"lots", 501}, {"closed_at_us", 7}});
  lake_.emplace(plane_, control::Actor{"local:1"}, disk_, clock_, layout_);
  LookToTheEnd();
  EXPECT_EQ(Runs(), 1u);
}

TEST_F(ControlLakeTest, AReportOfFewerVehiclesOrOfAClosedShadowDoesNotCount) {
  PutReport({{"salt", "prod-3"}, {"lots", 101}, {"closed_at_us", nullptr}});
  LookToTheEnd();
  EXPECT_EQ(Runs(), 1u);
  PutReport({{"salt", "prod-3"}, {"lots", 501}, {"closed_at_us", 7}});
  lake_.emplace(plane_, control::Actor{"local:1"}, disk_, clock_, layout_);
  LookToTheEnd();
  EXPECT_EQ(Runs(), 2u);
}

TEST_F(ControlLakeTest, AReportThatCannotBeReadIsMadeAnew) {
  const json report = {{"salt", "prod-3"}, {"lots", 501}, {"closed_at_us", nullptr}};
  for (const json& version : {json(2), json("1")}) {
    json other = report;
    other["version"] = version;
    PutReport(other);
    lake_.emplace(plane_, control::Actor{"local:1"}, disk_, clock_, layout_);
    LookToTheEnd();
  }
  EXPECT_EQ(Runs(), 2u);
}

TEST_F(ControlLakeTest, AFailureIsTriedAgainAfterAPauseAndGivenUpInTheEnd) {
  EndWith("echo 'no table' >&2; exit 1");
  for (int i = 1; i <= kLakeErrandTries; ++i) {
    LookToTheEnd();
    lake_->Look();
    EXPECT_EQ(Runs(), static_cast<std::size_t>(i));
    EXPECT_EQ(lake_->pid(), 0);
    clock_.Advance(kLakeErrandPause);
  }
  LookToTheEnd();
  EXPECT_EQ(Runs(), static_cast<std::size_t>(kLakeErrandTries));
  EXPECT_EQ(lake_->outcomes().at("prod-3 stage 1 features"), LakeOutcome::kGivenUp);
}

TEST_F(ControlLakeTest, AComparisonIsKilledWhenItsRolloutEndsAndTheShadowClosed) {
  EndWith("[ \"$4\" = close ] || exec sleep 1000");
  lake_->Look();
  const pid_t comparing = lake_->pid();
  ASSERT_NE(comparing, 0);
  plane_.rollout = RolloutIn("withdrawn");
  LookToTheEnd();
  EXPECT_NE(kill(comparing, 0), 0);
  EXPECT_EQ(lake_->outcomes().at("prod-3 close"), LakeOutcome::kDone);
}

TEST_F(ControlLakeTest, WhatTakesTooLongIsKilled) {
  EndWith("exec sleep 1000");
  lake_->Look();
  ASSERT_NE(lake_->pid(), 0);
  clock_.Advance(kLakeErrandMax);
  lake_->Look();
  EXPECT_EQ(lake_->pid(), 0);
}

TEST_F(ControlLakeTest, NothingRunsWithoutALakeAndInAStandby) {
  plane_.is_leader = false;
  lake_->Look();
  EXPECT_EQ(lake_->pid(), 0);
  plane_.is_leader = true;
  std::filesystem::remove(folder_ + "/prod/data/lake/catalog.db");
  lake_->Look();
  EXPECT_EQ(lake_->pid(), 0);
  Write("prod/data/lake/catalog.db", "");
  LookToTheEnd();
  EXPECT_EQ(Runs(), 1u) << "the lake was not there yet";
}

TEST_F(ControlLakeTest, AReleaseOfRulesAloneIsNotComparedWithTheOneThatInitMade) {
  plane_.components = {{"rules", "d"}};  // it names no features and runs the installed ones
  Write("share/telltale/features/crank_dip.sql", "SELECT 1");
  const std::string own = "prod/data/releases/" + kCandidate + "/features/crank_dip.sql";
  Write(own, "SELECT 1");
  LookToTheEnd();
  EXPECT_EQ(Runs(), 0u);
  Write(own, "SELECT 2");
  lake_.emplace(plane_, control::Actor{"local:1"}, disk_, clock_, layout_);
  LookToTheEnd();
  EXPECT_EQ(Runs(), 1u);
}

TEST_F(ControlLakeTest, TheSameFeaturesOverOtherColumnsAreCompared) {
  plane_.components = {{"rules", "d"}};
  plane_.telemetry = true;
  Write("share/telltale/features/crank_dip.sql", "SELECT 1");
  Write("prod/data/releases/" + kCandidate + "/features/crank_dip.sql", "SELECT 1");
  LookToTheEnd();
  EXPECT_EQ(lake_->outcomes().count("prod-3 stage 1 telemetry"), 1u);
  // The same look began what waited for it.
  EXPECT_NE(lake_->pid(), 0);
}

}  // namespace
}  // namespace telltale::app
