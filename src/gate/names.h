// Names of a closed list, in the order of its enum. Beside each enum stands a function NamesOf(),
// which gives all of them, whatever its value.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "base/check.h"

namespace telltale::gate {

using Names = std::span<const std::string_view>;

template <typename Enum>
std::string_view NameOf(Enum value) {
  const Names names = NamesOf(value);
  const auto index = static_cast<std::size_t>(value);
  CHECK(index < names.size());
  return names[index];
}

template <typename Enum>
std::optional<Enum> FromName(std::string_view name) {
  const Names names = NamesOf(Enum{});
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

}  // namespace telltale::gate
