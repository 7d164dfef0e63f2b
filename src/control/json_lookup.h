// Members of a JSON object that somebody else wrote, where another type is as good as absent.
// json_reader.h is for what must be right.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace telltale::control {

// nullptr: `object` is no object, or has no such member.
inline const nlohmann::json* MemberOf(const nlohmann::json& object, std::string_view name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

// "" where it is no text.
inline std::string TextOf(const nlohmann::json& object, std::string_view name) {
  const nlohmann::json* const found = MemberOf(object, name);
  return found != nullptr && found->is_string() ? found->get<std::string>() : "";
}

// nullopt where it is no whole number of 0 or more.
inline std::optional<std::uint64_t> CountOf(const nlohmann::json& object, std::string_view name) {
  const nlohmann::json* const found = MemberOf(object, name);
  if (found == nullptr || !found->is_number_unsigned()) return std::nullopt;
  return found->get<std::uint64_t>();
}

}  // namespace telltale::control
