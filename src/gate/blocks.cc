#include "gate/blocks.h"

#include <cmath>
#include <vector>

#include "base/check.h"
#include "gate/numeric.h"
#include "gate/srm.h"

namespace telltale::gate {
namespace {

// `sign` 1: the mean is above margin, -1: below.
double LogBet(std::span<const Block> blocks, double margin, double sign) {
  CHECK(margin > -1 && margin < 1);
  const double range = 1 + sign * margin;
  std::array<double, kBets.size()> logs = {};
  for (const Block& block : blocks) {
    CHECK(block.difference >= -1 && block.difference <= 1);
    const double gain = sign * (block.difference - margin) / range;  // -1 or more
    for (std::size_t j = 0; j < kBets.size(); ++j) logs[j] += std::log1p(kBets[j] * gain);
  }
  return LogSumExp(logs) - std::log(static_cast<double>(kBets.size()));
}

}  // namespace

double LogBlockE(std::span<const Block> blocks, double margin) { return LogBet(blocks, margin, 1); }

double LogBlockBelow(std::span<const Block> blocks, double margin) {
  return LogBet(blocks, margin, -1);
}

double BlockUpperBound(std::span<const Block> blocks, double alpha) {
  const double threshold = -std::log(alpha);
  double low = -1;
  double high = 1;
  for (int i = 0; i < 40; ++i) {
    const double middle = (low + high) / 2;
    (LogBlockBelow(blocks, middle) >= threshold ? high : low) = middle;
  }
  return high;
}

double MeanDifference(std::span<const Block> blocks) {
  if (blocks.empty()) return 0;
  double sum = 0;
  for (const Block& block : blocks) sum += block.difference;
  return sum / static_cast<double>(blocks.size());
}

bool IsOrderRandom(std::span<const Block> blocks, double alpha) {
  // Two lots: which arm is first, and whether it is another than before. Either may look wrong.
  std::int64_t first = 0;
  std::int64_t exchanged = 0;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (blocks[i].candidate_first) ++first;
    if (i > 0 && blocks[i].candidate_first != blocks[i - 1].candidate_first) ++exchanged;
  }
  const auto total = static_cast<std::int64_t>(blocks.size());
  const double threshold = -std::log(alpha / 2);
  if (total == 0) return true;
  return LogVotes(total, first) < threshold && LogVotes(total - 1, exchanged) < threshold;
}

}  // namespace telltale::gate
