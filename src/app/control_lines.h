// A rollout as people read it: for `rollout`, `promote`, `rollback` and `status`.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace telltale::app {

// "prod-3  prod  stage 1 of 3 (1.00 %)  shadow  since …".
std::string RolloutLine(const nlohmann::json& rollout);
// That line, and what it waits for, a line each, indented.
std::string RolloutLines(const nlohmann::json& rollout);
// "  costs: candidate 12.3 s of CPU …", indented, with its end; "" where nobody counted. The clock
// alone moves it.
std::string CostLine(const nlohmann::json& rollout);
// What the lake found, a line for each kind; "" where nothing was compared.
std::string LakeLines(const nlohmann::json& rollout);
// No way on from its phase.
bool HasEnded(const nlohmann::json& rollout);
// "100" lots in 10,000 as "1.00 %".
std::string ShareText(std::int64_t per_10000);
// Of an environment of `GET /v1/status`: effective release, pin, hold, its rollout.
std::string EnvironmentLines(const nlohmann::json& environment);

}  // namespace telltale::app
