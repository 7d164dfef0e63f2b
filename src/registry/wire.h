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

void ToWire(const Choice& choice, wire::Choice& out);
Choice FromWire(const wire::Choice& choice);
wire::RegistryMessage ToWire(const ChoiceState& state);
//   kInvalid  a reference that is not 16 bytes
Result<ChoiceState> FromWire(const wire::RegistryMessage::ChoiceState& state);
Result<ChoiceInForce> FromWire(const wire::ChoiceInForce& taken);
void ToWire(const ChoiceWish& wish, wire::RegistryRequest::SetChoice& out);
ChoiceWish FromWire(const wire::RegistryRequest::SetChoice& wish);

wire::RegistryMessage FailureMessage(const Error& error);

}  // namespace telltale::registry
