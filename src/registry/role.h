// The registry process.
#pragma once

#include "base/result.h"
#include "base/role.h"

namespace telltale::registry {

// data/registry/registry.db below `dir`.
std::string DatabasePath(const std::string& dir);

// Serves until asked to stop (base/stop.h; WatchForStop() has been called).
//   kInvalid  a seed without --demo
//   errors of Registry::Open and of listening
Status RunRegistryRole(const RoleOptions& options);

}  // namespace telltale::registry
