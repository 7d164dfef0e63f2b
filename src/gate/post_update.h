// Post-update regression: do vehicles have more events since they took a new firmware?
//
// Each vehicle is compared with its own past, and those updated with those not yet updated, in the
// same block of time, so that neither chatty vehicles nor a storm over all of them counts as news.
// In each block an event falls to the updated with probability theta s / (theta s + 1 - s), s their
// share of what was expected of all vehicles at risk by their own past. Against H0 theta <= max:
//   E = mean over theta_j > max of prod P(theta_j) / P(max)
// A vehicle speaks once before its update and once after it: after its first event in a block it is
// out of the risk set of that spell, which is decided by its past alone. If vehicles differ by a
// gamma law, the expectation given all of the past is exactly (shape + y) / (1/scale + e), so E is
// a supermartingale, and one may look at any time. The default for firmware; clustered.h is for
// cohorts of a known size at planned looks.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace telltale::gate {

struct OwnPast {
  double events = 0;
  double exposure_h = 0;
};
// Gamma law of the vehicles' rates per hour: mean shape / rate.
struct RatePrior {
  double shape = 1;
  double rate_h = 1000;
};
// By the first two moments over the fleet's past; shape 0.05 to 100. A fleet without events gets a
// mean of one event in all its hours.
RatePrior FitPrior(std::span<const OwnPast> fleet);
double ExpectedPerHour(const RatePrior& prior, const OwnPast& past);

// An hour or a day. Expected: sum over the vehicles at risk of ExpectedPerHour x hours driven.
struct UpdateBlock {
  double expected_updated = 0;
  double expected_control = 0;
  std::int64_t events_updated = 0;  // vehicles that had their first event of the spell
  std::int64_t events_control = 0;
};

inline constexpr int kRatioPoints = 12;  // 1.25 max ... 40 max, even in the logarithm

// Mergeable over strata by Add of their blocks in any order.
class UpdateEvidence {
 public:
  explicit UpdateEvidence(double ratio_max);  // H0: events become at most so many times as many

  // Blocks in which only one side is at risk say nothing and are counted as such.
  void Add(const UpdateBlock& block);

  double log_e() const;
  std::int64_t events_updated() const { return events_updated_; }
  std::int64_t events_control() const { return events_control_; }
  std::int64_t blocks_without_control() const { return blocks_without_control_; }
  // Events of the updated by what was expected of them, in units of control's.
  double ratio() const;

 private:
  double ratio_max_;
  std::array<double, kRatioPoints> ratios_ = {};
  std::array<double, kRatioPoints> logs_ = {};
  std::int64_t events_updated_ = 0;
  std::int64_t events_control_ = 0;
  std::int64_t blocks_without_control_ = 0;
  double expected_updated_ = 0;
};

}  // namespace telltale::gate
