// What every role process is started with.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace telltale {

struct RoleOptions {
  std::string dir;                    // the folder `telltale init` made
  bool demo = false;                  // allows what only a demonstration may do
  std::optional<std::uint64_t> seed;  // with demo only: seeds references, so runs compare
};

}  // namespace telltale
