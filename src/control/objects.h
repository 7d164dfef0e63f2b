// The objects that people put: what each kind may hold. docs/control.md.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace telltale::control {

// As they stand in paths and in control.db.
inline constexpr std::string_view kEnvironments = "environments";
inline constexpr std::string_view kCohorts = "cohorts";
inline constexpr std::string_view kGates = "gates";
inline constexpr std::string_view kPolicies = "policies";
inline constexpr std::string_view kMirrors = "mirrors";
inline constexpr std::string_view kRoleBindings = "role-bindings";
bool IsObjectKind(std::string_view kind);

// The object whole, with its defaults. Whether what it names is there is not looked at.
//   kInvalid  a member is unknown, missing or out of its range, or another key than `key`
Result<nlohmann::json> ReadObject(std::string_view kind, const std::string& key,
                                  const nlohmann::json& body);

// What `object` names of other objects: (kind, key) of each.
std::vector<std::pair<std::string, std::string>> NamedBy(std::string_view kind,
                                                         const nlohmann::json& object);

}  // namespace telltale::control
