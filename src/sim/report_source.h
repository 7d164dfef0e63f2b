// sim/ - cars that are not there: a deterministic synthetic fleet and recorded drives, both through
// the real door (docs/vehicle-protocol.md).
//   in      a seed, or recorded drives
//   out     MQTT over TLS, and a record of what each car sent and got acknowledged
//   owns    nothing of Telltale's; the record is the cars' own memory, kept apart
//   thread  one loop thread drives all cars of a process
#pragma once

#include "telltale/v1/telemetry.pb.h"

namespace telltale::sim {

// One moment of a vehicle. `report` has no seq yet: the car numbers it.
struct TimedReport {
  std::int64_t at_us = 0;  // since the start of the source; never goes back
  telltale::v1::Report report;
  bool boot = false;  // the control unit has just started: a new boot begins with this report
  bool loses_buffer = false;  // with boot: what was buffered and not yet sent is gone
};

class ReportSource {
 public:
  virtual ~ReportSource() = default;
  // Replaces `out`; false at the end. Deterministic.
  virtual bool Next(TimedReport& out) = 0;
};

}  // namespace telltale::sim
