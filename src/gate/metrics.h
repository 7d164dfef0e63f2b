// What each metric in play says: its e-value, its bound, what it lacks. For judge.cc.
#pragma once

#include <string>
#include <vector>

#include "gate/evidence.h"
#include "gate/report.h"
#include "gate/settings.h"

namespace telltale::gate {

struct Judged {
  MetricReport report = {};
  Rule halts_as = Rule::kL1Missing;
  std::vector<Hold> holds = {};
  std::int64_t discordant = 0;  // vehicles
  bool is_guardrail = true;
};

struct Looking {
  // Evidence that is unusable for now: it counts as nothing, and holds.
  bool is_extra_suspended = false;   // stable itself is not well: what it lacks is no news
  bool are_rates_suspended = false;  // the arms are out of balance
  // Only e-values, without bounds, holds and what can be seen: a tenth of the time, for simulation.
  bool is_for_halting_only = false;
};

// One per side of each metric in settings, in their order, and one for silent vehicles. `settings`
// and `evidence` have passed their checks. Weights sum to 1 by `settings` alone.
std::vector<Judged> JudgeMetrics(const Evidence& evidence, const GateSettings& settings,
                                 const Looking& looking);

// "1,234 of 5,678 (0.22 %)".
std::string ShareInWords(std::int64_t k, std::int64_t n);
std::string Percent(double share);

}  // namespace telltale::gate
