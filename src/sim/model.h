// The kinds of car in the synthetic fleet, and what may be wrong with one.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/random.h"
#include "base/vehicle_class.h"

namespace telltale::sim {

struct Model {
  const char* name;
  VehicleClass vehicle_class;
  const char* fuel;        // gasoline | diesel | electric
  double cruise_mps;       // typical speed on the grid
  double accelerate_mps2;  // comfortable
  double brake_mps2;       // comfortable, positive
  double battery_rest_v;   // 12 V battery at rest
};

inline constexpr std::array<Model, 4> kModels = {{
    {"compact-g", VehicleClass::kPassengerCar, "gasoline", 13.9, 1.6, 1.8, 12.6},
    {"saloon-e", VehicleClass::kPassengerCar, "electric", 15.3, 2.0, 1.9, 12.7},
    {"van-d", VehicleClass::kVan, "diesel", 12.5, 1.2, 1.6, 12.5},
    {"truck-d", VehicleClass::kTruck, "diesel", 11.1, 0.8, 1.3, 12.6},
}};

// One vehicle of the fleet, settled by (seed, index) alone.
struct VehiclePlan {
  std::string vin;
  std::size_t model = 0;  // into kModels
  std::string firmware;   // kOldFirmware or kNewFirmware
  bool hard_braker = false;
  bool weak_battery = false;
  bool false_aeb = false;
  std::int64_t clock_error_us = 0;  // what its clock is wrong by
  bool registered = true;           // in the list for `telltale vehicles import`
  std::uint64_t seed = 0;           // of its own randomness

  const Model& model_of() const { return kModels[model]; }
};

inline constexpr const char* kOldFirmware = "1.0.0";
inline constexpr const char* kNewFirmware = "2.0.0";

// Faults are rare but every fleet of 20 or more has each of them.
VehiclePlan PlanVehicle(std::uint64_t fleet_seed, std::size_t index);

}  // namespace telltale::sim
