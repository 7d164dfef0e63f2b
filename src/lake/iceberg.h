// What the Iceberg specification fixes and we compute ourselves: partition transforms and the
// binary form of single values in file statistics (appendices B and D of the specification).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/ids.h"

namespace telltale::lake {

inline constexpr std::int32_t kVehicleBuckets = 4;

// MurmurHash3 x86 32-bit, seed 0.
std::uint32_t Murmur3(ByteSpan bytes);
// bucket[count] of a string.
std::int32_t BucketOf(std::string_view text, std::int32_t count);
// day of a timestamp: whole days since 1970, rounded down.
std::int32_t DayOf(Micros time);
Micros StartOfDay(std::int32_t day);
// "2026-11-24" of a day number, for folder names.
std::string DayName(std::int32_t day);
// Rounded down to the hour.
Micros HourOf(Micros time);

}  // namespace telltale::lake
