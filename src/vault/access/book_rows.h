// What the book keeps inside its columns. Only book*.cc includes it.
#pragma once

#include <string>
#include <vector>

#include "base/ids.h"
#include "store/sqlite.h"
#include "vault/access/policy.h"

namespace telltale::vault {

std::string EncodePerson(const access::PersonKey& person);
//   kCorrupt  not what EncodePerson() gives
Result<access::PersonKey> DecodePerson(std::string_view text);
// Those that were not forgotten.
Result<std::vector<VehicleRef>> ReadVehicles(store::Database& database, std::int64_t request);

}  // namespace telltale::vault
