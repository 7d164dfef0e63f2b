#include "gate/post_update.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "gate/numeric.h"

namespace telltale::gate {

RatePrior FitPrior(std::span<const OwnPast> fleet) {
  double events = 0;
  double hours = 0;
  double squares = 0;  // of exposures
  for (const OwnPast& past : fleet) {
    events += past.events;
    hours += past.exposure_h;
    squares += past.exposure_h * past.exposure_h;
  }
  if (!(hours > 0)) return {};
  const double mean = std::max(events, 1.0) / hours;
  // Var(y) = mean e + mean^2 e^2 / shape, summed over the fleet.
  double spread = 0;
  for (const OwnPast& past : fleet) {
    const double residual = past.events - mean * past.exposure_h;
    spread += residual * residual;
  }
  const double beyond = spread - mean * hours;
  const double shape = beyond > 0 ? mean * mean * squares / beyond : 100;
  RatePrior prior;
  prior.shape = std::clamp(shape, 0.05, 100.0);
  prior.rate_h = prior.shape / mean;
  return prior;
}

double ExpectedPerHour(const RatePrior& prior, const OwnPast& past) {
  return (prior.shape + past.events) / (prior.rate_h + past.exposure_h);
}

UpdateEvidence::UpdateEvidence(double ratio_max) : ratio_max_(ratio_max) {
  CHECK(ratio_max > 0);
  const double step = std::log(40.0 / 1.25) / (kRatioPoints - 1);
  for (std::size_t j = 0; j < kRatioPoints; ++j) {
    ratios_[j] = ratio_max * 1.25 * std::exp(step * static_cast<double>(j));
  }
}

void UpdateEvidence::Add(const UpdateBlock& block) {
  CHECK(block.events_updated >= 0 && block.events_control >= 0);
  const double all = block.expected_updated + block.expected_control;
  if (!(block.expected_updated > 0) || !(block.expected_control > 0)) {
    if (block.events_updated > 0) ++blocks_without_control_;
    return;
  }
  const double share = block.expected_updated / all;
  const auto updated = static_cast<double>(block.events_updated);
  const auto events = updated + static_cast<double>(block.events_control);
  const double log_null =
      updated * std::log(ratio_max_) - events * std::log(ratio_max_ * share + 1 - share);
  for (std::size_t j = 0; j < kRatioPoints; ++j) {
    logs_[j] += updated * std::log(ratios_[j]) - events * std::log(ratios_[j] * share + 1 - share) -
                log_null;
  }
  events_updated_ += block.events_updated;
  events_control_ += block.events_control;
  expected_updated_ += events * share;
}

double UpdateEvidence::log_e() const {
  return LogSumExp(logs_) - std::log(static_cast<double>(kRatioPoints));
}

double UpdateEvidence::ratio() const {
  const double others = static_cast<double>(events_updated_ + events_control_) - expected_updated_;
  if (!(expected_updated_ > 0) || !(others > 0) || events_control_ == 0) return 0;
  return static_cast<double>(events_updated_) / expected_updated_ /
         (static_cast<double>(events_control_) / others);
}

}  // namespace telltale::gate
