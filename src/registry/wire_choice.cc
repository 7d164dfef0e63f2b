#include <algorithm>

#include "registry/wire.h"

namespace telltale::registry {
namespace {

Result<VehicleRef> RefOf(const std::string& bytes) {
  VehicleRef ref;
  if (bytes.size() != ref.bytes.size()) {
    return Error{Code::kInvalid, "a vehicle reference is 16 bytes"};
  }
  std::copy(bytes.begin(), bytes.end(), ref.bytes.begin());
  return ref;
}

void ToWire(const ChoiceInForce& taken, wire::ChoiceInForce& out) {
  out.set_vehicle_ref(taken.vehicle.bytes.data(), taken.vehicle.bytes.size());
  out.set_choice_number(taken.choice_number);
  out.set_partition(taken.partition.value);
  out.set_safety_offset(taken.safety.value);
  out.set_telemetry_offset(taken.telemetry.value);
  out.set_sealed_offset(taken.sealed.value);
  out.set_taken_at_us(taken.taken_at.value);
}

}  // namespace

void ToWire(const Choice& choice, wire::Choice& out) {
  if (choice.precise) out.set_precise(*choice.precise);
  if (choice.cell) out.set_cell(*choice.cell);
  if (choice.behaviour) out.set_behaviour(*choice.behaviour);
  out.set_number(choice.number);
  out.set_in_force(choice.in_force);
}

Choice FromWire(const wire::Choice& choice) {
  Choice out;
  if (choice.has_precise()) out.precise = choice.precise();
  if (choice.has_cell()) out.cell = choice.cell();
  if (choice.has_behaviour()) out.behaviour = choice.behaviour();
  out.number = choice.number();
  out.in_force = choice.in_force();
  return out;
}

wire::RegistryMessage ToWire(const ChoiceState& state) {
  wire::RegistryMessage message;
  auto& out = *message.mutable_choice();
  out.set_vehicle_ref(state.vehicle.bytes.data(), state.vehicle.bytes.size());
  ToWire(state.choice, *out.mutable_choice());
  out.set_changed_at_us(state.changed_at.value);
  out.set_changed_by_uid(state.changed_by_uid);
  if (state.in_force) ToWire(*state.in_force, *out.mutable_in_force());
  for (const ChoiceInForce& one : state.earlier) ToWire(one, *out.add_earlier());
  return message;
}

Result<ChoiceState> FromWire(const wire::RegistryMessage::ChoiceState& state) {
  ChoiceState out;
  ASSIGN_OR_RETURN(out.vehicle, RefOf(state.vehicle_ref()));
  out.choice = FromWire(state.choice());
  out.changed_at = Micros{state.changed_at_us()};
  out.changed_by_uid = state.changed_by_uid();
  if (state.has_in_force()) {
    ASSIGN_OR_RETURN(out.in_force, FromWire(state.in_force()));
  }
  for (const wire::ChoiceInForce& one : state.earlier()) {
    ASSIGN_OR_RETURN(ChoiceInForce earlier, FromWire(one));
    out.earlier.push_back(earlier);
  }
  return out;
}

Result<ChoiceInForce> FromWire(const wire::ChoiceInForce& taken) {
  ASSIGN_OR_RETURN(const VehicleRef ref, RefOf(taken.vehicle_ref()));
  return ChoiceInForce{.vehicle = ref,
                       .choice_number = taken.choice_number(),
                       .partition = PartitionId{static_cast<std::uint16_t>(taken.partition())},
                       .safety = Offset{taken.safety_offset()},
                       .telemetry = Offset{taken.telemetry_offset()},
                       .sealed = Offset{taken.sealed_offset()},
                       .taken_at = Micros{taken.taken_at_us()}};
}

void ToWire(const ChoiceWish& wish, wire::RegistryRequest::SetChoice& out) {
  ToWire(wish.set, *out.mutable_choice());
  if (wish.precise_default) out.mutable_to_default()->set_precise(true);
  if (wish.cell_default) out.mutable_to_default()->set_cell(true);
  if (wish.behaviour_default) out.mutable_to_default()->set_behaviour(true);
}

ChoiceWish FromWire(const wire::RegistryRequest::SetChoice& wish) {
  return {.set = FromWire(wish.choice()),
          .precise_default = wish.to_default().precise(),
          .cell_default = wish.to_default().cell(),
          .behaviour_default = wish.to_default().behaviour()};
}

}  // namespace telltale::registry
