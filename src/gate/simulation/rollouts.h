// One rollout of a simulated fleet, judged every six hours by the code that judges real ones.
#pragma once

#include <cstdint>
#include <string>

#include "gate/verdict.h"

namespace telltale::gate::simulation {

// Six rules from 20 to 0.5 alerts per 1,000 vehicle-hours, four fields, two models (a, and b with a
// twentieth of the vehicles). 1.2 h of driving a day, gamma-distributed over vehicles.
struct RolloutCase {
  std::string name = {};
  int vehicles = 1000;
  int days = 7;
  double shape = 0.2;  // gamma shape of the vehicles' alert rates: smaller differs more
  // The twin's differences, as shares of what the gate allows (1: at the limit). Some vehicles have
  // far more of them than others.
  double inside = 0.5;
  // What is wrong besides.
  double missing = 0;          // share of vehicles that lose the first alert of the rule of rate 20
  double extra = 0;            // share of vehicles that get an alert more
  bool is_field_lost = false;  // one field is null for all of model b
  double silent = 0;           // share of vehicles the candidate says nothing of
  bool is_judged_at_end = false;  // by the whole judge, where nothing halted
};

struct RolloutEnd {
  bool is_halted = false;
  double hours = 0;                  // of event time since it began, when it halted
  int affected = 0;                  // vehicles with a difference by then
  Outcome outcome = Outcome::kHold;  // at the end
  std::string stratum = {};          // that carried most when it halted
};
RolloutEnd RunRollout(const RolloutCase& rollout, std::uint64_t seed);

}  // namespace telltale::gate::simulation
