// Which program a role is, with which arguments and as whom.
#pragma once

#include <optional>
#include <string>

#include "app/process.h"
#include "app/serve.h"
#include "app/users.h"

namespace telltale::app {

// `role` is one of kRoles.
std::string ProgramPathOf(const std::string& role, const Layout& layout);

// `release` is the one the worker runs. With two users the vault runs as the vault's, the others as
// the platform's.
Program ProgramOf(const std::string& role, const ServeOptions& options, const std::string& release,
                  const std::optional<Users>& users);

}  // namespace telltale::app
