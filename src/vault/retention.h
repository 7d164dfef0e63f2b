// How long each class may live. Windows are whole hours, so that a basis hour has one expiry hour.
#pragma once

#include <array>
#include <cstdint>

#include "vault/hour.h"
#include "vault/retention_class.h"

namespace telltale::vault {

// Of a class without a window of its own (holds): later than any date.
inline constexpr Hour kNeverDies{1ll << 31};

class Windows {
 public:
  constexpr Windows() = default;
  // The same for every class.
  static constexpr Windows Days(std::uint32_t days) {
    Windows windows;
    for (const RetentionClass one : kWindowClasses) windows.Set(one, days * 24);
    return windows;
  }
  // 0 = nothing of this class is stored.
  constexpr void Set(RetentionClass retention_class, std::uint32_t hours) {
    hours_[static_cast<std::size_t>(retention_class)] = hours;
  }
  constexpr std::uint32_t HoursOf(RetentionClass retention_class) const {
    return hours_[static_cast<std::size_t>(retention_class)];
  }
  constexpr Micros Of(RetentionClass retention_class) const {
    return Micros{HoursOf(retention_class) * kHourUs};
  }

 private:
  std::array<std::uint32_t, 8> hours_{};
};

}  // namespace telltale::vault
