// Keys for a demonstration: `telltale init --demo` makes them, `telltale serve` refuses them unless
// it is told --demo. The mark is inside what it marks (the key file's line, the authority's name in
// every certificate it signs), so that no copy and no new folder loses it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "base/disk.h"
#include "base/result.h"

namespace telltale::app {

inline constexpr std::string_view kDemoAuthority = "Telltale demo CA";

// The marked files that an installation would be served with, in the order looked at. What is not
// there, or may not be read, is not among them: its role says so when it starts.
//   kInvalid, kUnavailable  a file cannot be judged (the message names it)
Result<std::vector<std::string>> FindDemoKeys(Disk& disk, const Paths& paths, const Config& config);

//   kRefused  there are demo keys, and `demo` is false or the environment is of kind prod
//   errors of FindDemoKeys
Status CheckDemoKeys(Disk& disk, const Paths& paths, const Config& config, bool demo);

}  // namespace telltale::app
