// Each way in which a gate somewhere is known to fail open, and that this one does not. The names
// say where it was seen; docs/gate.md lists them.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "gate/blocks.h"
#include "gate/clustered.h"
#include "gate/gate_testing.h"

namespace telltale::gate {
namespace {

using testing::Clean;
using testing::GoodEvidence;
using testing::GoodSettings;
using testing::Holds;
using testing::kHour;
using testing::kNow;

class FailClosedTest : public ::testing::Test {
 protected:
  Report Now() const { return Judge(evidence, settings, kNow); }
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
  EXPECT_EQ(Judge({}, {}, kNow).verdict.outcome, Outcome::kHold);
  EXPECT_EQ(Judge({}, settings, kNow).verdict.outcome, Outcome::kHold);
  EXPECT_EQ(Judge(evidence, {}, kNow).verdict.outcome, Outcome::kHold);
}

TEST_F(FailClosedTest, KayentaReplacesNaNByZeroAndPasses) {
  auto json = nlohmann::json(ToJson(evidence));
  json["paired"][0]["counts"]["missing"] = nullptr;
  EXPECT_FALSE(EvidenceFromJson(json).ok());
  json = nlohmann::json(ToJson(evidence));
  json["exposure"]["driving_s"] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(EvidenceFromJson(json).ok());
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
  EXPECT_TRUE(JudgeRate({{candidate, control}}, {.planned = {1.0}}).is_above);
}

TEST_F(FailClosedTest, KayentaAddsNoiseToConstantArmsSoThatVerdictsDiffer) {
  EXPECT_EQ(ToJson(Now()), ToJson(Now()));
  const ArmSums constant = {.vehicles = 100, .y = 100, .e = 100, .yy = 100, .ye = 100, .ee = 100};
  EXPECT_FALSE(CompareRates({constant, constant}, 1.2).is_usable);
  EXPECT_FALSE(JudgeRate({{constant, constant}}, {.planned = {1.0}}).is_below);
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
  evidence.exposure.vehicles = 49;
  evidence.exposure.strata.clear();
  for (PairedEvidence& paired : evidence.paired) {
    paired.counts = Clean(49);
    paired.strata.clear();
  }
  ExpectHold(Rule::kBelowMinimumVehicles);
}

TEST_F(FailClosedTest, Kayenta377ErrsInHalfOfTheWindowsWhileTheBaselineNeverDoes) {
  evidence.paired[1].counts = Clean(60);
  evidence.paired[1].counts.missing = 36;
  evidence.paired[1].strata.clear();
  ExpectHalt(Rule::kL1Field);
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
      JudgeRate({{{.vehicles = 9, .y = 9, .e = 9, .yy = 9, .ye = 9, .ee = 9}, {}}}, {}).is_below);
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
  EXPECT_FALSE(EvidenceFromJson(nlohmann::json::object()).ok());
  EXPECT_FALSE(EvidenceFromJson(nlohmann::json()).ok());
  EXPECT_FALSE(EvidenceFromJson(nlohmann::json::array()).ok());
  auto json = nlohmann::json(ToJson(evidence));
  json["paired"][0]["counts"].erase("extra");
  EXPECT_FALSE(EvidenceFromJson(json).ok());
}

TEST_F(FailClosedTest, HawkBitTakesAConditionItCannotReadAsNoError) {
  settings.alpha_halt = 0;
  ExpectHold(Rule::kSettingsInvalid);
  auto json = nlohmann::json(ToJson(GoodSettings()));
  json["metrics"][0]["mising_max"] = 0.5;
  EXPECT_FALSE(SettingsFromJson(json).ok());
  json = nlohmann::json(ToJson(GoodSettings()));
  json["metrics"][0]["missing_max"] = "1%";
  EXPECT_FALSE(SettingsFromJson(json).ok());
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
  settings.candidate = "cand2";
  ExpectHold(Rule::kEvidenceVoid);
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
  evidence.paired[0].counts = Clean(210);
  evidence.paired[0].counts.missing = 2;
  evidence.paired[0].strata.clear();
  ExpectHold(Rule::kUnderpowered);
}

TEST_F(FailClosedTest, TimeAloneNeverShips) {
  evidence.paired[0].counts = Clean(210);
  evidence.paired[0].strata.clear();
  evidence.exposure.event_from_us = 0;
  ExpectHold(Rule::kUnderpowered);
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

TEST_F(FailClosedTest, EvidenceOfYesterdayIsNoEvidence) {
  const Report report = Judge(evidence, settings, kNow + kHour);
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
  EXPECT_TRUE(CheckForward(evidence, later).ok());
  EXPECT_FALSE(CheckForward(later, evidence).ok());
  later = evidence;
  later.paired.erase(later.paired.begin());
  EXPECT_FALSE(CheckForward(evidence, later).ok());
  later = evidence;
  evidence.invariants[5].candidate.breaches = 1;
  EXPECT_FALSE(CheckForward(evidence, later).ok());
  later.basis.candidate = "other";
  EXPECT_TRUE(CheckForward(evidence, later).ok());  // begins anew
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
  evidence.exposure.vehicles = 150;
  evidence.exposure.strata.clear();
  for (PairedEvidence& paired : evidence.paired) {
    paired.counts = Clean(150);
    paired.strata.clear();
  }
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
  evidence.exposure.vehicles = 150;
  evidence.exposure.strata.clear();
  for (PairedEvidence& paired : evidence.paired) {
    paired.counts = Clean(150);
    paired.strata.clear();
  }
  evidence.paired[0].counts.extra = 1;
  ExpectHold(Rule::kSuspect);
}

TEST_F(FailClosedTest, AKeptReportThatContradictsItselfIsNoReport) {
  auto json = nlohmann::json(ToJson(Now()));
  ASSERT_TRUE(VerdictFromJson(json).ok());
  json["verdict"]["rule"] = "l1_missing";
  EXPECT_FALSE(VerdictFromJson(json).ok());
  json["verdict"] = {{"outcome", "hold"}, {"rule", "none"}};
  EXPECT_FALSE(VerdictFromJson(json).ok());
  EXPECT_FALSE(VerdictFromJson(nlohmann::json()).ok());
}

}  // namespace
}  // namespace telltale::gate
