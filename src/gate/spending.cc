#include "gate/spending.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/check.h"
#include "gate/numeric.h"

namespace telltale::gate {
namespace {

constexpr int kSteps = 800;      // even, for Simpson's rule
constexpr double kFarthest = 9;  // standard deviations

// Density of the sum S below its boundary, on an even grid.
struct Density {
  double low = 0;
  double step = 0;
  std::vector<double> values = {};

  double at(int i) const { return low + step * i; }
  double weight(int i) const {
    return step / 3 * (i == 0 || i == kSteps ? 1 : (i % 2 == 1 ? 4 : 2));
  }
};

double Phi(double z) { return std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi); }

// P(S + increment >= bound) from where S has not crossed.
double Crossing(const Density& before, double deviation, double bound) {
  double sum = 0;
  for (int i = 0; i <= kSteps; ++i) {
    const double z = (bound - before.at(i)) / deviation;
    sum += before.weight(i) * before.values[static_cast<std::size_t>(i)] * NormalCdf(-z);
  }
  return sum;
}

Density Next(const Density& before, double deviation, double t, double bound) {
  Density next;
  next.low = -kFarthest * std::sqrt(t);
  next.step = (bound - next.low) / kSteps;
  next.values.resize(kSteps + 1);
  for (int i = 0; i <= kSteps; ++i) {
    double sum = 0;
    for (int j = 0; j <= kSteps; ++j) {
      const double z = (next.at(i) - before.at(j)) / deviation;
      if (std::fabs(z) > kFarthest) continue;
      sum += before.weight(j) * before.values[static_cast<std::size_t>(j)] * Phi(z) / deviation;
    }
    next.values[static_cast<std::size_t>(i)] = sum;
  }
  return next;
}

Density First(double t, double bound) {
  Density first;
  first.low = -kFarthest * std::sqrt(t);
  first.step = (bound - first.low) / kSteps;
  first.values.resize(kSteps + 1);
  for (int i = 0; i <= kSteps; ++i) {
    first.values[static_cast<std::size_t>(i)] = Phi(first.at(i) / std::sqrt(t)) / std::sqrt(t);
  }
  return first;
}

}  // namespace

double Spent(Spending spending, double alpha, double t) {
  CHECK(alpha > 0 && alpha < 1 && t > 0 && t <= 1);
  if (spending == Spending::kPocock) return alpha * std::log(1 + (std::numbers::e - 1) * t);
  return 2 * NormalCdf(NormalQuantile(alpha / 2) / std::sqrt(t));
}

std::vector<double> Boundaries(Spending spending, double alpha, std::span<const double> planned) {
  std::vector<double> bounds;
  Density density;
  double before_t = 0;
  double before_spent = 0;
  for (const double t : planned) {
    CHECK(t > before_t && t <= 1);
    const double spent = Spent(spending, alpha, t);
    const double now = std::max(spent - before_spent, 1e-300);
    double bound = 0;
    if (bounds.empty()) {
      bound = -NormalQuantile(std::min(now, 0.5)) * std::sqrt(t);
      density = First(t, bound);
    } else {
      const double deviation = std::sqrt(t - before_t);
      double low = -kFarthest;
      double high = kFarthest;
      for (int i = 0; i < 60; ++i) {
        const double middle = (low + high) / 2;
        (Crossing(density, deviation, middle) > now ? low : high) = middle;
      }
      bound = (low + high) / 2;
      density = Next(density, deviation, t, bound);
    }
    bounds.push_back(bound / std::sqrt(t));
    before_t = t;
    before_spent = spent;
  }
  return bounds;
}

}  // namespace telltale::gate
