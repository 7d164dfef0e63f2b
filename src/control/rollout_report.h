// A rollout told in Markdown, for people who were not there.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace telltale::control {

struct ReportParts {
  nlohmann::json rollout = {};    // as it is answered
  nlohmann::json candidate = {};  // the release's object; null: not on the shelf
  nlohmann::json diff = {};       // stable to candidate; null: not known
  nlohmann::json ledger = {};     // {"items": […]}; null: not known
};
std::string RolloutReport(const ReportParts& parts);

}  // namespace telltale::control
