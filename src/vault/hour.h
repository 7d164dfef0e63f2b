// Hours UTC since 1970: what keys, segments and the ledger count in.
#pragma once

#include <cstdint>

#include "base/ids.h"

namespace telltale::vault {

using Hour = Tagged<struct HourTag, std::int64_t>;
inline constexpr std::int64_t kHourUs = 3600 * 1'000'000ll;
// Rounds down, also before 1970.
constexpr Hour HourOf(Micros time) {
  return Hour{time.value >= 0 ? time.value / kHourUs : -((-(time.value + 1)) / kHourUs) - 1};
}
// An hour beyond what microseconds can say starts at the last that they can.
constexpr Micros StartOf(Hour hour) {
  constexpr std::int64_t kLastHour = INT64_MAX / kHourUs;
  const std::int64_t clamped =
      hour.value > kLastHour ? kLastHour : (hour.value < -kLastHour ? -kLastHour : hour.value);
  return Micros{clamped * kHourUs};
}

}  // namespace telltale::vault
