// Seeded chance for the simulation: same seed, same fleet, on every machine.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

namespace telltale::gate::simulation {

// SplitMix64 without a lock: one thread.
class Dice {
 public:
  // The seed is mixed before it is a state: states that are whole steps apart would give the same
  // numbers, a few draws later.
  explicit Dice(std::uint64_t seed) : state_(Mix(seed + 0x632be59bd9b4e019U)) {}

  std::uint64_t Next() {
    state_ += 0x9e3779b97f4a7c15U;
    return Mix(state_);
  }
  // In (0, 1).
  double Uniform() { return (static_cast<double>(Next() >> 11) + 0.5) * 0x1p-53; }
  bool Chance(double p) { return Uniform() < p; }

  double Normal() {
    return std::sqrt(-2 * std::log(Uniform())) * std::cos(2 * std::numbers::pi * Uniform());
  }
  // Mean 1 (Marsaglia, Tsang 2000).
  double Gamma(double shape) {
    if (shape < 1) return Raw(shape + 1) * std::pow(Uniform(), 1 / shape) / shape;
    return Raw(shape) / shape;
  }
  int Poisson(double mean) {
    const double limit = std::exp(-mean);
    double product = Uniform();
    int count = 0;
    while (product > limit && count < 1000) {
      product *= Uniform();
      ++count;
    }
    return count;
  }

 private:
  static std::uint64_t Mix(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }
  double Raw(double shape) {
    const double d = shape - 1.0 / 3;
    const double c = 1 / std::sqrt(9 * d);
    while (true) {
      const double x = Normal();
      const double cube = 1 + c * x;
      if (cube <= 0) continue;
      const double v = cube * cube * cube;
      if (std::log(Uniform()) < 0.5 * x * x + d - d * v + d * std::log(v)) return d * v;
    }
  }
  std::uint64_t state_;
};

// Storms over the whole fleet, and the mood of one vehicle: what makes events come together.
class Weather {
 public:
  // Of `blocks` a twentieth, about, lie in storms of three blocks in which events are fivefold.
  double Next(Dice& dice) {
    if (left_ > 0) {
      --left_;
    } else if (dice.Chance(1.0 / 60)) {
      left_ = 3;
    }
    return left_ > 0 ? 5 : 1;
  }

 private:
  int left_ = 0;
};

// exp of an autoregression of order one: lag-1 correlation 0.8, mean 1.
class Mood {
 public:
  double Next(Dice& dice) {
    constexpr double kRho = 0.8;
    constexpr double kSpread = 0.6;
    log_ = kRho * log_ + std::sqrt(1 - kRho * kRho) * kSpread * dice.Normal();
    return std::exp(log_ - kSpread * kSpread / 2);
  }

 private:
  double log_ = 0;
};

}  // namespace telltale::gate::simulation
