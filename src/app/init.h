// `telltale init`: makes DIR, from nothing to ready for `telltale serve`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "app/layout.h"
#include "base/config.h"
#include "base/result.h"

namespace telltale::app {

struct InitOptions {
  std::string dir;  // must not exist, or be an empty folder
  Config config;
  Layout layout;                          // where contract, rules and programs are taken from
  std::vector<std::uint32_t> vault_uids;  // the one person of the vault's first policy
  bool demo = false;  // keys and authority with the demonstration's mark (app/demo_keys.h)
};

struct InitOutcome {
  std::string release;  // id of the release installed
  std::string warning;  // not empty: the vault's boundary is not enforced, and why
};

//   kExists   DIR holds something already; nothing was changed
//   kRefused  users: required (or an environment of kind prod) and they cannot be had; demo keys
//             for an environment of kind prod
//   kNotFound a program or file of the installation is missing
// After another failure DIR is left half made: remove it and try again.
Result<InitOutcome> Init(const InitOptions& options);

}  // namespace telltale::app
