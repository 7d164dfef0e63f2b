// The few special functions that the gate stands on, written out so that they give the same bits
// wherever exp, log, sqrt and erfc do.
#pragma once

#include <cstdint>
#include <span>

namespace telltale::gate {

inline constexpr double kLogZero = -1e300;  // ln 0, as a number that JSON can carry

// ln sum(exp(x)); kLogZero of nothing.
double LogSumExp(std::span<const double> logs);
double LogGamma(double x);                         // x > 0; relative error below 1e-13
double LogChoose(std::int64_t n, std::int64_t k);  // 0 <= k <= n
double NormalCdf(double z);
double NormalQuantile(double p);  // 0 < p < 1
// P(X >= k), X binomial.
double BinomialTail(std::int64_t n, std::int64_t k, double p);

struct Interval {
  double low = 0;
  double high = 1;
};
// Clopper-Pearson: holds a true share with at least `confidence`. n > 0.
Interval ClopperPearson(std::int64_t n, std::int64_t k, double confidence);

}  // namespace telltale::gate
