// Drives many cars against one gateway: connects, publishes what each car has to send, takes the
// acknowledgements, reconnects. Open loop: a report is due when the vehicle's time says so, however
// slow the gateway is.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "net/tls_connection.h"
#include "sim/car.h"

namespace telltale::sim {

struct FleetCar {
  CarOptions car;
  std::unique_ptr<ReportSource> source;
  std::string certificate;  // PEM file
  std::string key;          // PEM file
  std::int64_t start_after_us = 0;
  // Drives: event times are shifted so that the last report falls at the moment it is sent.
  // Without: a report's event time is the moment it is due.
  bool shift_to_end = false;
  std::int64_t length_us = 0;           // of the source; with shift_to_end
  std::int64_t keep_times_from_us = 0;  // not 0: event time = this + at_us, as recorded
  // A hole in coverage: not connected in between, everything is kept and sent afterwards.
  std::int64_t hole_from_us = 0;
  std::int64_t hole_to_us = 0;
};

struct FleetOptions {
  std::string host = "127.0.0.1";
  // Asked at every connection: a gateway on any free port comes back on another one. 0 = not known
  // now, the car tries again later.
  std::function<std::uint16_t()> port;
  std::string ca;                      // PEM file: whom the cars trust
  double speedup = 1;                  // the vehicles' time runs this much faster
  std::int64_t drain_us = 60'000'000;  // to wait for acknowledgements after the last report
};

struct FleetProgress {
  std::int64_t elapsed_us = 0;
  std::size_t cars = 0;
  std::size_t connected = 0;
  std::size_t finished = 0;
  std::size_t unacknowledged_batches = 0;
};

// Blocks until every car has sent all and got it acknowledged, the drain time is over, or a stop
// was asked for (base/stop.h). `on_progress` about once a second.
//   kInvalid, kNotFound  a certificate cannot be used
//   kUnavailable         what was sent was not all acknowledged in time (the record says which)
Status RunFleet(std::vector<FleetCar> cars, const FleetOptions& options, Clock& clock,
                Record& record, const std::function<void(const FleetProgress&)>& on_progress);

}  // namespace telltale::sim
