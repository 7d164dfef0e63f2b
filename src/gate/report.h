// What the gate answers: the verdict, and everything that `telltale gate explain` prints.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "gate/evidence.h"
#include "gate/settings.h"
#include "gate/verdict.h"

namespace telltale::gate {

// Something that stands in the way of a promotion. All of them are listed, the gravest first.
struct Hold {
  Rule rule = Rule::kNoExposure;
  std::string metric = {};  // "" where it is of the whole rollout
  std::string words = {};
  std::int64_t vehicles_missing = 0;  // so many more, clean, are needed (0: vehicles do not help)
  std::int64_t seconds_missing = 0;   // of event time
};

// One side of one metric: rule/hard_braking missing.
struct MetricReport {
  std::string metric = {};
  std::string side = {};  // missing, extra, blocks, rate, silent
  Family family = Family::kAlerts;
  std::int64_t n = 0;  // vehicles (blocks) it was looked for in
  std::int64_t k = 0;  // with a difference
  double rate = 0;     // k / n; blocks: mean difference; rate: ratio
  double max = 0;      // halts above
  double margin = 0;   // promotes below
  double bound = 1;    // upper, holds at all times with 1 - alpha_promote
  double log_e = 0;    // natural, whole and strata together; what the merged mean takes in
  double weight = 0;
  double detectable = 1;     // a true share that this n halts for with `power`; 1: nothing
  std::int64_t needed = 0;   // more clean vehicles until the bound is inside the margin
  bool is_small = false;     // judged exactly, by a person's confirmation
  bool is_inside = false;    // bound inside margin, or exactly within what was declared
  std::string stratum = {};  // the one that carries most: "model=Model 3"; "" the whole
};

struct Report {
  Verdict verdict = {};
  std::vector<Hold> holds = {};
  std::vector<MetricReport> metrics = {};
  double log_e = 0;       // of the weighted mean
  double log_e_halt = 0;  // ln(1 / alpha_halt): at or above, it halts
  double p_value = 1;     // min(1, 1/e) of this look; the smallest of all looks is always valid
  std::int64_t discordant = 0;  // vehicles with a difference, over all metrics and sides
  double detectable = 1;        // the worst of all guardrails
  bool needs_confirmation = false;
  std::vector<std::string> vehicles = {};  // affected, at most kExamplesMax
  std::vector<PairedExample> examples = {};
  std::string gate_digest = {};
  Basis basis = {};
};

// Pure; `now_us` is the caller's clock, against which evidence and sources are old. Not one PASS
// without evidence: what is absent, old, void or contradictory is a HOLD. A HALT
// needs evidence that stands (an invariant, or the merged e-value at or above 1 / alpha_halt).
Report Judge(const Evidence& evidence, const GateSettings& settings, std::int64_t now_us);

// Members as above; names of enums; numbers with 9 digits, infinite ones cut at 1e300.
nlohmann::ordered_json ToJson(const Report& report);
// What stands in a kept report; kInvalid where it is not one.
Result<Verdict> VerdictFromJson(const nlohmann::json& json);

// For people: what was seen, at which vehicles, what is missing, how long it would take, what this
// cohort can detect. Lines of at most 100 columns.
std::string InWords(const Report& report);

}  // namespace telltale::gate
