// How often a gate was wrong where it works: halts of rollouts that are over, and placebo cohorts.
// Pure; any thread. docs/gate.md, calibration.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/ids.h"
#include "gate/clustered.h"
#include "gate/numeric.h"

namespace telltale::gate {

// Until so many live rollouts, the shipped simulation stands for the gate.
inline constexpr std::int64_t kLiveRolloutsNeeded = 300;
inline constexpr double kCalibrationConfidence = 0.95;

// Rollouts that are over and that a gate of kind evidence judged.
struct LiveRollouts {
  std::int64_t rollouts = 0;
  std::int64_t halted = 0;
  std::int64_t called_false = 0;  // by a person; of halted
  std::int64_t called_true = 0;
};
struct LiveRates {
  Interval called_false = {};  // of all rollouts; the whole of [0, 1] where there are none
  Interval at_worst = {};      // the same, where halts that nobody has judged count as false
};
LiveRates RatesOf(const LiveRollouts& live);

// One more vehicle of an arm.
void AddVehicle(ArmSums& arm, double events, double exposure);

// What one vehicle had under one release: nothing differs between any two cohorts but the lot.
struct PlaceboVehicle {
  VehicleRef vehicle = {};
  double events = 0;
  double exposure = 1;
};
struct PlaceboHalts {
  std::int64_t draws = 0;   // of which both cohorts could be compared
  std::int64_t halted = 0;  // found above margin 1, where a false halt is likeliest
  Interval interval = {};   // as if draws were independent; they share their vehicles
};
// `draws` halves of the vehicles by the lots of as many salts, "<salt>-<number>", each compared
// once at `alpha` by the test of l2_rate.
PlaceboHalts HaltsOfPlacebos(std::span<const PlaceboVehicle> vehicles, const std::string& salt,
                             int draws, double alpha);

}  // namespace telltale::gate
