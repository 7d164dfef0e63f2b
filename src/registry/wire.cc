#include "registry/wire.h"

#include <algorithm>

#include "contract/failure_wire.h"

namespace telltale::registry {

void ToWire(const Vehicle& vehicle, wire::VehicleRow& row) {
  row.set_vin(vehicle.entry.vin);
  row.set_vehicle_ref(vehicle.vehicle_ref.bytes.data(), vehicle.vehicle_ref.bytes.size());
  row.set_model(vehicle.entry.model);
  row.set_vehicle_class(static_cast<std::uint32_t>(vehicle.entry.vehicle_class));
  row.set_fuel(vehicle.entry.fuel);
  row.set_ownership_epoch(vehicle.entry.ownership_epoch);
  row.set_odometer_offset_km(vehicle.odometer_offset_km);
  if (vehicle.choice.number > 0) ToWire(vehicle.choice, *row.mutable_choice());
}

VehicleEntry EntryFromWire(const wire::VehicleRow& row) {
  return {.vin = row.vin(),
          .model = row.model(),
          .vehicle_class = static_cast<VehicleClass>(row.vehicle_class()),
          .fuel = row.fuel(),
          .ownership_epoch = row.ownership_epoch()};
}

Result<Vehicle> FromWire(const wire::VehicleRow& row) {
  Vehicle vehicle{EntryFromWire(row), {}, row.odometer_offset_km(), FromWire(row.choice())};
  if (row.vehicle_ref().size() != vehicle.vehicle_ref.bytes.size()) {
    return Error{Code::kInvalid, "a vehicle reference is 16 bytes"};
  }
  if (row.vehicle_class() >= kVehicleClassNames.size()) {
    return Error{Code::kInvalid, "a vehicle class that does not exist"};
  }
  std::copy(row.vehicle_ref().begin(), row.vehicle_ref().end(), vehicle.vehicle_ref.bytes.begin());
  return vehicle;
}

wire::RegistryMessage FailureMessage(const Error& error) {
  wire::RegistryMessage message;
  contract::SetFailure(error, *message.mutable_failure());
  return message;
}

}  // namespace telltale::registry
