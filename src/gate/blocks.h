// Differences of blocks: candidate minus stable, each in [-1, 1], of a partition in an interval.
//
// Against H0 "mean difference given the past <= margin":
//   E = mean over lambda of prod (1 + lambda (D - margin) / (1 + margin))
// with lambda fixed beforehand (Waudby-Smith, Ramdas 2020), time-uniform like e_process.h. A slow
// drift of hosts or hours is no drift of the difference only if the lot decides anew for each block
// which host carries which release: the caller draws it, and IsOrderRandom looks whether it did.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "gate/evidence.h"

namespace telltale::gate {

inline constexpr std::array<double, 6> kBets = {0.03125, 0.0625, 0.125, 0.25, 0.5, 0.9};

// `margin` in (-1, 1).
double LogBlockE(std::span<const Block> blocks, double margin);      // the mean is above it
double LogBlockBelow(std::span<const Block> blocks, double margin);  // the mean is below it
// Above the true mean at all times together with probability 1 - alpha. 1 of no blocks.
double BlockUpperBound(std::span<const Block> blocks, double alpha);
double MeanDifference(std::span<const Block> blocks);  // 0 of none

// False where the order of arms is one that lots would hardly give (chance below alpha over all
// looks): never exchanged in 11 blocks at 1 %, or far more often one way.
bool IsOrderRandom(std::span<const Block> blocks, double alpha);

}  // namespace telltale::gate
