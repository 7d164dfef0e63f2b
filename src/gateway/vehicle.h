// What the door knows of a vehicle once its certificate has been looked up. No VIN.
#pragma once

#include <cstdint>

#include "base/ids.h"

namespace telltale::gateway {

// What is left out of a vehicle's reports by its choice (docs/choice.md).
inline constexpr std::uint8_t kPreciseOff = 0x01;
inline constexpr std::uint8_t kCellOff = 0x02;
inline constexpr std::uint8_t kBehaviourOff = 0x04;

struct Vehicle {
  VehicleRef ref;
  std::uint32_t vehicle_class = 0;  // base/vehicle_class.h
  double odometer_offset_km = 0;
  std::uint64_t choice_number = 0;  // 0: nothing was ever chosen, the environment's defaults hold
  std::uint8_t choice_off = 0;      // of the three above; defaults are in it
  bool is_choice_in_force = false;  // the registry knows from which offsets
  friend bool operator==(const Vehicle&, const Vehicle&) = default;
};

}  // namespace telltale::gateway
