// `telltale serve`: the whole platform of one folder, in the foreground.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "app/layout.h"
#include "base/result.h"

namespace telltale::app {

// Names of the roles, in the order they start.
inline constexpr const char* kRoles[] = {"operations", "registry",  "gateway", "publisher",
                                         "worker",     "lake-feed", "lake",    "committer",
                                         "vault",      "control",   "gate"};

struct ServeOptions {
  std::string dir;
  bool demo = false;
  std::optional<std::uint64_t> seed;
  std::set<std::string> without;  // roles left out, for tests of parts
  std::set<std::string> only;     // empty = every role that the configuration wants
  Layout layout;
};

// Runs until asked to stop (base/stop.h), then ends its children. run/ready appears when all run.
//   kNotFound  DIR is no installation, or a program is missing (the message names it)
//   kInvalid   a mistake in telltale.yaml, or a seed without --demo
//   kRefused   the environment or its users do not allow it, or demo keys without --demo
//   kExists    another `serve` runs here
//   kUnavailable  a role does not get ready in time
Status Serve(const ServeOptions& options);

}  // namespace telltale::app
