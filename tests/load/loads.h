// The three loads. Each runs until "end" on standard input and reports in lines of JSON.
#pragma once

#include "cars.h"
#include "client.h"

namespace telltale::load {

struct StormOptions {
  std::size_t connections = 20'000;
};
// Opens all its connections at once (those of one car with client ids of their own) and holds them.
// Reports {"accepted", "refused", "settled_s", CONNACK quantiles} once each has its answer. "keep
// N" closes all but N: {"kept"}. At the end {"lost"}: accepted, and ended by the server.
Status RunStorm(Run& run, const std::vector<net::TlsContext>& cars, const StormOptions& options);

struct HonestOptions {
  CarRange cars;  // as `cars` below, for their VINs
  double batches_per_second = 300;
  int reports_per_batch = 5;
  std::string record;  // file: VIN, boot, number of its reports acknowledged, one car a line
};
// Connects one car after the other ({"connected"}), then publishes at its rate whatever comes back.
// Latency is from the moment a batch was due to its PUBACK, counted to the phase in which it was
// due: "phase NAME" begins one. At the end nothing more is due, what is under way is awaited for
// kHonestPatience, and {"phases", "sent", "acked", "gone"} reported.
inline constexpr std::int64_t kHonestPatienceUs = 30'000'000;
Status RunHonest(Run& run, const std::vector<net::TlsContext>& cars, const HonestOptions& options);

// A thousand of many kinds (hostile.cc) on `cars`, eight connections a car. Reports how many there
// are of each kind, at the end also how often each connected and was ended.
Status RunHostile(Run& run, const std::vector<net::TlsContext>& cars);

}  // namespace telltale::load
