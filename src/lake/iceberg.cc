#include "lake/iceberg.h"

#include <bit>

#include "base/clock.h"

namespace telltale::lake {
namespace {

constexpr std::int64_t kDayUs = 86'400'000'000ll;
constexpr std::int64_t kHourUs = 3'600'000'000ll;

std::int64_t FloorDiv(std::int64_t value, std::int64_t by) {
  return value / by - (value % by < 0 ? 1 : 0);
}

std::uint32_t Mix(std::uint32_t block) { return std::rotl(block * 0xcc9e2d51u, 15) * 0x1b873593u; }

}  // namespace

std::uint32_t Murmur3(ByteSpan bytes) {
  std::uint32_t hash = 0;
  const std::size_t blocks = bytes.size() / 4;
  for (std::size_t i = 0; i < blocks; ++i) {
    hash = std::rotl(hash ^ Mix(GetLe<std::uint32_t>(bytes.data() + 4 * i)), 13) * 5 + 0xe6546b64u;
  }
  std::uint32_t tail = 0;
  for (std::size_t i = bytes.size(); i > 4 * blocks; --i) tail = (tail << 8) | bytes[i - 1];
  if (bytes.size() % 4 != 0) hash ^= Mix(tail);
  hash ^= static_cast<std::uint32_t>(bytes.size());
  hash = (hash ^ (hash >> 16)) * 0x85ebca6bu;
  hash = (hash ^ (hash >> 13)) * 0xc2b2ae35u;
  return hash ^ (hash >> 16);
}

std::int32_t BucketOf(std::string_view text, std::int32_t count) {
  return static_cast<std::int32_t>(Murmur3(AsBytes(text)) & 0x7fffffffu) % count;
}

std::int32_t DayOf(Micros time) { return static_cast<std::int32_t>(FloorDiv(time.value, kDayUs)); }

Micros StartOfDay(std::int32_t day) { return Micros{day * kDayUs}; }

std::string DayName(std::int32_t day) { return FormatUtc(StartOfDay(day)).substr(0, 10); }

Micros HourOf(Micros time) { return Micros{FloorDiv(time.value, kHourUs) * kHourUs}; }

}  // namespace telltale::lake
