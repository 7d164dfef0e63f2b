// Cars as the platform sees them: they number their reports, keep what was not acknowledged and
// send it again after a break, in order.
#pragma once

#include <deque>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "base/ids.h"
#include "base/random.h"
#include "gateway/vehicle.h"

namespace telltale::power {

// vehicle, seq; a car has one boot here.
using Identity = std::pair<std::uint8_t, std::uint64_t>;

struct Batch {
  std::string payload;  // a ReportBatch
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};

class Car {
 public:
  Car(std::uint8_t number, std::uint64_t boot_random);

  const gateway::Vehicle& vehicle() const { return vehicle_; }
  std::uint8_t number() const { return number_; }
  BootId boot() const { return boot_; }

  // The next batch to send: one that waits to be sent again, else a new one.
  const Batch& Next(Random& random, Micros now);
  // It was taken in and waits for `commit`.
  void Sent(CommitNumber commit);
  // Acknowledges what `durable` covers.
  void Release(CommitNumber durable);
  // The connection broke: all that was not acknowledged is to be sent again.
  void Break();
  bool HasUnacked() const { return !waiting_.empty() || !unsent_.empty(); }
  bool HasUnsent() const { return !unsent_.empty(); }

  std::uint64_t next_seq() const { return next_seq_; }
  const std::set<Identity>& acked() const { return acked_; }

 private:
  Batch Make(Random& random, Micros now);

  const std::uint8_t number_;
  gateway::Vehicle vehicle_;
  const BootId boot_;
  std::uint64_t next_seq_ = 0;
  std::deque<Batch> unsent_;  // made, not taken in yet (or again)
  std::deque<std::pair<Batch, CommitNumber>> waiting_;
  std::set<Identity> acked_;
};

}  // namespace telltale::power
