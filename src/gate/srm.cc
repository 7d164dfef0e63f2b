#include "gate/srm.h"

#include <array>
#include <cmath>

#include "base/check.h"
#include "gate/numeric.h"

namespace telltale::gate {

double LogBalanceE(std::span<const Arm> arms) {
  std::int64_t total = 0;
  double log = LogGamma(static_cast<double>(arms.size()));
  for (const Arm& arm : arms) {
    CHECK(arm.vehicles >= 0 && arm.share > 0);
    total += arm.vehicles;
    log += LogGamma(static_cast<double>(arm.vehicles) + 1) -
           static_cast<double>(arm.vehicles) * std::log(arm.share);
  }
  return log - LogGamma(static_cast<double>(total) + static_cast<double>(arms.size()));
}

double LogVotes(std::int64_t n, std::int64_t k) {
  CHECK(k >= 0 && k <= n);
  return LogBalanceE(std::array<Arm, 2>{Arm{k, 0.5}, Arm{n - k, 0.5}});
}

}  // namespace telltale::gate
