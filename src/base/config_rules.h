// What keys of telltale.yaml ask of each other. Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "base/config_schema.h"

namespace telltale {

struct ConfigRuleBreak {
  const ConfigKey* key;    // the one to change
  const ConfigKey* other;  // what it does not go with; one of the two is not at its default
  std::string what;
};

std::vector<ConfigRuleBreak> BrokenConfigRules(const Config& config);

// 127.0.0.0/8, ::1 or localhost.
bool IsLoopback(const std::string& listen);

}  // namespace telltale
