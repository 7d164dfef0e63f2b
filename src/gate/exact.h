// Cohorts too small for a bound: what differs is counted, and may not be more than was declared.
#pragma once

#include <cmath>
#include <cstdint>

#include "gate/e_process.h"

namespace telltale::gate {

// Whole vehicles that may differ: 1 % of 99 is none, of 100 one.
inline std::int64_t ExactlyAllowed(std::int64_t n, double max) {
  return static_cast<std::int64_t>(std::floor(static_cast<double>(n) * max + 1e-9));
}
inline bool IsExactlyWithin(const Votes& votes, double max) {
  return votes.k <= ExactlyAllowed(votes.n, max);
}

}  // namespace telltale::gate
