// Derived values: what the door makes of the exact place before that is sealed away.
#pragma once

#include <cstdint>
#include <optional>

namespace telltale::gateway {

// The S2 cell of a position at `level`, which is at most kFinestCellLevel. None when the position
// is not one: not finite, outside +-90 / +-180, or exactly 0,0 (what receivers report without a
// fix).
std::optional<std::uint64_t> CellOf(double latitude_deg, double longitude_deg, int level);

// 0 = north (337.5 up to but not 22.5), clockwise to 7. None unless 0 <= heading <= 360.
std::optional<std::uint32_t> HeadingOctantOf(double heading_deg);

}  // namespace telltale::gateway
