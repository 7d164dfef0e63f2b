// Made by tools/gate-tables with the tables of docs/gate.md: false halts of simulated rollouts.
// They stand for the gate until kLiveRolloutsNeeded live ones do.
#pragma once

namespace telltale::gate {

struct ShippedFalseHalts {
  const char* what = "";
  int vehicles = 0;
  int days = 0;
  int rollouts = 0;
  int halted = 0;
  double low = 0;  // Clopper and Pearson's interval of 95 %
  double high = 1;
};
inline constexpr ShippedFalseHalts kShippedFalseHalts[] = {
    {"identical", 1000, 7, 1000, 0, 0.0, 0.00368},
    {"twin inside the limits, vehicles alike", 1000, 7, 1000, 0, 0.0, 0.00368},
    {"twin inside the limits, few chatty vehicles", 1000, 7, 1000, 0, 0.0, 0.00368},
    {"twin inside the limits, very few very chatty ones", 1000, 7, 1000, 0, 0.0, 0.00368},
    {"twin at the limits", 1000, 7, 1000, 0, 0.0, 0.00368},
    {"twin at the limits, four weeks", 1000, 28, 1000, 0, 0.0, 0.00368},
};

}  // namespace telltale::gate
