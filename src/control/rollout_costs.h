// What the releases that ran beside the speaker cost a rollout: the counts of `serve`, which begin
// at nothing whenever it does, added up in the rollout's row.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "control/installation.h"

namespace telltale::control {

// Of run/releases.json; what cannot be read is left out.
std::vector<WorkerCost> WorkerCostsIn(std::string_view text);
// Adds what is new since the last call to a stored rollout. Counts that began before the rollout
// was made are another's.
void AddCosts(nlohmann::json& rollout, const std::vector<WorkerCost>& costs, Micros now);
// Whether the row is old enough to be written for a cost alone.
bool AreCostsDue(const nlohmann::json& rollout, Micros now);
// {"candidate_cpu_s", "previous_cpu_s"}: seconds, to the millisecond; null where nobody counted.
nlohmann::json CostsOf(const nlohmann::json& rollout);

}  // namespace telltale::control
