// Who spoke for which lots of an environment, as control's API tells it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"

namespace telltale::app {

// {"items": [{"partition", "lot_from", "lot_to", "release", "authority_epoch", "from_offset",
// "to_offset" (null: in force), "config_seq", "rollout", "audit_entry", "at"}]} of the alert store
// in `dir`, which is only read. Errors of AlertStore::OpenReadOnly.
Result<nlohmann::json> LedgerOfEnvironment(const std::string& dir);

}  // namespace telltale::app
