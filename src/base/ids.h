// Tagged ids and units: an Offset never passes for a Micros, nor one for the other's difference.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace telltale {

template <typename Tag, typename Rep>
struct Tagged {
  Rep value{};
  constexpr Tagged() = default;
  constexpr explicit Tagged(Rep v) : value(v) {}
  friend constexpr auto operator<=>(const Tagged&, const Tagged&) = default;
};

// Position of a record in a (stream, partition), from 0.
using Offset = Tagged<struct OffsetTag, std::uint64_t>;
// Logical partition, 0 .. partitions-1.
using PartitionId = Tagged<struct PartitionTag, std::uint16_t>;
// One file set per stream; a shard carries the partitions p with p mod shards == shard.
using ShardId = Tagged<struct ShardTag, std::uint16_t>;
// Rising per shard; 0 = nothing committed yet.
using CommitNumber = Tagged<struct CommitTag, std::uint64_t>;
// Sequence of a config record in force; 0 = none.
using ConfigSeq = Tagged<struct ConfigSeqTag, std::uint64_t>;
using AuthorityEpoch = Tagged<struct AuthorityEpochTag, std::uint64_t>;

// Microseconds UTC since 1970.
struct Micros {
  std::int64_t value{};
  constexpr Micros() = default;
  constexpr explicit Micros(std::int64_t v) : value(v) {}
  friend constexpr auto operator<=>(const Micros&, const Micros&) = default;
  static constexpr Micros Seconds(std::int64_t s) { return Micros{s * 1'000'000}; }
  friend constexpr Micros operator+(Micros a, Micros b) { return Micros{a.value + b.value}; }
  friend constexpr Micros operator-(Micros a, Micros b) { return Micros{a.value - b.value}; }
};

std::string HexEncode(const void* data, std::size_t size);  // lower case
template <typename Container>
std::string HexEncode(const Container& bytes) {
  return HexEncode(bytes.data(), bytes.size());
}
//   kInvalid  odd length or a character outside 0-9a-fA-F
Result<std::string> HexDecode(std::string_view hex);

// 16 random bytes per (VIN, ownership epoch). Prints as 32 lower-case hex digits.
struct VehicleRef {
  std::array<std::uint8_t, 16> bytes{};
  friend auto operator<=>(const VehicleRef&, const VehicleRef&) = default;
  std::string ToHex() const { return HexEncode(bytes); }
  static Result<VehicleRef> FromHex(std::string_view hex);
  // First 8 bytes, big-endian, mod partitions (design, settled details).
  PartitionId PartitionOf(std::uint16_t partitions) const;
};

// One boot of one vehicle: a persistent counter and 64 random bits.
struct BootId {
  std::uint32_t counter{};
  std::uint64_t random{};
  friend auto operator<=>(const BootId&, const BootId&) = default;
};

// What makes a report itself from car to table.
struct ReportId {
  VehicleRef vehicle;
  BootId boot;
  std::uint64_t seq{};
  friend auto operator<=>(const ReportId&, const ReportId&) = default;
};

struct VehicleRefHash {
  std::size_t operator()(const VehicleRef& ref) const noexcept;  // the bytes are random already
};

}  // namespace telltale
