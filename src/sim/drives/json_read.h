// JSON as readers see it: nothing throws, and what is missing or of another kind is nullopt.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace telltale::sim {

using Json = nlohmann::json;

//   kInvalid  not JSON, or nested deeper than 64 levels
Result<Json> ParseJson(std::string_view text);

// nullptr: `of` is no object or has no such member.
const Json* Member(const Json& of, const char* key);
// Of a path of members; nullptr when one is missing.
const Json* Inside(const Json& of, std::initializer_list<const char*> path);
// A finite number; true, false and text are none.
std::optional<double> NumberIn(const Json& of, const char* key);
// "": no text.
std::string_view TextIn(const Json& of, const char* key);

// Text that people typed, as a vehicle's model: letters, digits, space and . - _, up to 40 of them;
// anything else is passed over. "recorded" when nothing is left.
std::string ModelOf(std::string_view typed);

}  // namespace telltale::sim
