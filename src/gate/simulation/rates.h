// Two cohorts that cannot be paired, looked at four planned times: placebo cohorts of one release
// (nothing differs but the lot), and a candidate whose rate is another.
#pragma once

#include <cstdint>
#include <string>

namespace telltale::gate::simulation {

// Vehicles as in rollouts.h: gamma-distributed rates, moods that last, storms over all of them.
struct RateCase {
  std::string name = {};
  int vehicles = 1000;  // of both cohorts; each half by lot
  int days = 28;
  double per_1000_h = 20;
  double shape = 0.2;
  double ratio = 1;     // candidate's rate by control's
  double margin = 1.2;  // that may be
};

struct RateEnd {
  bool is_halted = false;
  bool is_safe = false;  // at the last look
  double days = 0;       // when it halted
};
RateEnd RunRate(const RateCase& rate, std::uint64_t seed);

// A lot that draws a tenth of a fleet, whose vehicles come one after another, looked at each
// hundred vehicles; `lost` of the drawn are never counted.
struct LotCase {
  std::string name = {};
  int fleet = 21'000;
  double share = 0.1;
  double lost = 0;
};
struct LotEnd {
  bool is_held = false;
  int vehicles = 0;  // of the fleet, by then
};
LotEnd RunLot(const LotCase& lot, std::uint64_t seed);

}  // namespace telltale::gate::simulation
