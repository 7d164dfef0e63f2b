// What a gate asks for: fixed before the rollout begins, by its digest part of what was approved.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gate/evidence.h"

namespace telltale::gate {

// Share of the rollout's alpha; the metrics of a family share it alike.
enum class Family { kAlerts, kParse, kFields, kLatency, kResources, kRates };
inline constexpr int kFamilies = 6;
Names NamesOf(Family);
std::string_view FamilyName(Family family);  // "alerts"
double FamilyWeight(Family family);          // .40 .25 .15 .10 .05 .05

enum class MetricKind { kPaired, kBlocks, kRate };
Names NamesOf(MetricKind);
std::string_view MetricKindName(MetricKind kind);  // "paired"

// Of whom an extra output is a share. By the vehicles exposed; where a release declares that a rule
// fires more often, by the vehicles for which the candidate fired (its own share is declared so).
enum class ExtraOf { kExposed, kCandidateFired };
Names NamesOf(ExtraOf);

// Halt and promotion ask two different questions: `max` is the share beyond which it halts (surely
// more), `margin` the share below which it may be promoted (surely less).
struct MetricSettings {
  std::string name = {};
  Family family = Family::kAlerts;
  MetricKind kind = MetricKind::kPaired;
  std::string component = {};         // rules, contract, transforms, features, engine
  std::string component_digest = {};  // evidence of another is void
  bool is_guardrail = true;           // false: can halt, is not asked for a promotion

  // paired
  double missing_max = 0.01;
  double missing_margin = 0.02;
  double missing_min = 0;  // declared: at least so many are gone. Less seen: HOLD
  double extra_max = 0.001;
  double extra_margin = 0.005;
  double extra_min = 0;
  ExtraOf extra_of = ExtraOf::kExposed;

  // blocks
  double block_margin = 0.01;  // of the mean difference, in units of Block::difference
  double scale = 1;            // the difference that counts as 1: smaller sees smaller ones sooner

  // rate
  double ratio_margin = 1.2;         // candidate's rate by control's
  std::vector<double> planned = {};  // share of the information at each look, rising to 1
};

struct StratumName {
  std::string dimension = {};
  std::string name = {};
};

struct ArmShare {
  std::string name = {};
  double share = 0;
};

struct GateSettings {
  std::string name = "standard";
  // What is in force now.
  std::string environment = {};
  std::string rollout = {};
  std::string candidate = {};
  std::string stable = {};

  double alpha_halt = 0.01;      // false halts by chance, whole rollout, all metrics and looks
  double alpha_promote = 0.05;   // that one guardrail's bound is wrong
  double alpha_balance = 0.001;  // that the lot is called out of balance by chance
  double power = 0.9;            // with which `detectable` is seen

  std::int64_t vehicles_min = 200;
  std::int64_t small_vehicles = 200;  // a guardrail with fewer: exact and confirmed by a person
  std::int64_t distinct_min = 3;      // discordant vehicles without which nothing halts by L1
  double stratum_share_min = 0.02;    // strata larger than this ...
  std::int64_t stratum_vehicles_min = 20;                       // ... need so many vehicles
  std::vector<std::string> dimensions = {"model", "firmware"};  // in which strata are asked for
  double silent_max = 0.01;        // vehicles with input for which only the candidate is silent
  double settle_driving_s = 3600;  // after so long without one, a vehicle has no extra
  std::int64_t soak_s = 86400;     // event time, without warm_up_s
  std::int64_t warm_up_s = 0;
  std::int64_t stale_after_s = 300;
  std::int64_t dead_letter_vehicles_min = 2;
  std::int64_t approvals_required = 0;
  std::vector<std::string> sources = {"ingest", "stable_journal", "candidate_journal", "counters"};
  // Whose votes are looked at by themselves too, with half the weight of their metric in common:
  // a fault of one model is seen there first. Fixed like the metrics.
  std::vector<StratumName> strata = {};
  std::vector<ArmShare> arms = {};  // expected shares, sum 1; empty: balance is not looked at
  std::vector<MetricSettings> metrics = {};  // in play. Nothing joins later
};

// kInvalid names the member that breaks a rule: shares in (0, 1), margins at or above their max,
// weights by at least one metric, names unique, planned looks rising to 1.
Status CheckSettings(const GateSettings& settings);

// What is not given has the default above; what is unknown is refused (kInvalid), and so is a newer
// format (kUnsupported).
Result<GateSettings> SettingsFromJson(const nlohmann::json& json);
nlohmann::ordered_json ToJson(const GateSettings& settings);

// SHA-256 of the settings' JSON without environment, rollout, candidate and stable: which gate it
// was. A change of any threshold, metric or component voids what was counted before.
std::string GateDigest(const GateSettings& settings);

// A rule's limits by what its release declares (`fires_percent: [low, high]`, below 0: fewer).
// Undeclared: the limits as they are.
MetricSettings WithDeclared(MetricSettings metric, double low_percent, double high_percent);

}  // namespace telltale::gate
