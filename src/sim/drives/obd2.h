// Answers to service 01 (current data) of SAE J1979 as values of the contract. docs/can.md has the
// table.
#pragma once

#include <span>

#include "telltale/v1/telemetry.pb.h"

namespace telltale::sim {

struct ObdAnswer {
  bool is_service_01 = false;  // else: another service, a refusal
  bool is_cut = false;         // a PID without all of its bytes: what stood before it is taken
  int values = 0;              // put into the report
};

// `message` begins with the service: 41 0C 1A F8. One answer may hold several PIDs; behind one
// whose length is not known the rest is passed over.
ObdAnswer TakeObdAnswer(std::span<const std::uint8_t> message, telltale::v1::Report& report);

}  // namespace telltale::sim
