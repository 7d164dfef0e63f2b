// Classes of vehicle as the registry keeps and the contract's enum VehicleClass numbers them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace telltale {

enum class VehicleClass : std::uint32_t {
  kUnknown = 0,
  kPassengerCar = 1,
  kVan = 2,
  kTruck = 3,
  kBus = 4,
  kMotorcycle = 5,
};

inline constexpr std::array<std::string_view, 6> kVehicleClassNames = {
    "unknown", "passenger_car", "van", "truck", "bus", "motorcycle"};

inline std::optional<VehicleClass> ParseVehicleClass(std::string_view name) {
  for (std::uint32_t i = 0; i < kVehicleClassNames.size(); ++i) {
    if (kVehicleClassNames[i] == name) return static_cast<VehicleClass>(i);
  }
  return std::nullopt;
}
inline std::string_view VehicleClassName(VehicleClass value) {
  const auto index = static_cast<std::size_t>(value);
  return index < kVehicleClassNames.size() ? kVehicleClassNames[index] : kVehicleClassNames[0];
}

}  // namespace telltale
