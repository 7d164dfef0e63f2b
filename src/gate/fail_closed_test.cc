// Each way in which a gate somewhere is known to fail open, and that this one does not. The names
// say where it was seen; docs/gate.md lists them. All asks go to TheGate(), so that the show can
// put an open one in its place and see each test fail.
#include <gtest/gtest.h>

#include <limits>
#include <utility>

#include "gate/open_gate_testing.h"

namespace telltale::gate {
namespace {

using testing::Clean;
using testing::GoodEvidence;
using testing::GoodSettings;
using testing::Holds;
using testing::kHour;
using testing::kNow;
using testing::TheGate;

class FailClosedTest : public ::testing::Test {
 protected:
  Report Now() const { return TheGate().judge(evidence, settings, kNow); }
  // Holds for `rule`, and passes nothing.
  void ExpectHold(Rule rule) const {
    const Report report = Now();
    EXPECT_EQ(report.verdict.outcome, Outcome::kHold) << InWords(report);
    EXPECT_TRUE(Holds(report, rule)) << RuleName(rule) << "\n" << InWords(report);
  }
  void ExpectHalt(Rule rule) const {
    const Report report = Now();
    EXPECT_EQ(report.verdict.outcome, Outcome::kHalt) << InWords(report);
    EXPECT_EQ(report.verdict.rule, rule) << InWords(report);
  }
  // A cohort of so many vehicles in which all is well, without strata.
  void Shrink(std::int64_t vehicles) {
    evidence.exposure.vehicles = vehicles;
    evidence.exposure.strata.clear();
    for (PairedEvidence& paired : evidence.paired) {
      paired.counts = Clean(vehicles);
      paired.strata.clear();
    }
  }
  // The first rule alone is seen of so many vehicles, `missing` of them without an alert.
  void FiresFor(std::int64_t vehicles, std::int64_t missing = 0) {
    evidence.paired[0].counts = Clean(vehicles);
    evidence.paired[0].counts.missing = missing;
    evidence.paired[0].strata.clear();
  }
  // Takes the digest of changed settings as agreed: what is tested is something else.
  void Agree() {
    evidence.basis.gate_digest = GateDigest(settings);
    for (Approval& one : evidence.approvals) one.gate_digest = evidence.basis.gate_digest;
  }

  GateSettings settings = GoodSettings();
  Evidence evidence = GoodEvidence(settings);
};

TEST_F(FailClosedTest, TheGoodReleasePassesSoThatTheOthersMeanSomething) {
  const Report report = Now();
  EXPECT_EQ(report.verdict.outcome, Outcome::kPass) << InWords(report);
  EXPECT_TRUE(report.holds.empty());
}

TEST_F(FailClosedTest, NoEvidenceAtAllIsNoPass) {
  EXPECT_EQ(TheGate().judge({}, {}, kNow).verdict.outcome, Outcome::kHold);
  EXPECT_EQ(TheGate().judge({}, settings, kNow).verdict.outcome, Outcome::kHold);
  EXPECT_EQ(TheGate().judge(evidence, {}, kNow).verdict.outcome, Outcome::kHold);
}

TEST_F(FailClosedTest, KayentaReplacesNaNByZeroAndPasses) {
  auto json = nlohmann::json(ToJson(evidence));
  json["paired"][0]["counts"]["missing"] = nullptr;
  EXPECT_FALSE(TheGate().read(json).ok());
  json = nlohmann::json(ToJson(evidence));
  json["exposure"]["driving_s"] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(TheGate().read(json).ok());
  evidence.blocks[0].blocks[3].difference = std::numeric_limits<double>::quiet_NaN();
  ExpectHold(Rule::kEvidenceInconsistent);
}

TEST_F(FailClosedTest, KayentaReplacesAMetricWithoutDataByZerosAndPasses) {
  evidence.paired[0].counts = {};
  evidence.paired[0].strata.clear();
  ExpectHold(Rule::kConfirmation);
}

TEST_F(FailClosedTest, KayentaRemovesAMetricWithoutDataUnlessItIsCritical) {
  evidence.paired.erase(evidence.paired.begin() + 1);
  ExpectHold(Rule::kSourceStale);
}

TEST_F(FailClosedTest, KayentaFailsOnlyWhenHalfOfTheMetricsHaveNoData) {
  evidence.blocks.clear();  // one of four
  ExpectHold(Rule::kSourceStale);
}

TEST_F(FailClosedTest, KayentaScoresAGroupWithoutDataAsHundred) {
  // The family "fields" loses all it has; nobody else becomes stronger or weaker by that.
  const Report before = Now();
  evidence.paired.erase(evidence.paired.begin() + 2);
  const Report after = Now();
  EXPECT_EQ(after.verdict.outcome, Outcome::kHold);
  EXPECT_EQ(before.metrics[0].weight, after.metrics[0].weight);
  EXPECT_LE(after.log_e, before.log_e);
}

TEST_F(FailClosedTest, KayentaSkipsTheEffectWhenTheBaselineIsZero) {
  ArmSums candidate = {.vehicles = 500, .y = 200, .e = 5000, .yy = 400, .ye = 2000, .ee = 50000};
  ArmSums control = {.vehicles = 500, .y = 0, .e = 5000, .yy = 0, .ye = 0, .ee = 50000};
  EXPECT_TRUE(TheGate().judge_rate({{candidate, control}}, {.planned = {1.0}}).is_above);
}

TEST_F(FailClosedTest, KayentaAddsNoiseToConstantArmsSoThatVerdictsDiffer) {
  EXPECT_EQ(ToJson(Now()), ToJson(Now()));
  const ArmSums constant = {.vehicles = 100, .y = 100, .e = 100, .yy = 100, .ye = 100, .ee = 100};
  EXPECT_FALSE(TheGate().compare_rates({constant, constant}, 1.2).is_usable);
  EXPECT_FALSE(TheGate().judge_rate({{constant, constant}}, {.planned = {1.0}}).is_below);
}

TEST_F(FailClosedTest, KayentaDoesNotCorrectForTheNumberOfMetrics) {
  // Ten rules instead of one: the weight of each is a tenth, and all weights are still one.
  for (int i = 0; i < 9; ++i) {
    MetricSettings metric = settings.metrics[0];
    metric.name = "rule/" + std::to_string(i);
    settings.metrics.push_back(metric);
  }
  Agree();
  double sum = 0;
  for (const MetricReport& metric : Now().metrics) sum += metric.weight;
  EXPECT_NEAR(sum, 1, 1e-12);
}

TEST_F(FailClosedTest, KayentaOnlyWarnsBelowFiftyPoints) {
  Shrink(49);
  ExpectHold(Rule::kBelowMinimumVehicles);
}

TEST_F(FailClosedTest, Kayenta377ErrsInHalfOfTheWindowsWhileTheBaselineNeverDoes) {
  // As published: 36 of 60 windows, 18 of 30, 6 of 10.
  for (const std::int64_t windows : {60, 30, 10}) {
    FiresFor(windows, windows * 6 / 10);
    ExpectHalt(Rule::kL1Missing);
  }
}

TEST_F(FailClosedTest, Kayenta799HasAnEmptyControl) {
  // Stable fires nowhere, the candidate everywhere.
  evidence.paired[0].counts = Clean(2000);
  evidence.paired[0].counts.stable_fired = 0;
  evidence.paired[0].counts.extra = 200;
  ExpectHalt(Rule::kL1Extra);
  evidence.paired[0].counts.extra = 0;
  evidence.paired[0].counts.candidate_fired = 0;
  ExpectHold(Rule::kConfirmation);
  EXPECT_FALSE(
      TheGate()
          .judge_rate({{{.vehicles = 9, .y = 9, .e = 9, .yy = 9, .ye = 9, .ee = 9}, {}}}, {})
          .is_below);
}

TEST_F(FailClosedTest, BelowHalfOfTheWindowsTheVerdictHangsOnTies) {
  // More missing is never less evidence, tie or not.
  double before = -1e9;
  bool is_halted = false;
  for (std::int64_t missing = 0; missing <= 80; missing += 4) {
    evidence.paired[0].counts.missing = missing;
    evidence.paired[0].strata.clear();
    const Report report = Now();
    EXPECT_GE(report.log_e, before);
    before = report.log_e;
    EXPECT_TRUE(!is_halted || report.verdict.outcome == Outcome::kHalt) << missing;
    is_halted = report.verdict.outcome == Outcome::kHalt;
  }
  EXPECT_TRUE(is_halted);
}

TEST_F(FailClosedTest, ArgoRecordsAnAnalysisThatEndedEarlyAsSuccessful) {
  evidence.exposure.event_to_us = evidence.exposure.event_from_us + kHour;
  ExpectHold(Rule::kSoak);
}

TEST_F(FailClosedTest, ArgoJudgesAnEmptyAnswerByItsDefault) {
  EXPECT_FALSE(TheGate().read(nlohmann::json::object()).ok());
  EXPECT_FALSE(TheGate().read(nlohmann::json()).ok());
  EXPECT_FALSE(TheGate().read(nlohmann::json::array()).ok());
  auto json = nlohmann::json(ToJson(evidence));
  json["paired"][0]["counts"].erase("extra");
  EXPECT_FALSE(TheGate().read(json).ok());
}

TEST_F(FailClosedTest, HawkBitTakesAConditionItCannotReadAsNoError) {
  settings.alpha_halt = 0;
  ExpectHold(Rule::kSettingsInvalid);
  auto json = nlohmann::json(ToJson(GoodSettings()));
  json["metrics"][0]["mising_max"] = 0.5;
  EXPECT_FALSE(TheGate().read_settings(json).ok());
  json = nlohmann::json(ToJson(GoodSettings()));
  json["metrics"][0]["missing_max"] = "1%";
  EXPECT_FALSE(TheGate().read_settings(json).ok());
}

TEST_F(FailClosedTest, AThresholdThatIsNoNumberHoldsAndIsNoThreshold) {
  const double no_number = std::numeric_limits<double>::quiet_NaN();
  for (const double wrong : {no_number, -0.01, 0.0, 2.0, std::numeric_limits<double>::infinity()}) {
    for (double* member :
         {&settings.alpha_halt, &settings.alpha_promote, &settings.alpha_balance,
          &settings.silent_max, &settings.metrics[0].missing_max, &settings.metrics[0].extra_max,
          &settings.metrics[0].missing_margin, &settings.metrics[3].block_margin}) {
      const double before = std::exchange(*member, wrong);
      EXPECT_EQ(Now().verdict.outcome, Outcome::kHold) << wrong;
      EXPECT_EQ(Now().verdict.rule, Rule::kSettingsInvalid) << wrong;
      *member = before;
    }
  }
}

TEST_F(FailClosedTest, AGateWithoutMetricsOrSourcesLooksAtNothing) {
  settings.metrics.clear();
  ExpectHold(Rule::kSettingsInvalid);
  settings = GoodSettings();
  settings.sources.clear();
  ExpectHold(Rule::kSettingsInvalid);
}

TEST_F(FailClosedTest, HawkBit693KeepsSilentVehiclesInProgressForEver) {
  evidence.exposure.silent_candidate = 100;
  ExpectHalt(Rule::kL1Silent);
  evidence.exposure.silent_candidate = 25;  // 1.25 %: not enough to halt, too many to pass
  ExpectHold(Rule::kSuspect);
}

TEST_F(FailClosedTest, Flagger30LetsAChangedCandidateInherit) {
  for (std::string* name :
       {&settings.candidate, &settings.stable, &settings.rollout, &settings.environment}) {
    const std::string before = std::exchange(*name, "another");
    ExpectHold(Rule::kEvidenceVoid);
    *name = before;
  }
}

TEST_F(FailClosedTest, Kargo5144KeepsAVerdictAfterTheThresholdChanged) {
  settings.metrics[0].missing_max = 0.02;
  ExpectHold(Rule::kEvidenceVoid);
}

TEST_F(FailClosedTest, Kargo5144KeepsAVerdictAfterTheContractChanged) {
  settings.metrics[2].component = "contract";
  settings.metrics[2].component_digest = "d2";
  Agree();
  ExpectHold(Rule::kEvidenceVoid);
  // Only what that component decides is void.
  const Report report = Now();
  EXPECT_EQ(report.metrics[0].n, 2000);
  EXPECT_EQ(report.metrics[4].n, 0);
}

TEST_F(FailClosedTest, GrowthBookShipsWhatIsInconclusive) {
  FiresFor(210, 2);
  ExpectHold(Rule::kUnderpowered);
}

TEST_F(FailClosedTest, TimeAloneNeverShips) {
  FiresFor(210);
  evidence.exposure.event_from_us = 0;
  ExpectHold(Rule::kUnderpowered);
}

TEST_F(FailClosedTest, WindowsThatAreEachBelowTheLimitAddUp) {
  // 3 % are missing; no window of fifty shows more than two of them, and none would halt alone.
  FiresFor(50, 2);
  EXPECT_NE(Now().verdict.outcome, Outcome::kHalt);
  FiresFor(50 * 40, 60);
  ExpectHalt(Rule::kL1Missing);
}

TEST_F(FailClosedTest, ASlowMinuteInTenIsNotAveragedAway) {
  // A percentile by the minute is as ever in nine minutes of ten.
  for (std::size_t i = 0; i < evidence.blocks[0].blocks.size(); i += 10) {
    evidence.blocks[0].blocks[i].difference = 1;
  }
  EXPECT_NE(Now().verdict.outcome, Outcome::kPass);
  for (std::size_t i = 0; i < evidence.blocks[0].blocks.size(); i += 3) {
    evidence.blocks[0].blocks[i].difference = 1;
  }
  ExpectHalt(Rule::kL2Latency);
}

TEST_F(FailClosedTest, MoreHoursOfTheSameVehiclesAreNoNewVehicles) {
  // Twelve of a hundred vehicles have all events; ten times the hours bring ten times as many.
  const ArmSums day = {.vehicles = 100, .y = 36, .e = 100, .yy = 108, .ye = 36, .ee = 100};
  const ArmSums days = {
      .vehicles = 100, .y = 360, .e = 1000, .yy = 10'800, .ye = 3600, .ee = 10'000};
  EXPECT_NEAR(TheGate().compare_rates({day, day}, 1.2).z,
              TheGate().compare_rates({days, days}, 1.2).z, 1e-9);
  EXPECT_FALSE(TheGate().judge_rate({{days, days}}, {.planned = {1.0}}).is_below);
}

TEST_F(FailClosedTest, ARateThatCouldNotShowTwiceAsManyIsNotCalledSafe) {
  const ArmSums arm = {.vehicles = 1000, .y = 16, .e = 8400, .yy = 16, .ye = 134, .ee = 80'000};
  EXPECT_FALSE(TheGate().judge_rate({{arm, arm}}, {.planned = {1.0}}).is_below);
  // Nor by the few that the control had and the candidate had not yet.
  ArmSums none = arm;
  none.y = none.yy = none.ye = 0;
  EXPECT_FALSE(TheGate().judge_rate({{none, arm}}, {.planned = {1.0}}).is_below);
}

TEST_F(FailClosedTest, LooksThatWereNotPlannedAreNotLookedAt) {
  const ArmSums bad = {.vehicles = 900, .y = 108, .e = 900, .yy = 216, .ye = 108, .ee = 900};
  const ArmSums good = {.vehicles = 900, .y = 90, .e = 900, .yy = 180, .ye = 90, .ee = 900};
  const ArmSums best = {.vehicles = 900, .y = 30, .e = 900, .yy = 60, .ye = 30, .ee = 900};
  EXPECT_TRUE(TheGate().judge_rate({{best, good}}, {.planned = {1.0}}).is_below);
  // Nobody may look on until it is safe: the one planned look said that it is not.
  const std::vector<RateLook> looks = {{bad, good}, {best, good}};
  EXPECT_FALSE(TheGate().judge_rate(looks, {.planned = {1.0}}).is_below);
  // And what was safe at an earlier look is not for ever.
  const std::vector<RateLook> turned = {{best, good}, {bad, good}};
  EXPECT_FALSE(TheGate().judge_rate(turned, {.planned = {0.5, 1.0}}).is_below);
}

TEST_F(FailClosedTest, ARatioByTheCandidatesOwnOutputLooksHealthyWhenItDropsInput) {
  // It lost nine of ten vehicles and what it says of the rest is right.
  evidence.exposure.silent_candidate = 1800;
  evidence.paired[0].counts.missing = 1800;
  evidence.paired[0].counts.candidate_fired = 200;
  EXPECT_EQ(Now().verdict.outcome, Outcome::kHalt);
}

TEST_F(FailClosedTest, ASourceThatIsAbsentOldOrOfTheFutureIsNoSource) {
  evidence.sources.pop_back();
  ExpectHold(Rule::kSourceStale);
  evidence = GoodEvidence(settings);
  evidence.sources[0].newest_us = kNow - kHour;
  ExpectHold(Rule::kSourceStale);
  evidence.sources[0].newest_us = kNow + kHour;
  ExpectHold(Rule::kSourceStale);
}

TEST_F(FailClosedTest, WhatIsSaidToBeOfTheFutureIsNeitherEvidenceNorTimeThatPassed) {
  evidence.basis.as_of_us = kNow + kHour;
  ExpectHold(Rule::kSourceStale);
  evidence = GoodEvidence(settings);
  evidence.invariants[3].watched_to_us = kNow + kHour;
  ExpectHold(Rule::kSourceStale);
  evidence = GoodEvidence(settings);
  evidence.exposure.event_from_us = kNow - kHour;
  evidence.exposure.event_to_us = kNow + 30 * kHour;
  ExpectHold(Rule::kSoak);
  evidence = GoodEvidence(settings);
  evidence.approvals[0].at_us = kNow + kHour;
  ExpectHold(Rule::kApprovals);
}

TEST_F(FailClosedTest, EvidenceOfYesterdayIsNoEvidence) {
  const Report report = TheGate().judge(evidence, settings, kNow + kHour);
  EXPECT_EQ(report.verdict.outcome, Outcome::kHold);
  EXPECT_TRUE(Holds(report, Rule::kSourceStale));
}

TEST_F(FailClosedTest, AnInvariantThatNobodyWatchesIsNotKept) {
  evidence.invariants.erase(evidence.invariants.begin() + 4);
  ExpectHold(Rule::kSourceStale);
  evidence = GoodEvidence(settings);
  evidence.invariants[4].watched_to_us = kNow - kHour;
  ExpectHold(Rule::kSourceStale);
}

TEST_F(FailClosedTest, EachOfTheTenInvariantsHaltsByItself) {
  for (int i = 0; i < kInvariants; ++i) {
    evidence = GoodEvidence(settings);
    evidence.invariants[static_cast<std::size_t>(i)].candidate = {1, 2};
    const Report report = Now();
    EXPECT_EQ(report.verdict.outcome, Outcome::kHalt);
    EXPECT_EQ(RuleName(report.verdict.rule), InvariantName(static_cast<Invariant>(i)));
  }
}

TEST_F(FailClosedTest, AnInvariantHaltsAlsoWhereAllElseIsMissing) {
  evidence.invariants[2].candidate = {1, 1};
  evidence.paired.clear();
  evidence.sources.clear();
  evidence.exposure = {};
  ExpectHalt(Rule::kOutputOutsideCohort);
}

TEST_F(FailClosedTest, AFaultOfTheComparatorTooIsNeitherPassNorHalt) {
  evidence.invariants[7].candidate = {3, 0};
  evidence.invariants[7].stable = {3, 0};
  ExpectHold(Rule::kComparatorUnhealthy);
}

TEST_F(FailClosedTest, AStableThatIsSilentMakesNoExtraOutputsNews) {
  evidence.exposure.silent_stable = 500;
  evidence.paired[0].counts.extra = 500;
  ExpectHold(Rule::kComparatorUnhealthy);
}

TEST_F(FailClosedTest, SilenceOfBothIsNoAgreement) {
  evidence.exposure.silent_both = 500;
  ExpectHold(Rule::kComparatorUnhealthy);
}

TEST_F(FailClosedTest, ADeadLetterReasonOfOneVehicleIsNotYetANewReason) {
  evidence.invariants[4].candidate = {50, 1};
  ExpectHold(Rule::kSuspect);
}

TEST_F(FailClosedTest, ARuleTheGateWasNotToldOfIsNotIgnored) {
  PairedEvidence paired;
  paired.metric = "rule/new";
  paired.counts = Clean(10);
  paired.counts.extra = 1;
  evidence.paired.push_back(paired);
  ExpectHold(Rule::kMetricNotInPlay);
}

TEST_F(FailClosedTest, AModelThatNobodyCountedIsNotCovered) {
  evidence.exposure.strata.pop_back();
  ExpectHold(Rule::kBelowMinimumStratum);
  evidence = GoodEvidence(settings);
  evidence.exposure.strata[1].vehicles = 19;
  ExpectHold(Rule::kBelowMinimumStratum);
}

TEST_F(FailClosedTest, AFaultOfOneModelIsNotAveragedAway) {
  // 12 of 2000 are far below 1 %, but they are 12 of the 200 of one model.
  for (const std::int64_t missing : {6, 12, 30}) {
    evidence.paired[2].counts.missing = missing;
    evidence.paired[2].strata[1].counts.missing = missing;
    EXPECT_NE(Now().verdict.outcome, Outcome::kPass) << missing;
  }
  ExpectHalt(Rule::kL1Field);
  EXPECT_EQ(Now().metrics[4].stratum, "model=b");
}

TEST_F(FailClosedTest, ALotThatLeavesVehiclesOutIsNoLot) {
  evidence.arms = {{"cohort", 1500}, {"rest", 18900}};
  ExpectHold(Rule::kSrm);
  evidence.arms = {{"cohort", 2100}};
  ExpectHold(Rule::kSourceStale);
  evidence.arms = {{"cohort", 2100}, {"rest", 18900}, {"lost", 300}};
  ExpectHold(Rule::kSrm);
}

TEST_F(FailClosedTest, AHostThatAlwaysCarriesTheCandidateIsWhatIsMeasured) {
  for (Block& block : evidence.blocks[0].blocks) block.candidate_first = true;
  ExpectHold(Rule::kOrderNotRandom);
}

TEST_F(FailClosedTest, ASlowerOneHaltsAndASlowDriftIsNotCalledSafe) {
  for (Block& block : evidence.blocks[0].blocks) block.difference = 0.3;
  ExpectHalt(Rule::kL2Latency);
  for (Block& block : evidence.blocks[0].blocks) block.difference = 0.09;
  ExpectHold(Rule::kUnderpowered);
}

TEST_F(FailClosedTest, CountsThatCannotBeAreNoEvidence) {
  evidence.paired[0].counts.missing = 2001;
  ExpectHold(Rule::kEvidenceInconsistent);
  evidence = GoodEvidence(settings);
  evidence.paired.push_back(evidence.paired[0]);
  ExpectHold(Rule::kEvidenceInconsistent);
  evidence = GoodEvidence(settings);
  evidence.exposure.vehicles = -1;
  ExpectHold(Rule::kEvidenceInconsistent);
  evidence = GoodEvidence(settings);
  evidence.paired[0].counts.missing = 2001;
  evidence.invariants[0].candidate = {1, 1};
  ExpectHalt(Rule::kContractFailure);  // what cannot be does not hide what was
}

TEST_F(FailClosedTest, ACounterThatWasLostIsNotACleanRelease) {
  Evidence later = evidence;
  later.paired[0].counts.stable_fired += 5;
  later.paired[0].counts.missing = 3;
  EXPECT_TRUE(TheGate().check_forward(evidence, later).ok());
  EXPECT_FALSE(TheGate().check_forward(later, evidence).ok());
  later = evidence;
  later.paired.erase(later.paired.begin());
  EXPECT_FALSE(TheGate().check_forward(evidence, later).ok());
  later = evidence;
  evidence.invariants[5].candidate.breaches = 1;
  EXPECT_FALSE(TheGate().check_forward(evidence, later).ok());
  later.basis.candidate = "other";
  EXPECT_TRUE(TheGate().check_forward(evidence, later).ok());  // begins anew
}

TEST_F(FailClosedTest, VehiclesWithoutAnExtraCountForItOnlyAfterTheyWereWatched) {
  evidence.paired[0].counts.settled = 250;
  ExpectHold(Rule::kUnderpowered);
}

TEST_F(FailClosedTest, ApprovalsOfOtherBytesOrTwiceByOneAreNone) {
  evidence.approvals[0].release = "other";
  ExpectHold(Rule::kApprovals);
  evidence = GoodEvidence(settings);
  evidence.approvals[0].gate_digest = "other";
  ExpectHold(Rule::kApprovals);
  settings.approvals_required = 2;
  evidence = GoodEvidence(settings);
  evidence.approvals.push_back(evidence.approvals[0]);
  ExpectHold(Rule::kApprovals);
}

TEST_F(FailClosedTest, ADeclaredChangeThatIsNotThereIsNotPassed) {
  settings.metrics[0] = WithDeclared(settings.metrics[0], -20, -10);
  evidence = GoodEvidence(settings);
  ExpectHold(Rule::kDeclaredLowerBoundUnmet);
  evidence.paired[0].counts.missing = 300;
  evidence.paired[0].strata[0].counts.missing = 270;
  evidence.paired[0].strata[1].counts.missing = 30;
  EXPECT_EQ(Now().verdict.outcome, Outcome::kPass) << InWords(Now());
  evidence.paired[0].counts.missing = 600;
  ExpectHalt(Rule::kL1Missing);
}

TEST_F(FailClosedTest, ASmallCohortPassesByANamedPersonOnlyAndOnlyAsItWasShown) {
  Shrink(150);
  ExpectHold(Rule::kConfirmation);
  const Report shown = Now();
  EXPECT_LT(shown.detectable, 1);
  Confirmation said = {.by = "ann",
                       .at_us = kNow,
                       .release = "cand",
                       .gate_digest = evidence.basis.gate_digest,
                       .discordant_seen = shown.discordant,
                       .detectable_shown = shown.detectable};
  evidence.confirmations = {said};
  EXPECT_EQ(Now().verdict.outcome, Outcome::kPass) << InWords(Now());
  evidence.paired[0].counts.missing = 1;  // one more differs than was shown
  ExpectHold(Rule::kConfirmation);
  evidence.paired[0].counts.missing = 0;
  evidence.paired[0].counts.stable_fired = 40;  // less can be seen than was shown
  ExpectHold(Rule::kConfirmation);
  evidence.paired[0].counts.stable_fired = 150;
  evidence.confirmations[0].by = "";
  ExpectHold(Rule::kConfirmation);
}

TEST_F(FailClosedTest, ASmallCohortIsHeldExactlyToWhatWasDeclared) {
  Shrink(150);
  evidence.paired[0].counts.extra = 1;
  ExpectHold(Rule::kSuspect);
}

TEST_F(FailClosedTest, AKeptReportThatContradictsItselfIsNoReport) {
  auto json = nlohmann::json(ToJson(Now()));
  ASSERT_TRUE(TheGate().read_verdict(json).ok());
  json["verdict"]["rule"] = "l1_missing";
  EXPECT_FALSE(TheGate().read_verdict(json).ok());
  json["verdict"] = {{"outcome", "hold"}, {"rule", "none"}};
  EXPECT_FALSE(TheGate().read_verdict(json).ok());
  EXPECT_FALSE(TheGate().read_verdict(nlohmann::json()).ok());
}

}  // namespace
}  // namespace telltale::gate
