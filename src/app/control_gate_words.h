// What a gate says, for people: of the answer to GET /v1/rollouts/ID/gate. No colours: the same on
// a terminal, in a pipe and in a file.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace telltale::app {

// "prod-3  hold (soak): 3600 of 86400 s …".
std::string GateLine(const nlohmann::json& answer);
// That line, evidence, vehicles, what is missing, each metric with a bar from nothing to where it
// halts. Lines end with a newline; words are broken at 100 columns.
std::string GateWords(const nlohmann::json& answer);

}  // namespace telltale::app
