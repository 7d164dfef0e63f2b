// Anchors and aliases in a YAML text. Settings need none, and yaml-cpp never frees a node that
// holds itself (`&x {b: *x}`): config_fuzz ran out of memory.
#pragma once

#include <optional>
#include <string_view>

namespace telltale {

// Line (from 0) of the first one. Throws YAML::Exception as yaml-cpp does on a text that is no
// YAML.
std::optional<int> FirstAnchorLine(std::string_view text);

}  // namespace telltale
