// How a rollout goes on: a pure function of what is known. docs/control.md, phases.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"

namespace telltale::control {

enum class Phase {
  kPending,
  kWarming,
  kShadow,
  kAuthority,
  kWindow,
  kClosed,
  kWithdrawn,
  kRejected,
};
std::string_view PhaseName(Phase phase);  // "pending"
std::optional<Phase> PhaseOf(std::string_view name);
constexpr bool IsOpen(Phase phase) { return phase <= Phase::kWindow; }

struct Stage {
  std::uint32_t per_10000 = 0;
  Micros shadow = {};
  Micros soak = {};
  std::size_t approvals = 0;
  bool is_gate_manual = false;
};

// Everything that is looked at. Texts say what is missing; "" = nothing is.
struct RolloutView {
  Phase phase = Phase::kPending;
  std::size_t stage = 0;  // index; below stages.size()
  std::vector<Stage> stages = {};
  Micros since = {};                             // of the phase
  std::optional<Micros> settled = std::nullopt;  // since when no partition is pending in it
  Micros window = {};
  // around it
  std::string hold = {};
  std::string freeze = {};
  std::string upstream = {};
  std::string release = {};
  std::string contract = {};
  std::string install = {};
  bool is_break_glass = false;
  std::string second_signature = {};
  std::string gate = {};      // of kind evidence: why it does not pass
  std::size_t approvals = 0;  // of this stage that count
  // as the installation says
  std::string unreachable = {};
  bool is_config_taken = false;  // log and publisher have what this phase wants
  std::size_t partitions = 0;
  std::size_t cold = 0;     // the candidate does not compute all lots in shadow for the warm-up yet
  std::size_t pending = 0;  // not as the config says
};

struct Waiting {
  std::string code;  // docs/control.md, waits_for
  std::string message;
};

struct Decision {
  std::optional<Phase> next = std::nullopt;  // at most one step at a time
  std::size_t stage = 0;                     // with it
  std::vector<Waiting> waits_for = {};       // empty when there is a next
};
Decision Decide(const RolloutView& view, Micros now);

// What the config record of a rollout in this phase says.
struct Wanted {
  std::string stable = {};
  std::string previous = {};
  std::string candidate = {};  // "": no rollout
  std::uint32_t shadow_lots = 0;
  std::uint32_t authority_lots = 0;
  // Whose worker computes the safety path for each; "" = its own.
  std::string stable_speaker = {};
  std::string previous_speaker = {};
  std::string candidate_speaker = {};
  friend bool operator==(const Wanted&, const Wanted&) = default;
};
// One worker computes for candidate and stable: nothing has to get warm, and no lane moves.
bool HasStablesSpeaker(const Wanted& wanted);
struct RolloutPlace {
  Phase phase = Phase::kPending;
  std::size_t stage = 0;
  std::vector<Stage> stages = {};
  std::string candidate = {};
  std::string stable = {};             // when it began
  std::string candidate_speaker = {};  // "" = the candidate
  std::string stable_speaker = {};     // "" = the stable one
};
Wanted WantedBy(const RolloutPlace& place);

}  // namespace telltale::control
