// The object `gate`: what a stage asks for before its authority moves. docs/control.md, gates.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "control/json_reader.h"
#include "gate/settings.h"

namespace telltale::control {

inline constexpr std::string_view kGateNone = "none";
inline constexpr std::string_view kGateManual = "manual";
inline constexpr std::string_view kGateEvidence = "evidence";

// How many rollouts of two equal releases may be halted by chance; no gate, and no change of one
// under an open rollout, may make it more than twice that. Whoever runs at alpha_halt halts at most
// so many (Ville's inequality), and each change begins the evidence, and so alpha, anew.
inline constexpr double kFalseHaltsTarget = 0.01;
inline constexpr double kFalseHaltsMax = 2 * kFalseHaltsTarget;

// The object without its key. Of kind evidence all members are there, with defaults of
// gate/settings.h.
nlohmann::json ReadGate(JsonReader& read);

// The settings without what a rollout adds (its names and metrics). `gate` as ReadGate() made it.
gate::GateSettings PlainSettings(const nlohmann::json& gate);
// A rule's limits of this gate: its own, else the gate's for all.
gate::MetricSettings RuleLimits(const nlohmann::json& gate, const std::string& rule);

}  // namespace telltale::control
