// Which vehicles a release computes: by the config record in force at each offset of the stream, so
// that a replay computes the same ones (docs/decisions/0009-authority-by-lot.md).
#pragma once

#include <cstdint>
#include <string_view>

#include "base/cohort.h"
#include "base/ids.h"

namespace telltale::internal::v1 {
class ConfigRecord;
}  // namespace telltale::internal::v1

namespace telltale::safety {

// As long as nothing of a partition was read.
inline constexpr Micros kNotBegun{INT64_MIN};

struct Lots {
  std::uint32_t count = kLots;  // vehicles of lower lots; kLots = all, 0 = none
  Micros since = kNotBegun;     // log time from which all of them are computed
  Cohort order = {};            // says who has which lot; empty when all or none are computed

  bool all() const { return count == kLots; }
  bool Has(const VehicleRef& vehicle) const {
    return all() || (count > 0 && LotOf(order, vehicle) < count);
  }
  friend bool operator==(const Lots&, const Lots&) = default;
};

// What `release` computes from `config` on, which is read at `log_time`: all as the stable or the
// previous release, lots below the rollout's shadow_lots as its candidate, else none. `since` stays
// where all of the new lots were computed before.
Lots LotsAfter(const Lots& before, const internal::v1::ConfigRecord& config,
               std::string_view release, Micros log_time);

}  // namespace telltale::safety
