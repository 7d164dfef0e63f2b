// S2 cell ids as bit arithmetic: what can be said of a cell without linking the S2 library (which
// pulls in OpenSSL; telltale-lake must not). Making a cell from a position is gateway/derive.
#pragma once

#include <bit>
#include <cstdint>

namespace telltale {

// Level 12 is about 5 km2, never under 3 km2 (design, "Cell"). Finer is refused on every write.
inline constexpr int kFinestCellLevel = 12;
// Around ignition on and off: about 324 km2.
inline constexpr int kCoarseCellLevel = 9;

// An id is a face (3 bits), 2 bits per level, a 1 bit, zeros: the trailing zeros give the level.
constexpr bool IsCellId(std::uint64_t id) {
  return (id >> 61) < 6 && id != 0 && (std::countr_zero(id) % 2) == 0 && std::countr_zero(id) <= 60;
}
// Requires IsCellId(id).
constexpr int CellLevel(std::uint64_t id) { return 30 - std::countr_zero(id) / 2; }
// Requires IsCellId(id) and level <= CellLevel(id).
constexpr std::uint64_t CellParent(std::uint64_t id, int level) {
  const std::uint64_t lowest = std::uint64_t{1} << (2 * (30 - level));
  return (id & (~lowest + 1)) | lowest;
}
constexpr bool IsCoarseEnough(std::uint64_t id) {
  return IsCellId(id) && CellLevel(id) <= kFinestCellLevel;
}

}  // namespace telltale
