#include "safety/lots.h"

#include <algorithm>

#include "contract/cohort_wire.h"
#include "internal/v1/internal.pb.h"

namespace telltale::safety {
namespace {

Lots Wanted(const internal::v1::ConfigRecord& config, std::string_view release) {
  if (config.stable_release() == release || config.previous_release() == release) return {};
  Lots lots{.count = 0, .since = kNotBegun, .order = {}};
  if (!config.has_rollout() || config.rollout().candidate() != release) return lots;
  lots.count = std::min(config.rollout().shadow_lots(), kLots);
  if (lots.count == 0 || lots.all()) return lots;
  lots.order = contract::CohortOf(config.rollout().order());
  lots.order.per_10000 = 0;  // not looked at: the same order is equal
  return lots;
}

// All that `after` computes was computed by `before`.
bool Covers(const Lots& before, const Lots& after) {
  if (before.since == kNotBegun) return false;
  return before.all() || (before.order == after.order && before.count >= after.count);
}

}  // namespace

Lots LotsAfter(const Lots& before, const internal::v1::ConfigRecord& config,
               std::string_view release, Micros log_time) {
  Lots after = Wanted(config, release);
  after.since = Covers(before, after) ? before.since : log_time;
  return after;
}

}  // namespace telltale::safety
