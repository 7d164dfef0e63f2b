#include "sim/model.h"

#include <fmt/format.h>

namespace telltale::sim {

VehiclePlan PlanVehicle(std::uint64_t fleet_seed, std::size_t index) {
  SeededRandom random(fleet_seed * 0x9E3779B97F4A7C15ull + index);
  VehiclePlan plan;
  plan.vin = fmt::format("TTSM{:013}", index);  // 17 characters, no I, O or Q
  plan.model = index % kModels.size();
  // Every other one: both firmware versions drive in each model over eight vehicles.
  plan.firmware = (index / kModels.size()) % 2 == 0 ? kOldFirmware : kNewFirmware;
  plan.hard_braker = index % 5 == 1;
  plan.weak_battery = index % 9 == 4;
  plan.false_aeb = index % 13 == 6;
  if (index % 20 == 11) plan.clock_error_us = -7 * 60 * 1'000'000ll;  // late by its own clock
  if (index % 20 == 17) plan.clock_error_us = 2 * 60 * 1'000'000ll;   // ahead, under the clamp
  plan.registered = index % 10 != 9;
  plan.seed = random.NextU64();
  return plan;
}

}  // namespace telltale::sim
