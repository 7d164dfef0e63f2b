// Rows as they travel on registry.sock (src/contract/internal/v1/local.proto).
#pragma once

#include "internal/v1/local.pb.h"
#include "registry/registry.h"

namespace telltale::registry {

namespace wire = ::telltale::internal::v1;

void ToWire(const Vehicle& vehicle, wire::VehicleRow& row);
//   kInvalid  a reference that is not 16 bytes or a class that does not exist
Result<Vehicle> FromWire(const wire::VehicleRow& row);
// What a person says of a vehicle; reference and offset are not read.
VehicleEntry EntryFromWire(const wire::VehicleRow& row);

wire::RegistryMessage FailureMessage(const Error& error);
// kUnavailable for a code this build does not know.
Error ErrorFromWire(const wire::Failure& failure);

}  // namespace telltale::registry
