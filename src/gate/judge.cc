#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "gate/merge.h"
#include "gate/metrics.h"
#include "gate/report.h"
#include "gate/srm.h"

namespace telltale::gate {
namespace {

constexpr std::int64_t kSecond = 1'000'000;

struct Case {
  const Evidence& evidence;
  const GateSettings& settings;
  std::int64_t now_us;
  Report& report;

  void Hold(Rule rule, std::string words) const {
    report.holds.push_back({.rule = rule, .words = std::move(words)});
  }
  bool IsFresh(std::int64_t at_us) const {
    const std::int64_t allowed = settings.stale_after_s * kSecond;
    return at_us >= now_us - allowed && at_us <= now_us + allowed;
  }
};

Rule HaltRuleOf(Invariant invariant) {
  return static_cast<Rule>(static_cast<int>(Rule::kContractFailure) + static_cast<int>(invariant));
}

// What was counted, and for whom.
bool IsOfThisRollout(const Case& c) {
  const Basis& basis = c.evidence.basis;
  const auto differs = [&](const char* what, const std::string& counted, const std::string& now) {
    if (counted == now && !now.empty()) return false;
    c.Hold(Rule::kEvidenceVoid,
           fmt::format("what was seen is of {} '{}', now it is '{}': it begins anew", what, counted,
                       now));
    return true;
  };
  bool is_void = differs("candidate", basis.candidate, c.settings.candidate);
  is_void |= differs("stable", basis.stable, c.settings.stable);
  is_void |= differs("rollout", basis.rollout, c.settings.rollout);
  is_void |= differs("environment", basis.environment, c.settings.environment);
  is_void |= differs("gate", basis.gate_digest, c.report.gate_digest);
  return !is_void;
}

struct InvariantsSeen {
  const InvariantEvidence* breach = nullptr;
  bool is_stable_unwell = false;
};

bool IsBreach(const InvariantEvidence& seen, const GateSettings& settings) {
  if (seen.candidate.breaches == 0) return false;
  return seen.invariant != Invariant::kNewDeadLetterReason ||
         seen.candidate.vehicles >= settings.dead_letter_vehicles_min;
}

void LookAtInvariant(const Case& c, const InvariantEvidence& seen, InvariantsSeen& all) {
  const std::string name(InvariantName(seen.invariant));
  if (!c.IsFresh(seen.watched_to_us)) {
    c.Hold(Rule::kSourceStale, name + ": not watched up to now");
  }
  if (seen.stable.breaches > 0) {
    // What stable cannot do makes all that it lacks worthless, whatever the candidate does.
    all.is_stable_unwell = true;
    c.Hold(Rule::kComparatorUnhealthy,
           fmt::format("{}: stable {} times, candidate {} times: no release can be judged by it",
                       name, seen.stable.breaches, seen.candidate.breaches));
  } else if (IsBreach(seen, c.settings)) {
    if (all.breach == nullptr) all.breach = &seen;
  } else if (seen.candidate.breaches > 0) {
    c.Hold(Rule::kSuspect,
           fmt::format("{}: {} times at {} vehicles, {} would halt", name, seen.candidate.breaches,
                       seen.candidate.vehicles, c.settings.dead_letter_vehicles_min));
  }
}

InvariantsSeen LookAtInvariants(const Case& c) {
  InvariantsSeen all;
  for (int i = 0; i < kInvariants; ++i) {
    const auto invariant = static_cast<Invariant>(i);
    const auto found =
        std::find_if(c.evidence.invariants.begin(), c.evidence.invariants.end(),
                     [&](const InvariantEvidence& one) { return one.invariant == invariant; });
    if (found == c.evidence.invariants.end()) {
      c.Hold(Rule::kSourceStale, std::string(InvariantName(invariant)) + ": nobody watched it");
    } else {
      LookAtInvariant(c, *found, all);
    }
  }
  return all;
}

void LookAtSources(const Case& c) {
  if (!c.IsFresh(c.evidence.basis.as_of_us)) {
    c.Hold(Rule::kSourceStale, "the evidence itself is not of now");
  }
  for (const std::string& wanted : c.settings.sources) {
    const auto found = std::find_if(c.evidence.sources.begin(), c.evidence.sources.end(),
                                    [&](const SourceEvidence& one) { return one.name == wanted; });
    if (found == c.evidence.sources.end()) {
      c.Hold(Rule::kSourceStale, wanted + ": absent");
    } else if (!c.IsFresh(found->newest_us)) {
      c.Hold(
          Rule::kSourceStale,
          fmt::format("{}: newest is {} s away from now, {} s may be", wanted,
                      std::llabs(c.now_us - found->newest_us) / kSecond, c.settings.stale_after_s));
    }
  }
}

bool LookAtBalance(const Case& c) {
  if (c.settings.arms.empty()) return true;
  std::vector<Arm> arms;
  for (const ArmShare& arm : c.settings.arms) {
    const auto found = c.evidence.arms.find(arm.name);
    if (found == c.evidence.arms.end()) {
      c.Hold(Rule::kSourceStale, "arm " + arm.name + ": its vehicles were not counted");
      return false;
    }
    arms.push_back({found->second, arm.share});
  }
  if (arms.size() != c.evidence.arms.size()) {
    c.Hold(Rule::kSrm, "there are vehicles in an arm that the lot does not have");
    return false;
  }
  if (LogBalanceE(arms) < -std::log(c.settings.alpha_balance)) return true;
  c.Hold(Rule::kSrm,
         fmt::format("{}: {} vehicles, {} of all expected: the lot or the counting "
                     "leaves some out",
                     c.settings.arms[0].name, arms[0].vehicles, Percent(arms[0].share)));
  return false;
}

void LookAtSilence(const Case& c, InvariantsSeen& all) {
  const Exposure& exposure = c.evidence.exposure;
  const std::int64_t silent = exposure.silent_stable + exposure.silent_both;
  const auto allowed = c.settings.silent_max * static_cast<double>(exposure.vehicles);
  if (silent < c.settings.distinct_min || static_cast<double>(silent) <= allowed) return;
  all.is_stable_unwell = true;
  c.Hold(Rule::kComparatorUnhealthy, fmt::format("stable says nothing of {} vehicles with input",
                                                 ShareInWords(silent, exposure.vehicles)));
}

void LookAtMetricsNotInPlay(const Case& c) {
  std::set<std::string> in_play;
  for (const MetricSettings& metric : c.settings.metrics) in_play.insert(metric.name);
  for (const PairedEvidence& paired : c.evidence.paired) {
    const std::int64_t differing = paired.counts.missing + paired.counts.extra;
    if (differing == 0 || in_play.contains(paired.metric)) continue;
    c.Hold(Rule::kMetricNotInPlay,
           fmt::format("{}: {} vehicles differ, and this gate was not told of it", paired.metric,
                       differing));
  }
}

void LookAtStrata(const Case& c) {
  for (const std::string& dimension : c.settings.dimensions) {
    double covered = 0;
    for (const StratumExposure& stratum : c.evidence.exposure.strata) {
      if (stratum.dimension != dimension) continue;
      covered += stratum.fleet_share;
      const std::int64_t missing = c.settings.stratum_vehicles_min - stratum.vehicles;
      if (stratum.fleet_share < c.settings.stratum_share_min || missing <= 0) continue;
      c.report.holds.push_back(
          {.rule = Rule::kBelowMinimumStratum,
           .words = fmt::format("{} {}: {} vehicles, {} needed ({} of the fleet)", dimension,
                                stratum.name, stratum.vehicles, c.settings.stratum_vehicles_min,
                                Percent(stratum.fleet_share)),
           .vehicles_missing = missing});
    }
    // Strata nobody counted could hide a whole model.
    if (covered < 1 - c.settings.stratum_share_min) {
      c.Hold(Rule::kBelowMinimumStratum, fmt::format("{}: the strata counted are {} of the fleet",
                                                     dimension, Percent(covered)));
    }
  }
}

void LookAtSoak(const Case& c) {
  const Exposure& exposure = c.evidence.exposure;
  const std::int64_t to_us = std::min(exposure.event_to_us, c.now_us);
  const std::int64_t soaked_s =
      std::max<std::int64_t>(0, to_us - exposure.event_from_us) / kSecond - c.settings.warm_up_s;
  if (soaked_s >= c.settings.soak_s) return;
  c.report.holds.push_back(
      {.rule = Rule::kSoak,
       .words = fmt::format("{} of {} s of event time after the warm-up",
                            std::max<std::int64_t>(0, soaked_s), c.settings.soak_s),
       .seconds_missing = c.settings.soak_s - soaked_s});
}

bool IsConfirmed(const Case& c) {
  return std::any_of(c.evidence.confirmations.begin(), c.evidence.confirmations.end(),
                     [&](const Confirmation& one) {
                       return !one.by.empty() && one.release == c.settings.candidate &&
                              one.gate_digest == c.report.gate_digest && one.at_us <= c.now_us &&
                              c.report.discordant <= one.discordant_seen &&
                              c.report.detectable <= one.detectable_shown + 1e-9;
                     });
}

// A cohort that is too small for bounds: by a person, who is told what it cannot see.
void LookAtMinimums(const Case& c) {
  const std::int64_t vehicles = c.evidence.exposure.vehicles;
  if (vehicles == 0) return c.Hold(Rule::kNoExposure, "no vehicle of the cohort had input");
  const bool is_below = vehicles < c.settings.vehicles_min;
  c.report.needs_confirmation |= is_below;
  const bool is_confirmed = c.report.needs_confirmation && IsConfirmed(c);
  if (is_below && !is_confirmed) {
    c.report.holds.push_back({.rule = Rule::kBelowMinimumVehicles,
                              .words = fmt::format("{} vehicles had input, {} needed", vehicles,
                                                   c.settings.vehicles_min),
                              .vehicles_missing = c.settings.vehicles_min - vehicles});
  }
  if (!is_below || !is_confirmed) LookAtStrata(c);
  if (c.report.needs_confirmation && !is_confirmed) {
    c.Hold(
        Rule::kConfirmation,
        fmt::format("too few vehicles for a bound: somebody has to say that it will do. {} differ; "
                    "a fault at less than {} of the vehicles would not be seen",
                    c.report.discordant, Percent(c.report.detectable)));
  }
}

void LookAtApprovals(const Case& c) {
  std::set<std::string> by;
  for (const Approval& one : c.evidence.approvals) {
    const bool is_of_this = one.release == c.settings.candidate &&
                            one.gate_digest == c.report.gate_digest && one.at_us <= c.now_us;
    if (is_of_this && !one.by.empty()) by.insert(one.by);
  }
  const auto given = static_cast<std::int64_t>(by.size());
  if (given >= c.settings.approvals_required) return;
  c.Hold(Rule::kApprovals, fmt::format("{} of {} approvals of this release under this gate", given,
                                       c.settings.approvals_required));
}

// How long what is missing would take, at the pace so far.
void AddTimes(const Case& c, const std::vector<Judged>& judged) {
  const Exposure& exposure = c.evidence.exposure;
  const auto span_s = static_cast<double>(exposure.event_to_us - exposure.event_from_us) / kSecond;
  for (const Judged& one : judged) {
    for (Hold hold : one.holds) {
      if (hold.vehicles_missing > 0 && one.report.n > 0 && span_s > 0) {
        const double seconds =
            span_s * static_cast<double>(hold.vehicles_missing) / static_cast<double>(one.report.n);
        hold.seconds_missing = static_cast<std::int64_t>(std::min(seconds, 1e15));
      }
      c.report.holds.push_back(std::move(hold));
    }
  }
}

const Judged* TakeMetrics(const Case& c, const std::vector<Judged>& judged) {
  std::vector<Weighted> parts;
  const Judged* most = nullptr;
  double most_log = kLogZero;
  c.report.detectable = 0;
  for (const Judged& one : judged) {
    const MetricReport& report = one.report;
    parts.push_back({report.weight, report.log_e});
    c.report.discordant += one.discordant;
    if (report.is_small) c.report.needs_confirmation = true;
    const bool is_votes = report.side != "blocks" && report.side != "rate";
    if (is_votes && one.is_guardrail) {
      c.report.detectable = std::max(c.report.detectable, report.detectable);
    }
    if (report.log_e > kLogZero && std::log(report.weight) + report.log_e > most_log) {
      most_log = std::log(report.weight) + report.log_e;
      most = &one;
    }
    c.report.metrics.push_back(report);
  }
  c.report.log_e = LogMean(parts);
  c.report.p_value = std::min(1.0, std::exp(-std::max(c.report.log_e, -1.0)));
  return most;
}

void TakeExamples(const Case& c, const std::string& metric) {
  std::set<std::string> vehicles;
  for (const PairedEvidence& paired : c.evidence.paired) {
    if (!metric.empty() && paired.metric != metric) continue;
    for (const PairedExample& example : paired.examples) {
      if (c.report.examples.size() < kExamplesMax) c.report.examples.push_back(example);
      if (vehicles.size() < kExamplesMax) vehicles.insert(example.vehicle);
    }
  }
  c.report.vehicles.assign(vehicles.begin(), vehicles.end());
}

void HaltByInvariant(const Case& c, const InvariantEvidence& breach) {
  c.report.verdict = {
      Outcome::kHalt, HaltRuleOf(breach.invariant),
      fmt::format("{}: {} times{}{}", InvariantName(breach.invariant), breach.candidate.breaches,
                  breach.candidate.vehicles > 0
                      ? fmt::format(" at {} vehicles", breach.candidate.vehicles)
                      : "",
                  breach.what.empty() ? "" : ", first " + breach.what)};
  c.report.vehicles = breach.vehicles;
  if (c.report.vehicles.size() > kExamplesMax) c.report.vehicles.resize(kExamplesMax);
}

void HaltByMetric(const Case& c, const Judged& most) {
  const MetricReport& report = most.report;
  const bool is_votes = report.side != "blocks" && report.side != "rate";
  const std::string seen = is_votes ? ShareInWords(report.k, report.n) + " vehicles"
                                    : fmt::format("{:.4g} over {}", report.rate, report.n);
  c.report.verdict = {
      Outcome::kHalt, most.halts_as,
      fmt::format("{} {}: {}, {} may{}; one in {:.3g} by chance at most", report.metric,
                  report.side, seen,
                  is_votes ? Percent(report.max) : fmt::format("{:.4g}", report.max),
                  report.stratum.empty() ? "" : ", most in " + report.stratum,
                  std::exp(std::min(c.report.log_e, 600.0)))};
  TakeExamples(c, report.metric);
}

void Conclude(const Case& c) {
  // The gravest first; alike, as they were found.
  auto& holds = c.report.holds;
  std::multimap<Rule, Hold> by_rule;
  for (Hold& hold : holds) {
    const Rule rule = hold.rule;
    by_rule.emplace(rule, std::move(hold));
  }
  holds.clear();
  for (auto& [rule, hold] : by_rule) holds.push_back(std::move(hold));
  if (IsHaltRule(c.report.verdict.rule)) return;
  TakeExamples(c, "");
  if (!holds.empty()) {
    c.report.verdict = {Outcome::kHold, holds[0].rule, holds[0].words};
    return;
  }
  c.report.verdict = {
      Outcome::kPass, Rule::kNone,
      fmt::format("{} vehicles, every guardrail inside its margin", c.evidence.exposure.vehicles)};
}

}  // namespace

Report Judge(const Evidence& evidence, const GateSettings& settings, std::int64_t now_us) {
  Report report;
  report.basis = evidence.basis;
  report.gate_digest = GateDigest(settings);
  report.log_e = kLogZero;
  const Case c = {evidence, settings, now_us, report};
  if (const Status valid = CheckSettings(settings); !valid.ok()) {
    c.Hold(Rule::kSettingsInvalid, valid.error().message);
    Conclude(c);
    return report;
  }
  report.log_e_halt = -std::log(settings.alpha_halt);
  if (!IsOfThisRollout(c)) {
    Conclude(c);
    return report;
  }
  InvariantsSeen seen = LookAtInvariants(c);
  const Status consistent = CheckEvidence(evidence);
  if (!consistent.ok()) {
    c.Hold(Rule::kEvidenceInconsistent, consistent.error().message);
    if (seen.breach != nullptr) HaltByInvariant(c, *seen.breach);
    Conclude(c);
    return report;
  }
  LookAtSources(c);
  LookAtSilence(c, seen);
  const bool is_balanced = LookAtBalance(c);
  const auto judged = JudgeMetrics(
      evidence, settings,
      {.is_extra_suspended = seen.is_stable_unwell, .are_rates_suspended = !is_balanced});
  const Judged* most = TakeMetrics(c, judged);
  AddTimes(c, judged);
  LookAtMetricsNotInPlay(c);
  LookAtMinimums(c);
  LookAtSoak(c);
  LookAtApprovals(c);
  if (seen.breach != nullptr) {
    HaltByInvariant(c, *seen.breach);
  } else if (report.log_e >= report.log_e_halt && most != nullptr) {
    HaltByMetric(c, *most);
  }
  Conclude(c);
  return report;
}

}  // namespace telltale::gate
