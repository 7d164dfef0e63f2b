// The three outcomes and the closed lists of why. Numbers are never stored, names are.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gate/names.h"

namespace telltale::gate {

enum class Outcome { kPass, kHalt, kHold };
Names NamesOf(Outcome);
std::string_view OutcomeName(Outcome outcome);  // "pass", "halt", "hold"
std::optional<Outcome> OutcomeFromName(std::string_view name);

// Why. First the rules that halt, then what holds.
enum class Rule {
  kNone,  // pass
  // L0, as Invariant
  kContractFailure,
  kOutputWithoutAuthority,
  kOutputOutsideCohort,
  kAuthorityNotSingle,
  kNewDeadLetterReason,
  kStuckProgress,
  kLagBeyondWindow,
  kCrashLoop,
  kSilence,
  kSealedToOpen,
  // L1 and L2: the metric that carried most of the merged evidence
  kL1Missing,
  kL1Extra,
  kL1Field,   // missing or extra of a field, conversion, feature row (families parse, fields)
  kL1Silent,  // vehicles with input for which the candidate says nothing
  kL2Latency,
  kL2Resource,
  kL2Rate,
  // HOLD
  kSettingsInvalid,       // the gate itself cannot be read
  kEvidenceVoid,          // counted for another candidate, gate or component
  kEvidenceInconsistent,  // counts that cannot be
  kComparatorUnhealthy,   // stable shows the same fault, or cannot be compared with
  kNoExposure,            // no vehicle had input
  kBelowMinimumVehicles,
  kBelowMinimumStratum,
  kSourceStale,      // or absent
  kSrm,              // the arms of the lot are out of balance
  kMetricNotInPlay,  // differs, and the gate was not told of it
  kOrderNotRandom,   // blocks whose arms were never exchanged
  kUnderpowered,     // the bound is not yet inside its margin
  kSuspect,          // more differ than is allowed, not yet enough to halt
  kDeclaredLowerBoundUnmet,
  kSoak,
  kConfirmation,  // a small cohort, and nobody has said that it will do
  kApprovals,
};
Names NamesOf(Rule);
std::string_view RuleName(Rule rule);  // "l1_missing", "source_stale"
std::optional<Rule> RuleFromName(std::string_view name);
bool IsHaltRule(Rule rule);

struct Verdict {
  Outcome outcome = Outcome::kHold;
  Rule rule = Rule::kNoExposure;
  std::string words = {};  // one sentence: what, how many, what is missing
};

}  // namespace telltale::gate
