// What a rollout's evidence is judged by: the gate object, and the metrics that the two releases
// bring into play. They are fixed by files that never change, so they are the same after any
// restart; another gate object is another digest, and voids what was counted.
#pragma once

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "base/config.h"
#include "base/disk.h"
#include "control/release_declared.h"
#include "gate/settings.h"

namespace telltale::control {

// What the two releases say, as they lie in the environment's folder.
struct GateParts {
  std::set<std::string> stable_rules = {};
  std::set<std::string> candidate_rules = {};
  std::string rules_digest = {};  // of the candidate
  Declaration declared = {};      // its
};
// Errors of reading them; kInvalid and kCorrupt of what is in them.
Result<GateParts> ReadGateParts(Disk& disk, const Paths& environment, const std::string& stable,
                                const std::string& candidate);

struct GateNames {
  std::string environment = {};  // as the installation calls itself
  std::string rollout = {};
  std::string candidate = {};
  std::string stable = {};
  std::int64_t warm_up_s = 0;
};
// For each rule of either release: whether it opens for the same vehicles (rule/NAME, alerts) and
// says the same of them (payload/NAME, fields), within what the candidate declares. A rule that is
// declared new or gone, or to say something else, can halt no promotion by that.
gate::GateSettings SettingsFor(const nlohmann::json& gate, const GateParts& parts,
                               const GateNames& names);

}  // namespace telltale::control
