#include "gateway/derive.h"

#include <s2/s2cell_id.h>
#include <s2/s2latlng.h>

#include <cmath>

#include "base/cell.h"
#include "base/check.h"

namespace telltale::gateway {

std::optional<std::uint64_t> CellOf(double latitude_deg, double longitude_deg, int level) {
  CHECK(level >= 0 && level <= kFinestCellLevel);
  // Written so that NaN fails too.
  if (!(std::abs(latitude_deg) <= 90.0) || !(std::abs(longitude_deg) <= 180.0)) return {};
  if (latitude_deg == 0.0 && longitude_deg == 0.0) return {};
  const S2CellId leaf(S2LatLng::FromDegrees(latitude_deg, longitude_deg));
  const std::uint64_t cell = leaf.parent(level).id();
  CHECK(IsCoarseEnough(cell));  // the last look before an open stream
  return cell;
}

std::optional<std::uint32_t> HeadingOctantOf(double heading_deg) {
  if (!(heading_deg >= 0.0 && heading_deg <= 360.0)) return {};
  return static_cast<std::uint32_t>((heading_deg + 22.5) / 45.0) % 8;
}

}  // namespace telltale::gateway
