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
};

// The draw, 0 to 9,999: XXH3 (64 bits, seed 0) over salt, a zero byte and the 16 bytes of the
// reference, modulo 10,000. Test vectors: src/base/cohort_test.cc, docs/formats/config-record.md.
std::uint32_t DrawOf(std::string_view salt, const VehicleRef& vehicle);

}  // namespace telltale
