// A booked request as those who may see it see it. Only door*.cc includes it.
#pragma once

#include <nlohmann/json.hpp>

#include "vault/access/book.h"
#include "vault/audit.h"

namespace telltale::vault {

nlohmann::json Described(const BookedRequest& booked);
// What the audit log says of a request: never which vehicles.
void AddRequest(const BookedRequest& booked, AuditFields& fields);
std::string Dump(const nlohmann::json& value);

}  // namespace telltale::vault
