// What every role process is started with.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/disk.h"

namespace telltale {

struct RoleOptions {
  std::string dir;                    // the folder `telltale init` made
  bool demo = false;                  // allows what only a demonstration may do
  std::optional<std::uint64_t> seed;  // with demo only: seeds references, so runs compare
};

// Whether `role` is among those that the supervisor keeps: run/roles, a line each; true without the
// file.
bool IsRoleServed(Disk& disk, const std::string& run_folder, const std::string& role);

}  // namespace telltale
