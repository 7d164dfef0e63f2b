#include "gate/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "gate/blocks.h"
#include "gate/clustered.h"
#include "gate/e_process.h"
#include "gate/exact.h"
#include "gate/merge.h"

namespace telltale::gate {
namespace {

// A metric whose own evidence is this strong (1 in 20) is not promoted past.
const double kLogSuspect = std::log(20.0);

struct Context {
  const Evidence& evidence;
  const GateSettings& settings;
  const Looking& looking;
};

template <typename Item>
const Item* Find(const std::vector<Item>& items, const std::string& metric) {
  for (const Item& item : items) {
    if (item.metric == metric) return &item;
  }
  return nullptr;
}

// Weight of one side, by the settings alone: families in play share all, their metrics alike.
double SideWeight(const GateSettings& settings, Family family, int sides) {
  std::array<int, kFamilies> metrics = {};
  metrics[static_cast<std::size_t>(Family::kAlerts)] = 1;  // silent vehicles, always
  for (const MetricSettings& metric : settings.metrics) {
    ++metrics[static_cast<std::size_t>(metric.family)];
  }
  double in_play = 0;
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    if (metrics[i] > 0) in_play += FamilyWeight(static_cast<Family>(i));
  }
  const int alike = metrics[static_cast<std::size_t>(family)];
  return FamilyWeight(family) / in_play / alike / sides;
}

Hold HoldOf(Rule rule, const std::string& metric, std::string words) {
  return {.rule = rule, .metric = metric, .words = std::move(words)};
}

// Nothing usable was counted: no e-value, no bound.
void Unusable(Judged& judged, Rule rule, const std::string& why) {
  judged.report.log_e = kLogZero;
  judged.holds.push_back(HoldOf(rule, judged.report.metric, judged.report.metric + ": " + why));
}

struct Asked {
  double max = 0;
  double margin = 0;
  double min = 0;
  Votes halting = {};  // all vehicles that were watched
  Votes settled = {};  // those that can be said to have no difference
  bool is_guardrail = true;
  std::vector<Votes> strata = {};       // in the order of settings.strata
  std::vector<std::string> names = {};  // of them
};

// Whole and strata, half and half; the part that carries most is named.
void TakeEvidence(const Context& context, Judged& judged, const Asked& asked) {
  const GateSettings& settings = context.settings;
  const HaltGrid grid(asked.max);
  const auto log_of = [&](const Votes& votes) {
    return LogHeldBack(grid.LogE(votes), votes.k >= settings.distinct_min);
  };
  const double half = asked.strata.empty() ? 1 : 0.5;
  std::vector<Weighted> parts = {{half, log_of(asked.halting)}};
  double most = std::log(half) + parts[0].log_e;
  for (std::size_t i = 0; i < asked.strata.size(); ++i) {
    const double weight = half / static_cast<double>(asked.strata.size());
    parts.push_back({weight, log_of(asked.strata[i])});
    if (std::log(weight) + parts.back().log_e > most) {
      most = std::log(weight) + parts.back().log_e;
      judged.report.stratum = asked.names[i];
    }
  }
  judged.report.log_e = LogMean(parts);
  if (context.looking.is_for_halting_only) return;
  const HaltRule alone = {
      .max = asked.max,
      .log_threshold = -std::log(settings.alpha_halt * judged.report.weight * half),
      .distinct_min = settings.distinct_min};
  judged.report.detectable = Detectable(alone, asked.halting.n, settings.power);
}

// A part of the fleet that differs more than the whole may is not promoted past, however few
// vehicles it has to say so.
std::size_t FirstAboveMargin(const Asked& asked, const GateSettings& settings) {
  std::size_t i = 0;
  while (i < asked.strata.size() && (asked.strata[i].k < settings.distinct_min ||
                                     IsExactlyWithin(asked.strata[i], asked.margin))) {
    ++i;
  }
  return i;
}

void HoldUnlessInside(Judged& judged, const Asked& asked, const GateSettings& settings) {
  MetricReport& report = judged.report;
  const std::string what = report.metric + " " + report.side;
  const std::string seen = ShareInWords(report.k, report.n);
  report.is_small = asked.is_guardrail && asked.settled.n < settings.small_vehicles;
  report.is_inside =
      report.is_small ? IsExactlyWithin(asked.halting, asked.max) : report.bound <= asked.margin;
  if (!asked.is_guardrail) return;
  const std::size_t stratum = FirstAboveMargin(asked, settings);
  if (stratum < asked.strata.size()) {
    const Votes& votes = asked.strata[stratum];
    judged.holds.push_back(HoldOf(
        Rule::kSuspect, report.metric,
        fmt::format("{}, {}: {} differ, {} may in any part of the fleet", what,
                    asked.names[stratum], ShareInWords(votes.k, votes.n), Percent(asked.margin))));
  }
  const bool is_above = !IsExactlyWithin(asked.halting, asked.max);
  if (is_above || report.log_e >= kLogSuspect) {
    judged.holds.push_back(
        HoldOf(Rule::kSuspect, report.metric,
               fmt::format("{}: {} differ, {} may; not yet enough to halt{}", what, seen,
                           Percent(asked.max),
                           report.stratum.empty() ? "" : ", most in " + report.stratum)));
  } else if (!report.is_inside) {
    Hold hold = HoldOf(
        Rule::kUnderpowered, report.metric,
        fmt::format("{}: {} differ, so up to {} may in truth; {} more vehicles "
                    "without a difference bring that to {}",
                    what, seen, Percent(report.bound), report.needed, Percent(asked.margin)));
    hold.vehicles_missing = report.needed;
    judged.holds.push_back(std::move(hold));
  }
  const double rate = asked.halting.n > 0 ? report.rate : 0;
  if (asked.min > 0 && rate < asked.min) {
    judged.holds.push_back(HoldOf(
        Rule::kDeclaredLowerBoundUnmet, report.metric,
        fmt::format("{}: at least {} was declared, {} seen", what, Percent(asked.min), seen)));
  }
}

void JudgeVotes(const Context& context, Judged& judged, const Asked& asked) {
  const GateSettings& settings = context.settings;
  MetricReport& report = judged.report;
  report.n = asked.halting.n;
  report.k = asked.halting.k;
  report.rate = report.n > 0 ? static_cast<double>(report.k) / static_cast<double>(report.n) : 0;
  report.max = asked.max;
  report.margin = asked.margin;
  judged.discordant = report.k;
  TakeEvidence(context, judged, asked);
  if (context.looking.is_for_halting_only) return;
  report.bound = UpperBound(asked.settled, settings.alpha_promote);
  report.needed = NeededClean(asked.settled, asked.margin, settings.alpha_promote);
  HoldUnlessInside(judged, asked, settings);
}

Votes MissingOf(const PairedCounts& counts) { return {counts.stable_fired, counts.missing}; }

Votes ExtraOfCounts(const PairedCounts& counts, ExtraOf of, bool is_settled) {
  if (of == ExtraOf::kCandidateFired) return {counts.candidate_fired, counts.extra};
  return {is_settled ? counts.settled : counts.exposed, counts.extra};
}

const PairedCounts* StratumOf(const PairedEvidence& paired, const StratumName& wanted) {
  for (const PairedStratum& stratum : paired.strata) {
    if (stratum.dimension == wanted.dimension && stratum.name == wanted.name) {
      return &stratum.counts;
    }
  }
  return nullptr;
}

Rule PairedRule(Family family, bool is_missing) {
  if (family != Family::kAlerts) return Rule::kL1Field;
  return is_missing ? Rule::kL1Missing : Rule::kL1Extra;
}

Judged Begin(const Context& context, const MetricSettings& metric, const char* side, int sides) {
  Judged judged;
  judged.report.metric = metric.name;
  judged.report.side = side;
  judged.report.family = metric.family;
  judged.report.weight = SideWeight(context.settings, metric.family, sides);
  judged.is_guardrail = metric.is_guardrail;
  return judged;
}

void JudgePaired(const Context& context, const MetricSettings& metric, std::vector<Judged>& into) {
  const PairedEvidence* paired = Find(context.evidence.paired, metric.name);
  for (const bool is_missing : {true, false}) {
    Judged judged = Begin(context, metric, is_missing ? "missing" : "extra", 2);
    judged.halts_as = PairedRule(metric.family, is_missing);
    if (paired == nullptr) {
      Unusable(judged, Rule::kSourceStale, "nothing was counted");
    } else if (paired->component_digest != metric.component_digest) {
      Unusable(judged, Rule::kEvidenceVoid, metric.component + " is another than was counted for");
    } else if (!is_missing && context.looking.is_extra_suspended) {
      Unusable(judged, Rule::kComparatorUnhealthy, "stable is not well, what it lacks is no news");
    } else {
      const auto votes = [&](const PairedCounts& counts, bool is_settled) {
        return is_missing ? MissingOf(counts) : ExtraOfCounts(counts, metric.extra_of, is_settled);
      };
      Asked asked = {.max = is_missing ? metric.missing_max : metric.extra_max,
                     .margin = is_missing ? metric.missing_margin : metric.extra_margin,
                     .min = is_missing ? metric.missing_min : metric.extra_min,
                     .halting = votes(paired->counts, false),
                     .settled = votes(paired->counts, true),
                     .is_guardrail = metric.is_guardrail};
      for (const StratumName& stratum : context.settings.strata) {
        const PairedCounts* counts = StratumOf(*paired, stratum);
        asked.strata.push_back(counts == nullptr ? Votes{} : votes(*counts, false));
        asked.names.push_back(stratum.dimension + "=" + stratum.name);
      }
      JudgeVotes(context, judged, asked);
    }
    into.push_back(std::move(judged));
  }
}

void HoldBlocks(Judged& judged, std::size_t blocks) {
  const MetricReport& report = judged.report;
  if (report.log_e >= kLogSuspect) {
    judged.holds.push_back(HoldOf(Rule::kSuspect, report.metric,
                                  fmt::format("{}: mean difference {:.4g} over {} blocks, {:.4g} "
                                              "may be; not yet enough to halt",
                                              report.metric, report.rate, blocks, report.max)));
  } else if (!report.is_inside) {
    judged.holds.push_back(HoldOf(Rule::kUnderpowered, report.metric,
                                  fmt::format("{}: the mean difference may be up to {:.4g} after "
                                              "{} blocks, {:.4g} is asked for",
                                              report.metric, report.bound, blocks, report.margin)));
  }
}

void JudgeBlocks(const Context& context, const MetricSettings& metric, std::vector<Judged>& into) {
  Judged judged = Begin(context, metric, "blocks", 1);
  judged.halts_as = metric.family == Family::kLatency ? Rule::kL2Latency : Rule::kL2Resource;
  const BlockEvidence* found = Find(context.evidence.blocks, metric.name);
  if (found == nullptr) {
    Unusable(judged, Rule::kSourceStale, "nothing was measured");
  } else if (found->component_digest != metric.component_digest) {
    Unusable(judged, Rule::kEvidenceVoid, metric.component + " is another than was measured");
  } else if (!IsOrderRandom(found->blocks, context.settings.alpha_balance)) {
    Unusable(judged, Rule::kOrderNotRandom, "hosts were not exchanged by lot between the blocks");
  } else {
    MetricReport& report = judged.report;
    report.n = static_cast<std::int64_t>(found->blocks.size());
    report.k = std::count_if(found->blocks.begin(), found->blocks.end(), [&](const Block& one) {
      return one.difference > metric.block_margin;
    });
    report.rate = MeanDifference(found->blocks);
    report.max = metric.block_margin;
    report.margin = metric.block_margin;
    report.log_e = LogBlockE(found->blocks, metric.block_margin);
    report.bound = BlockUpperBound(found->blocks, context.settings.alpha_promote);
    report.is_inside = report.bound <= metric.block_margin;
    if (metric.is_guardrail) HoldBlocks(judged, found->blocks.size());
  }
  into.push_back(std::move(judged));
}

void JudgeRates(const Context& context, const MetricSettings& metric, std::vector<Judged>& into) {
  Judged judged = Begin(context, metric, "rate", 1);
  judged.halts_as = Rule::kL2Rate;
  const RateEvidence* found = Find(context.evidence.rates, metric.name);
  if (found == nullptr || found->looks.empty()) {
    Unusable(judged, Rule::kSourceStale, "nothing was measured");
  } else if (found->component_digest != metric.component_digest) {
    Unusable(judged, Rule::kEvidenceVoid, metric.component + " is another than was measured");
  } else if (context.looking.are_rates_suspended) {
    Unusable(judged, Rule::kSrm, "the cohort is no fair part of the fleet, so rates say nothing");
  } else {
    MetricReport& report = judged.report;
    const double slice = context.settings.alpha_halt * report.weight;
    const RateVerdict verdict =
        JudgeRate(found->looks, {.margin = metric.ratio_margin,
                                 .alpha_halt = slice,
                                 .alpha_promote = context.settings.alpha_promote,
                                 .planned = metric.planned});
    report.n = found->looks.back().candidate.vehicles;
    report.rate = verdict.ratio;
    report.max = metric.ratio_margin;
    report.margin = metric.ratio_margin;
    report.log_e = LogAllOrNothing(verdict.is_above, slice);
    report.is_inside = verdict.is_below;
    if (metric.is_guardrail && !report.is_inside) {
      judged.holds.push_back(HoldOf(
          Rule::kUnderpowered, metric.name,
          fmt::format("{}: {:.3g} times control's rate; below {:.3g} is not shown yet, at look {} "
                      "of {}",
                      metric.name, report.rate, metric.ratio_margin, found->looks.size(),
                      metric.planned.size())));
    }
  }
  into.push_back(std::move(judged));
}

Judged JudgeSilent(const Context& context) {
  const MetricSettings metric = {.name = "silent_vehicles", .family = Family::kAlerts};
  Judged judged = Begin(context, metric, "silent", 1);
  judged.halts_as = Rule::kL1Silent;
  const Exposure& exposure = context.evidence.exposure;
  const Votes votes = {exposure.vehicles - exposure.silent_both, exposure.silent_candidate};
  const Asked asked = {.max = context.settings.silent_max,
                       .margin = std::min(1.0, 2 * context.settings.silent_max),
                       .halting = votes,
                       .settled = votes};
  JudgeVotes(context, judged, asked);
  return judged;
}

}  // namespace

std::string Percent(double share) { return fmt::format("{:.3g} %", share * 100); }

std::string ShareInWords(std::int64_t k, std::int64_t n) {
  if (n == 0) return "0 of 0";
  return fmt::format("{} of {} ({})", k, n,
                     Percent(static_cast<double>(k) / static_cast<double>(n)));
}

std::vector<Judged> JudgeMetrics(const Evidence& evidence, const GateSettings& settings,
                                 const Looking& looking) {
  const Context context = {evidence, settings, looking};
  std::vector<Judged> judged;
  for (const MetricSettings& metric : settings.metrics) {
    switch (metric.kind) {
      case MetricKind::kPaired:
        JudgePaired(context, metric, judged);
        break;
      case MetricKind::kBlocks:
        JudgeBlocks(context, metric, judged);
        break;
      case MetricKind::kRate:
        JudgeRates(context, metric, judged);
        break;
    }
  }
  judged.push_back(JudgeSilent(context));
  return judged;
}

}  // namespace telltale::gate
