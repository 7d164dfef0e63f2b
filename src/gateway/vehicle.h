// What the door knows of a vehicle once its certificate has been looked up. No VIN.
#pragma once

#include <cstdint>

#include "base/ids.h"

namespace telltale::gateway {

struct Vehicle {
  VehicleRef ref;
  std::uint32_t vehicle_class = 0;  // base/vehicle_class.h
  double odometer_offset_km = 0;
  friend bool operator==(const Vehicle&, const Vehicle&) = default;
};

}  // namespace telltale::gateway
