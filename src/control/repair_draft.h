// What a rejected release may have left behind, for whoever repairs it:
// data/control/repair-drafts/<rollout>.json (docs/formats/repair-draft.md).
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace telltale::control {

// Answers of docs/control.md. `ledger` is null where it cannot be read, `lake` where nothing was
// compared. No vehicle is named in a draft.
struct RepairParts {
  nlohmann::json rollout;
  nlohmann::json ledger;
  nlohmann::json lake;
  std::string at;  // now
};
nlohmann::json RepairDraft(const RepairParts& parts);

}  // namespace telltale::control
