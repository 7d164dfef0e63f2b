// The page docs/configuration.md, from the table of keys.
#pragma once

#include <string>

namespace telltale {

// Markdown. `telltale config reference` prints it; a test compares it with the page.
std::string ConfigReference();

}  // namespace telltale
