// Names of a closed list, in the order of its enum.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

#include "base/check.h"

namespace telltale::gate {

template <typename Enum, std::size_t kCount>
std::string_view NameIn(const std::array<std::string_view, kCount>& names, Enum value) {
  const auto index = static_cast<std::size_t>(value);
  CHECK(index < kCount);
  return names[index];
}

template <typename Enum, std::size_t kCount>
std::optional<Enum> FromNameIn(const std::array<std::string_view, kCount>& names,
                               std::string_view name) {
  for (std::size_t i = 0; i < kCount; ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

}  // namespace telltale::gate
