#include "gate/numeric.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace telltale::gate {

double LogSumExp(std::span<const double> logs) {
  double most = kLogZero;
  for (const double log : logs) most = std::max(most, log);
  if (most <= kLogZero) return kLogZero;
  double sum = 0;
  for (const double log : logs) sum += std::exp(log - most);
  return most + std::log(sum);
}

double LogGamma(double x) {
  CHECK(x > 0);
  // Stirling's series is good to 1e-16 from 10 on; smaller arguments are stepped up to there.
  double shift = 0;
  while (x < 10) {
    shift -= std::log(x);
    x += 1;
  }
  const double r = 1 / x;
  const double r2 = r * r;
  const double series =
      r * (1.0 / 12 - r2 * (1.0 / 360 - r2 * (1.0 / 1260 - r2 * (1.0 / 1680 - r2 / 1188.0))));
  constexpr double kHalfLog2Pi = 0.918938533204672742;
  return shift + (x - 0.5) * std::log(x) - x + kHalfLog2Pi + series;
}

double LogChoose(std::int64_t n, std::int64_t k) {
  CHECK(k >= 0 && k <= n);
  if (k == 0 || k == n) return 0;
  const auto whole = static_cast<double>(n);
  const auto part = static_cast<double>(k);
  return LogGamma(whole + 1) - LogGamma(part + 1) - LogGamma(whole - part + 1);
}

double NormalCdf(double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); }

double NormalQuantile(double p) {
  CHECK(p > 0 && p < 1);
  if (p > 0.5) return -NormalQuantile(1 - p);  // small tails are exact, 1 - tail is not
  double low = -40;
  double high = 0;
  for (int i = 0; i < 100; ++i) {
    const double middle = (low + high) / 2;
    (NormalCdf(middle) < p ? low : high) = middle;
  }
  return (low + high) / 2;
}

double BinomialTail(std::int64_t n, std::int64_t k, double p) {
  if (k <= 0) return 1;
  if (k > n || p <= 0) return 0;
  if (p >= 1) return 1;
  // The smaller side is summed from its largest term on, until what follows no longer counts.
  const bool is_upper = static_cast<double>(k) > static_cast<double>(n) * p;
  const double log_odds = std::log(p) - std::log1p(-p);
  std::int64_t at = is_upper ? k : k - 1;
  double log_term = LogChoose(n, at) + static_cast<double>(at) * std::log(p) +
                    static_cast<double>(n - at) * std::log1p(-p);
  double sum = 0;
  double term = std::exp(log_term);
  while (at >= 0 && at <= n) {
    sum += term;
    if (term < sum * 1e-18) break;
    const auto x = static_cast<double>(at);
    const auto left = static_cast<double>(n - at);
    term *= is_upper ? left / (x + 1) * std::exp(log_odds) : x / (left + 1) * std::exp(-log_odds);
    at += is_upper ? 1 : -1;
  }
  return std::clamp(is_upper ? sum : 1 - sum, 0.0, 1.0);
}

Interval ClopperPearson(std::int64_t n, std::int64_t k, double confidence) {
  CHECK(n > 0 && k >= 0 && k <= n);
  const double tail = (1 - confidence) / 2;
  Interval interval;
  const auto solve = [&](std::int64_t at_least, double target) {
    double low = 0;
    double high = 1;
    for (int i = 0; i < 80; ++i) {
      const double middle = (low + high) / 2;
      (BinomialTail(n, at_least, middle) < target ? low : high) = middle;
    }
    return (low + high) / 2;
  };
  if (k > 0) interval.low = solve(k, tail);
  if (k < n) interval.high = solve(k + 1, 1 - tail);
  return interval;
}

}  // namespace telltale::gate
