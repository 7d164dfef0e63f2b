// A rollout in which all is well, for tests to spoil one thing at a time.
#pragma once

#include <string>

#include "base/random.h"
#include "gate/report.h"

namespace telltale::gate::testing {

inline constexpr std::int64_t kNow = 1'800'000'000'000'000;
inline constexpr std::int64_t kHour = 3'600'000'000;

inline GateSettings GoodSettings() {
  GateSettings settings;
  settings.environment = "prod";
  settings.rollout = "r1";
  settings.candidate = "cand";
  settings.stable = "stab";
  settings.approvals_required = 1;
  settings.arms = {{"cohort", 0.1}, {"rest", 0.9}};
  settings.strata = {{"model", "a"}, {"model", "b"}};
  const auto paired = [](const char* name, Family family) {
    MetricSettings metric;
    metric.name = name;
    metric.family = family;
    metric.component = "rules";
    metric.component_digest = "d1";
    return metric;
  };
  settings.metrics = {paired("rule/hard_braking", Family::kAlerts),
                      paired("conversion/speed", Family::kParse),
                      paired("null/speed", Family::kFields)};
  MetricSettings latency = paired("latency/publish", Family::kLatency);
  latency.kind = MetricKind::kBlocks;
  latency.block_margin = 0.1;
  latency.scale = 0.1;
  settings.metrics.push_back(latency);
  return settings;
}

inline PairedCounts Clean(std::int64_t vehicles) {
  PairedCounts counts;
  counts.stable_fired = vehicles;
  counts.exposed = vehicles;
  counts.settled = vehicles;
  counts.candidate_fired = vehicles;
  return counts;
}

inline Evidence GoodEvidence(const GateSettings& settings) {
  Evidence evidence;
  evidence.basis = {.environment = "prod",
                    .rollout = "r1",
                    .candidate = "cand",
                    .stable = "stab",
                    .gate_digest = GateDigest(settings),
                    .as_of_us = kNow};
  evidence.exposure.cohort_vehicles = 2100;
  evidence.exposure.vehicles = 2000;
  evidence.exposure.driving_s = 7.2e6;
  evidence.exposure.event_from_us = kNow - 30 * kHour;
  evidence.exposure.event_to_us = kNow;
  for (const char* dimension : {"model", "firmware"}) {
    evidence.exposure.strata.push_back(
        {.dimension = dimension, .name = "a", .fleet_share = 0.9, .vehicles = 1800});
    evidence.exposure.strata.push_back(
        {.dimension = dimension, .name = "b", .fleet_share = 0.1, .vehicles = 200});
  }
  for (int i = 0; i < kInvariants; ++i) {
    InvariantEvidence one;
    one.invariant = static_cast<Invariant>(i);
    one.watched_to_us = kNow;
    evidence.invariants.push_back(one);
  }
  for (const MetricSettings& metric : settings.metrics) {
    if (metric.kind == MetricKind::kPaired) {
      PairedEvidence paired;
      paired.metric = metric.name;
      paired.component_digest = metric.component_digest;
      paired.counts = Clean(2000);
      paired.strata = {{"model", "a", Clean(1800)}, {"model", "b", Clean(200)}};
      evidence.paired.push_back(paired);
    } else if (metric.kind == MetricKind::kBlocks) {
      BlockEvidence blocks;
      blocks.metric = metric.name;
      blocks.component_digest = metric.component_digest;
      SeededRandom lots(4);
      for (int i = 0; i < 400; ++i) blocks.blocks.push_back({0, lots.Below(2) == 0});
      evidence.blocks.push_back(blocks);
    }
  }
  evidence.arms = {{"cohort", 2100}, {"rest", 18900}};
  for (const std::string& source : settings.sources) evidence.sources.push_back({source, kNow});
  evidence.approvals = {{.by = "ann",
                         .at_us = kNow - kHour,
                         .release = "cand",
                         .gate_digest = evidence.basis.gate_digest}};
  return evidence;
}

inline bool Holds(const Report& report, Rule rule) {
  for (const Hold& hold : report.holds) {
    if (hold.rule == rule) return true;
  }
  return false;
}

}  // namespace telltale::gate::testing
