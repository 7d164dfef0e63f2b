// A firmware that reaches a fleet day by day: is a rise of false alarms seen, and only then?
#pragma once

#include <cstdint>
#include <string>

namespace telltale::gate::simulation {

enum class Differ { kGamma, kLogNormal };

struct UpdateCase {
  std::string name = {};
  int vehicles = 2000;
  int past_days = 30;
  int days = 21;
  double updated_per_day = 0.05;  // of the fleet, by lot, from the first day on
  double per_1000_h = 2;          // false alarms before
  double ratio = 1;               // after by before
  double ratio_max = 1;           // allowed; raised beyond
  Differ differ = Differ::kGamma;
  double shape = 0.2;
  bool has_bursts = false;  // each alarm is followed by further ones, same vehicle, same day
};

struct UpdateEnd {
  bool is_raised = false;
  double days = 0;           // since the first update
  double updated_hours = 0;  // driven with the new firmware by then
  double ratio = 0;          // as estimated
};
UpdateEnd RunUpdate(const UpdateCase& update, std::uint64_t seed);

}  // namespace telltale::gate::simulation
