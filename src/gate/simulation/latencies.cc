#include "gate/simulation/latencies.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "gate/blocks.h"
#include "gate/simulation/dice.h"

namespace telltale::gate::simulation {
namespace {

constexpr double kWeight = 0.1;  // of the rollout's alpha
constexpr double kAlpha = 0.01;

}  // namespace

LatencyEnd RunLatency(const LatencyCase& latency, std::uint64_t seed) {
  Dice dice(seed);
  Mood first_host;
  Mood second_host;
  std::vector<Block> blocks;
  LatencyEnd end;
  const double margin = latency.margin / latency.scale;
  for (int i = 0; i < latency.blocks; ++i) {
    // The first host is 1.5 times as slow as the second, and both drift for hours.
    const double first = 0.012 * first_host.Next(dice);
    const double second = 0.008 * second_host.Next(dice);
    const bool is_first = !latency.is_by_lot || dice.Chance(0.5);
    const double noise = 0.005 * dice.Normal();
    const double difference = (is_first ? first - second : second - first) + latency.slower + noise;
    blocks.push_back({std::clamp(difference / latency.scale, -1.0, 1.0), is_first});
    if (LogBlockE(blocks, margin) >= -std::log(kAlpha * kWeight)) {
      end.is_halted = true;
      end.hours = (i + 1) / 2.0;
      break;
    }
  }
  end.is_order_refused = !IsOrderRandom(blocks, 0.001);
  end.is_inside = BlockUpperBound(blocks, 0.05) <= margin;
  return end;
}

}  // namespace telltale::gate::simulation
