#include "gate/verdict.h"

#include <array>

#include "gate/evidence.h"

namespace telltale::gate {
namespace {

constexpr std::array<std::string_view, 3> kOutcomes = {"pass", "halt", "hold"};
constexpr std::array<std::string_view, 35> kRules = {
    "none",
    "contract_failure",
    "output_without_authority",
    "output_outside_cohort",
    "authority_not_single",
    "new_dead_letter_reason",
    "stuck_progress",
    "lag_beyond_window",
    "crash_loop",
    "silence",
    "sealed_to_open",
    "l1_missing",
    "l1_extra",
    "l1_field",
    "l1_silent",
    "l2_latency",
    "l2_resource",
    "l2_rate",
    "settings_invalid",
    "evidence_void",
    "evidence_inconsistent",
    "comparator_unhealthy",
    "no_exposure",
    "below_minimum_vehicles",
    "below_minimum_stratum",
    "source_stale",
    "srm",
    "metric_not_in_play",
    "order_not_random",
    "underpowered",
    "suspect",
    "declared_lower_bound_unmet",
    "soak",
    "confirmation",
    "approvals",
};
static_assert(kRules.size() == static_cast<std::size_t>(Rule::kApprovals) + 1);

}  // namespace

Names NamesOf(Outcome) { return kOutcomes; }
std::string_view OutcomeName(Outcome outcome) { return NameOf(outcome); }
std::optional<Outcome> OutcomeFromName(std::string_view name) { return FromName<Outcome>(name); }

Names NamesOf(Rule) { return kRules; }
// A breach halts under its own name.
Names NamesOf(Invariant) {
  return Names(kRules).subspan(static_cast<std::size_t>(Rule::kContractFailure), kInvariants);
}
std::string_view RuleName(Rule rule) { return NameOf(rule); }
std::optional<Rule> RuleFromName(std::string_view name) { return FromName<Rule>(name); }
bool IsHaltRule(Rule rule) { return rule > Rule::kNone && rule <= Rule::kL2Rate; }

}  // namespace telltale::gate
