// What `telltale --version` says: the program's version, the commit it was built from, and the
// version of every format (base/format_version.h).
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace telltale::app {

// 12 hex digits, "-modified" behind them when tracked files differed from it; "unknown" when it was
// built outside a checkout. Defined in a file that cmake/build_commit.cmake writes.
std::string_view BuildCommit();

std::string VersionText();
nlohmann::json VersionJson();

}  // namespace telltale::app
