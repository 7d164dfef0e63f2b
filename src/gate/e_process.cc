#include "gate/e_process.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/check.h"
#include "gate/numeric.h"

namespace telltale::gate {
namespace {

constexpr double kOddsFirst = 1.5;  // times the odds of max
constexpr double kOddsLast = 19;

struct BelowPoint {
  double factor;
  double weight;
};
constexpr std::array<BelowPoint, 5> kBelow = {
    {{0, 0.5}, {0.125, 0.125}, {0.25, 0.125}, {0.5, 0.125}, {0.75, 0.125}}};

}  // namespace

HaltGrid::HaltGrid(double max) {
  CHECK(max > 0 && max < 1);
  const double first = kOddsFirst * max / (1 - max);
  const double last = std::max(kOddsLast, 4 * first);
  const double step = std::log(last / first) / (kGridPoints - 1);
  for (std::size_t j = 0; j < kGridPoints; ++j) {
    const double odds = first * std::exp(step * static_cast<double>(j));
    shares_[j] = odds / (1 + odds);
    log_one_[j] = std::log(shares_[j] / max);
    log_zero_[j] = -std::log1p(odds) - std::log1p(-max);
  }
}

double HaltGrid::LogE(const Votes& votes) const {
  CHECK(votes.k >= 0 && votes.k <= votes.n);
  const auto ones = static_cast<double>(votes.k);
  const auto zeros = static_cast<double>(votes.n - votes.k);
  std::array<double, kGridPoints> logs;
  for (std::size_t j = 0; j < kGridPoints; ++j) {
    logs[j] = ones * log_one_[j] + zeros * log_zero_[j];
  }
  return LogSumExp(logs) - std::log(static_cast<double>(kGridPoints));
}

double LogE(double max, const Votes& votes) { return HaltGrid(max).LogE(votes); }

double LogBelow(double margin, const Votes& votes) {
  CHECK(votes.k >= 0 && votes.k <= votes.n);
  if (margin >= 1) return votes.n > 0 ? -kLogZero : 0;  // no share is above 1
  CHECK(margin > 0);
  const auto ones = static_cast<double>(votes.k);
  const auto zeros = static_cast<double>(votes.n - votes.k);
  std::array<double, kBelow.size()> logs;
  for (std::size_t j = 0; j < kBelow.size(); ++j) {
    const auto [factor, weight] = kBelow[j];
    if (factor == 0 && votes.k > 0) {
      logs[j] = kLogZero;
      continue;
    }
    const double of_ones = factor == 0 ? 0 : ones * std::log(factor);
    const double of_zeros = zeros * (std::log1p(-margin * factor) - std::log1p(-margin));
    logs[j] = std::log(weight) + of_ones + of_zeros;
  }
  return LogSumExp(logs);
}

double UpperBound(const Votes& votes, double alpha) {
  CHECK(votes.k >= 0 && votes.k <= votes.n && alpha > 0);
  if (votes.n == 0 || votes.k == votes.n) return 1;
  const double threshold = -std::log(alpha);
  // Nothing below k/n is rejected, and what is rejected grows with the share.
  double low = static_cast<double>(votes.k) / static_cast<double>(votes.n);
  double high = 1;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    const bool is_rejected = middle >= 1 || (middle > 0 && LogBelow(middle, votes) >= threshold);
    (is_rejected ? high : low) = middle;
  }
  return high;
}

std::int64_t NeededClean(const Votes& votes, double margin, double alpha) {
  const double threshold = -std::log(alpha);
  const auto is_inside = [&](std::int64_t more) {
    return LogBelow(margin, {votes.n + more, votes.k}) >= threshold;
  };
  if (is_inside(0)) return 0;
  std::int64_t high = 1;
  while (high < kNeededMax && !is_inside(high)) high *= 2;
  if (high >= kNeededMax) return kNeededMax;
  std::int64_t low = high / 2;
  while (low + 1 < high) {
    const std::int64_t middle = (low + high) / 2;
    (is_inside(middle) ? high : low) = middle;
  }
  return high;
}

namespace {

std::int64_t HaltsAtFrom(const HaltGrid& grid, const HaltRule& rule, std::int64_t n,
                         std::int64_t least) {
  std::int64_t low = std::max(least, rule.distinct_min);
  if (low > n || grid.LogE({n, n}) < rule.log_threshold) return n + 1;
  std::int64_t high = n;
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    if (grid.LogE({n, middle}) >= rule.log_threshold) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

// boundary[i] for i votes; found once, used for each share that is tried.
std::vector<std::int64_t> BoundaryOf(const HaltGrid& grid, const HaltRule& rule, std::int64_t n) {
  std::vector<std::int64_t> boundary = {1};
  std::int64_t least = 0;
  for (std::int64_t i = 1; i <= n; ++i) {
    // It never falls in n and rises by at most one.
    std::int64_t at = std::max(least, rule.distinct_min);
    while (at <= i && grid.LogE({i, at}) < rule.log_threshold) ++at;
    if (at <= i) least = at;
    boundary.push_back(at);
  }
  return boundary;
}

double CrossingOf(const std::vector<std::int64_t>& boundary, double share) {
  double crossed = 0;
  // alive[k]: P(k ones so far and never at the boundary).
  std::vector<double> alive(static_cast<std::size_t>(boundary.back()) + 2, 0.0);
  alive[0] = 1;
  std::int64_t most = 0;
  for (std::size_t i = 1; i < boundary.size(); ++i) {
    most = std::min<std::int64_t>(most + 1, boundary[i]);
    for (auto k = static_cast<std::size_t>(most); k > 0; --k) {
      alive[k] = alive[k] * (1 - share) + alive[k - 1] * share;
    }
    alive[0] *= 1 - share;
    const auto limit = static_cast<std::size_t>(boundary[i]);
    if (static_cast<std::int64_t>(i) >= boundary[i] && most >= boundary[i]) {
      crossed += alive[limit];
      alive[limit] = 0;
      most = boundary[i] - 1;
    }
  }
  return crossed;
}

}  // namespace

std::int64_t HaltsAt(const HaltRule& rule, std::int64_t n) {
  return HaltsAtFrom(HaltGrid(rule.max), rule, n, 0);
}

double PowerOf(const HaltRule& rule, std::int64_t n, double share) {
  if (n <= 0) return 0;
  const HaltGrid grid(rule.max);
  if (n <= kExactVotes) return CrossingOf(BoundaryOf(grid, rule, n), share);
  return BinomialTail(n, HaltsAtFrom(grid, rule, n, 0), share);
}

double Detectable(const HaltRule& rule, std::int64_t n, double power) {
  if (n <= 0) return 1;
  const HaltGrid grid(rule.max);
  const bool is_exact = n <= kExactVotes;
  const auto boundary = is_exact ? BoundaryOf(grid, rule, n) : std::vector<std::int64_t>{};
  const std::int64_t last = is_exact ? boundary.back() : HaltsAtFrom(grid, rule, n, 0);
  if (last > n) return 1;
  const auto is_seen = [&](double share) {
    const double seen = is_exact ? CrossingOf(boundary, share) : BinomialTail(n, last, share);
    return seen >= power;
  };
  double low = rule.max;
  double high = 1;
  while (high - low > high * 1e-3) {
    const double middle = (low + high) / 2;
    (is_seen(middle) ? high : low) = middle;
  }
  return high;
}

}  // namespace telltale::gate
