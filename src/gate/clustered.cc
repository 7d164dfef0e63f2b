#include "gate/clustered.h"

#include <algorithm>
#include <cmath>

#include "gate/spending.h"

namespace telltale::gate {

Rate RateOf(const ArmSums& arm) {
  Rate rate;
  if (arm.vehicles < 2 || !(arm.e > 0)) return rate;
  const auto n = static_cast<double>(arm.vehicles);
  rate.rate = arm.y / arm.e;
  // sum (y - R e)^2, by its sums; rounding must not make it negative.
  const double squares =
      std::max(0.0, arm.yy - 2 * rate.rate * arm.ye + rate.rate * rate.rate * arm.ee);
  rate.variance = squares * n / (n - 1) / (arm.e * arm.e);
  rate.is_usable = std::isfinite(rate.rate) && std::isfinite(rate.variance);
  return rate;
}

RateZ CompareRates(const RateLook& look, double margin) {
  const Rate candidate = RateOf(look.candidate);
  const Rate control = RateOf(look.control);
  if (!candidate.is_usable || !control.is_usable) return {};
  if (look.candidate.y + look.control.y < kRateEventsMin) return {};
  const double variance = candidate.variance + margin * margin * control.variance;
  if (!(variance > 0)) return {};  // constant arms: a deviation of zero proves nothing
  return {(candidate.rate - margin * control.rate) / std::sqrt(variance), true};
}

RateVerdict JudgeRate(const std::vector<RateLook>& looks, const RateRule& rule) {
  RateVerdict verdict;
  const auto above = Boundaries(Spending::kPocock, rule.alpha_halt, rule.planned);
  const auto below = Boundaries(Spending::kOBrienFleming, rule.alpha_promote, rule.planned);
  for (std::size_t i = 0; i < std::min(looks.size(), rule.planned.size()); ++i) {
    const RateZ look = CompareRates(looks[i], rule.margin);
    if (!look.is_usable) continue;
    verdict.z = look.z;
    const Rate control = RateOf(looks[i].control);
    verdict.ratio = control.rate > 0 ? RateOf(looks[i].candidate).rate / control.rate : 0;
    if (look.z >= above[i]) verdict.is_above = true;
    verdict.is_below = -look.z >= below[i];  // the newest look counts: safety is not for ever
  }
  if (verdict.is_above) verdict.is_below = false;
  return verdict;
}

}  // namespace telltale::gate
