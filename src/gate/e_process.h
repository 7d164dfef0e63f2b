// The one-sided e-process on votes: X = 1 for a vehicle with a difference, 0 for one without.
//
// Against H0 "P(X = 1 | past) <= max" it bets
//   E = sum_j w_j prod (p_j/max)^X ((1-p_j)/(1-max))^(1-X)
// on a fixed grid of shares p_j above max. Under H0 E is a non-negative supermartingale that begins
// at 1, so P(E ever reaches 1/alpha) <= alpha, however often and whenever one looks (Ville).
// The product depends on the counts only, so its state is two numbers that add up over partitions.
//
// A vehicle that is watched and has no difference so far counts as 0 and may become 1 later. That
// keeps the guarantee: E rises in k, so it is never above the E of the final votes in the order in
// which vehicles came. It does not keep the bound below, which needs vehicles that are settled.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

namespace telltale::gate {

struct Votes {
  std::int64_t n = 0;  // vehicles
  std::int64_t k = 0;  // of these with a difference; 0 <= k <= n
  Votes operator+(const Votes& other) const { return {n + other.n, k + other.k}; }
  bool operator==(const Votes&) const = default;
};

// p_1 ... p_16, even in the logarithm of their odds from 1.5 times those of max to 19 (p = 0.95);
// each weighs 1/16. Even in log odds: a fault may be twice the limit or everything, and neither is
// likelier; whatever the true share is, the nearest p_j costs at most ln 16 = 2.8 of ln E.
inline constexpr int kGridPoints = 16;

class HaltGrid {
 public:
  explicit HaltGrid(double max);          // in (0, 1)
  double LogE(const Votes& votes) const;  // O(grid); rises in k, falls in n

  const std::array<double, kGridPoints>& shares() const { return shares_; }

 private:
  std::array<double, kGridPoints> shares_ = {};
  std::array<double, kGridPoints> log_one_ = {};   // ln p_j/max
  std::array<double, kGridPoints> log_zero_ = {};  // ln (1-p_j)/(1-max)
};

double LogE(double max, const Votes& votes);

// The same against H0 "share >= margin": p_j = margin times 0, 1/8, 1/4, 1/2, 3/4, the first with
// weight 1/2, the others 1/8 each. Rises in n and in margin, falls in k.
double LogBelow(double margin, const Votes& votes);

// The largest share that LogBelow has not rejected: above the true share at all times together
// with probability 1 - alpha. 1 of no votes.
double UpperBound(const Votes& votes, double alpha);

// Over many looks the largest E counts, and 1/E of it is a p-value that holds at all of them.
class RunningE {
 public:
  void See(double log_e) { log_max_ = std::max(log_max_, log_e); }
  double log_max() const { return log_max_; }
  double p_value() const { return std::exp(-log_max_); }

 private:
  double log_max_ = 0;  // E begins at 1
};

// How many more vehicles without a difference bring UpperBound to `margin` or below.
inline constexpr std::int64_t kNeededMax = 1'000'000'000;
std::int64_t NeededClean(const Votes& votes, double margin, double alpha);

struct HaltRule {
  double max = 0.01;
  double log_threshold = 4.6;     // ln(1 / (alpha * weight)) where a metric has to halt alone
  std::int64_t distinct_min = 3;  // and k at least so many
};

// The smallest k that halts at n votes; n + 1 where none does.
std::int64_t HaltsAt(const HaltRule& rule, std::int64_t n);

// P(halt at any of the first n votes) where each is 1 with probability `share`, independently.
// Up to kExactVotes exact, by the distribution of k along the boundary; beyond it a lower bound,
// P(k at n is at or above the boundary).
inline constexpr std::int64_t kExactVotes = 2000;
double PowerOf(const HaltRule& rule, std::int64_t n, double share);

// The smallest share whose PowerOf is `power` (to 1/1000 of itself); 1 where none is.
double Detectable(const HaltRule& rule, std::int64_t n, double power);

}  // namespace telltale::gate
