// YAML as the JSON that it means: for objects that people write as files, and the API's document.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"

namespace telltale::control {

inline constexpr int kYamlDepthMax = 32;
inline constexpr std::size_t kYamlNodesMax = 100'000;  // an alias counts as what it stands for

// Plain scalars by the core schema of YAML 1.2: null, true, false, whole numbers, decimals; all
// else, and whatever is quoted, is a string. Keys are strings.
//   kInvalid  not one YAML document; a key that is no scalar or comes twice; too deep
//   kTooBig   over kYamlNodesMax
Result<nlohmann::json> JsonOfYaml(const std::string& text);

}  // namespace telltale::control
