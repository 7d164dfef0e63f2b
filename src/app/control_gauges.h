// What gates say, as counters of the role: docs/metrics.md.
#pragma once

#include <map>
#include <string>

#include "base/clock.h"
#include "base/counters.h"
#include "control/plane.h"

namespace telltale::app {

class ControlGauges {
 public:
  // References must outlive it. `actor` may read everything.
  ControlGauges(control::Plane& plane, control::Actor actor, const Clock& clock, Counters& counters)
      : plane_(plane), actor_(std::move(actor)), clock_(clock), counters_(counters) {}

  // Call about every second; one thread.
  void Look();

 private:
  void LookAt(const nlohmann::json& environment, Micros passed);
  void Set(const std::string& name, std::uint64_t value);

  control::Plane& plane_;
  const control::Actor actor_;
  const Clock& clock_;
  Counters& counters_;
  Micros seen_at_ = {};                  // monotonic; 0 = not yet
  std::map<std::string, Micros> parts_;  // of whole seconds, by counter
};

}  // namespace telltale::app
