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
constexpr Micros StartOf(Hour hour) { return Micros{hour.value * kHourUs}; }

}  // namespace telltale::vault
