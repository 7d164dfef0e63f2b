// A rate per exposure with the vehicle as its unit, for cohorts that cannot be paired.
//
// R = sum y / sum e; residuals y - R e per vehicle give its variance (Deng, Knoblich, Lu 2018), so
// that vehicles that are chatty, and their bursts, widen it. More time adds events, not vehicles:
// the same vehicles are measured again, so this is looked at only at planned times (spending.h).
#pragma once

#include <vector>

#include "gate/evidence.h"

namespace telltale::gate {

struct Rate {
  double rate = 0;         // y by e
  double variance = 0;     // of it
  bool is_usable = false;  // two vehicles or more, with exposure
};
Rate RateOf(const ArmSums& arm);

// (R_candidate - margin R_control) / deviation. A difference and no quotient: a control without
// events is no reason not to look. Empty arms, or fewer than kRateEventsMin events in both
// together: not usable, never "no difference".
inline constexpr double kRateEventsMin = 30;
struct RateZ {
  double z = 0;
  bool is_usable = false;
};
RateZ CompareRates(const RateLook& look, double margin);

struct RateVerdict {
  bool is_above = false;  // halts: above the margin, Pocock-like, with alpha_halt
  bool is_below = false;  // safe: below the margin, O'Brien-Fleming-like, with alpha_promote
  double z = 0;           // at the last usable look
  double ratio = 0;       // candidate by control, 0 where control has none
};
struct RateRule {
  double margin = 1.2;
  double alpha_halt = 0.01;
  double alpha_promote = 0.05;
  std::vector<double> planned = {1.0};
};
// More looks than planned are not looked at.
RateVerdict JudgeRate(const std::vector<RateLook>& looks, const RateRule& rule);

}  // namespace telltale::gate
