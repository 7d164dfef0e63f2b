// Blocks of latency on two hosts that drift, arms exchanged by lot.
#pragma once

#include <cstdint>
#include <string>

namespace telltale::gate::simulation {

struct LatencyCase {
  std::string name = {};
  int blocks = 336;       // half hours of a week
  double slower = 0;      // share over the objective that the candidate adds
  double scale = 0.1;     // a difference that counts as 1
  double margin = 0.01;   // of the share over the objective
  bool is_by_lot = true;  // false: the candidate stays on the slower host
};
struct LatencyEnd {
  bool is_halted = false;
  bool is_inside = false;
  bool is_order_refused = false;
  double hours = 0;
};
LatencyEnd RunLatency(const LatencyCase& latency, std::uint64_t seed);

}  // namespace telltale::gate::simulation
