// What was chosen for a vehicle: precise, cell and behaviour, each on, off or the environment's
// default; and from which offsets a choice is obeyed. Docs: docs/choice.md.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/ids.h"

namespace telltale::registry {

struct Choice {
  std::optional<bool> precise;  // none: the environment's default
  std::optional<bool> cell;
  std::optional<bool> behaviour;
  std::uint64_t number = 0;  // rises with each change of any vehicle; 0: nothing was ever chosen
  bool in_force = false;     // it is known from which offsets

  bool SaysTheSameAs(const Choice& other) const {
    return precise == other.precise && cell == other.cell && behaviour == other.behaviour;
  }
};

// One wish: what is set is set, what is in the defaults is unset, the rest stays.
struct ChoiceWish {
  Choice set;
  bool precise_default = false;
  bool cell_default = false;
  bool behaviour_default = false;
};

// Every record of the vehicle at or past these offsets of its partition obeys the choice.
struct ChoiceInForce {
  VehicleRef vehicle;
  std::uint64_t choice_number = 0;
  PartitionId partition;
  Offset safety;
  Offset telemetry;
  Offset sealed;
  Micros taken_at;  // set by the registry
};

struct ChoiceState {
  VehicleRef vehicle;
  Choice choice;
  Micros changed_at;
  std::uint32_t changed_by_uid = 0;
  std::optional<ChoiceInForce> in_force;  // of this choice
  std::vector<ChoiceInForce> earlier;     // of earlier choices, newest first; at most 20
};

}  // namespace telltale::registry
