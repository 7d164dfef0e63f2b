// One e-value out of many, against one alpha for a whole rollout.
//
// The weighted mean of e-values is an e-value under any dependence between them (Vovk, Wang 2021);
// at its worst it is a weighted Bonferroni, and it gains where several metrics move together. The
// weights sum to 1 over the metrics in play, fixed before the rollout: a metric that brings no
// evidence counts as 0 and leaves its weight with nobody, since a weight that moved to those that
// are left would be chosen by what was seen.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "base/check.h"
#include "gate/numeric.h"

namespace telltale::gate {

struct Weighted {
  double weight = 0;
  double log_e = kLogZero;
};

// ln sum(w e). The weights sum to at most 1.
inline double LogMean(std::span<const Weighted> parts) {
  double sum = 0;
  std::vector<double> logs;
  logs.reserve(parts.size());
  for (const auto& [weight, log_e] : parts) {
    CHECK(weight >= 0);
    sum += weight;
    if (weight > 0 && log_e > kLogZero) logs.push_back(std::log(weight) + log_e);
  }
  CHECK(sum <= 1 + 1e-9);
  return LogSumExp(logs);
}

// A p-value as an e-value: 0.5 / sqrt(p), so 0.0001 counts as 50 (Vovk, Wang 2021). Only for a p
// that holds at all looks.
inline double LogCalibrated(double p) {
  CHECK(p >= 0 && p <= 1);
  return std::log(0.5) - 0.5 * std::log(std::max(p, 1e-300));
}

// A test with its own slice of alpha as an e-value: 1/slice once it has rejected, else nothing.
inline double LogAllOrNothing(bool is_rejected, double slice) {
  CHECK(slice > 0 && slice < 1);
  return is_rejected ? -std::log(slice) : kLogZero;
}

// An e-value that stands on too few vehicles may speak for the release, never against it: the
// smaller of E and 1 is an e-value too.
inline double LogHeldBack(double log_e, bool has_enough) {
  return has_enough ? log_e : std::min(log_e, 0.0);
}

}  // namespace telltale::gate
