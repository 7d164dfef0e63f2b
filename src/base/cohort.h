// Which vehicles belong to a share of the fleet: the same everywhere, from the config in force
// alone. A vehicle that belongs to a share belongs to every larger one of the same salt.
#pragma once

#include <string>
#include <vector>

#include "base/ids.h"

namespace telltale {

struct Cohort {
  std::uint32_t per_10000 = 0;     // of all vehicles, 0 to 10,000
  std::string salt;                // another salt draws other vehicles
  std::vector<VehicleRef> always;  // whatever the draw says
  std::vector<VehicleRef> never;   // stronger than `always`

  bool Contains(const VehicleRef& vehicle) const;
  friend bool operator==(const Cohort&, const Cohort&) = default;
};

// The draw, 0 to 9,999: XXH3 (64 bits, seed 0) over salt, a zero byte and the 16 bytes of the
// reference, modulo 10,000. Test vectors: src/base/cohort_test.cc, docs/formats/config-record.md.
std::uint32_t DrawOf(std::string_view salt, const VehicleRef& vehicle);

// Where a vehicle stands in the order in which a cohort grows: 0 for `always`, 1 + draw, and the
// last for `never` (which is stronger). A cohort of so many lots has all vehicles of lower lots, so
// a larger one has everybody of a smaller one. The share is not looked at.
inline constexpr std::uint32_t kLots = 10'002;
std::uint32_t LotOf(const Cohort& order, const VehicleRef& vehicle);
// Lots of a cohort with a share: 10,000 is everybody but `never`.
constexpr std::uint32_t LotsOfShare(std::uint32_t per_10000) { return per_10000 + 1; }

}  // namespace telltale
