// The car's end of the vehicle protocol as a pure state machine: boots and sequence numbers, the
// buffer and when it is sent, what is in flight and what must be sent again. No sockets, no clock.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/random.h"
#include "sim/record.h"
#include "sim/report_source.h"

namespace telltale::sim {

// docs/vehicle-protocol.md: the whole buffer leaves every 50 reports or 10 s ...
inline constexpr std::size_t kReportsPerSend = 50;
inline constexpr std::int64_t kSendEveryUs = 10'000'000;
// ... and at once while either acceleration is at least this, and for the report after.
inline constexpr double kUrgentMps2 = 2.5;
inline constexpr std::size_t kInFlightMax = 8;

struct CarOptions {
  std::string vin;
  std::string firmware;
  std::uint64_t seed = 1;
  std::int64_t clock_error_us = 0;
  std::uint32_t boots_before = 0;  // its control unit's counter goes on from here
  // Dirt, each per 1,000.
  std::uint32_t repeats_per_mille = 0;    // an acknowledged batch is sent once more
  std::uint32_t malformed_per_mille = 0;  // a report that lacks its event time
};

struct Outgoing {
  std::string payload;          // a ReportBatch, or an unreadable one
  std::uint16_t packet_id = 0;  // 0 = not sent yet
  bool again = false;           // sent before on another connection: DUP
  BootId boot;
  std::uint64_t first_seq = 0;
  std::uint64_t last_seq = 0;
  std::uint32_t reports = 0;
};

class Car {
 public:
  // `record` must outlive the car.
  Car(CarOptions options, Record& record);

  // Takes one moment of the vehicle, due at `scheduled` (its true time); numbers it, buffers it,
  // and queues the buffer when the protocol says so.
  void Take(const TimedReport& moment, Micros scheduled, Micros event_time);
  // The 10 s rule when no report comes.
  void Tick(Micros now);
  // The trip is over or the run ends: everything leaves.
  void Flush(Micros now);

  // No coverage before `at`: what is queued until then is due to leave at `at`.
  void SetCoverageFrom(Micros at) { coverage_from_ = at; }

  // Next batch to put on the wire, with its packet id set; nullptr when none is waiting or too
  // many are in flight. Valid until the next call that changes the queue.
  const Outgoing* NextToSend();
  // False for an id that is not in flight.
  bool OnPubAck(std::uint16_t packet_id, Micros now);
  // The connection is gone: what was in flight is first in the queue again.
  void OnDisconnected();

  bool idle() const { return buffer_.empty() && waiting_.empty() && in_flight_.empty(); }
  std::size_t unacknowledged() const { return waiting_.size() + in_flight_.size(); }
  // In reports, with those that are not yet in a batch.
  std::uint64_t unacknowledged_reports() const;
  std::uint32_t boots() const { return boot_.counter; }
  const CarOptions& options() const { return options_; }

 private:
  void Boot(bool loses_buffer, Micros now);
  bool Urgent(const telltale::v1::Report& report);
  void QueueBuffer(Micros now);

  const CarOptions options_;
  Record& record_;
  // One for each purpose: when acknowledgements come must not change which boots and which faults
  // there are, or two runs of one seed could not be compared.
  SeededRandom boots_;
  SeededRandom faults_;
  SeededRandom repeats_;
  BootId boot_;
  bool booted_ = false;
  bool boot_acknowledged_ = false;
  std::optional<BootId> previous_boot_;
  std::uint64_t previous_last_seq_ = 0;
  std::uint64_t next_seq_ = 0;
  std::vector<bool> edges_;  // by EdgeFields(), of the report before; empty at a boot's start
  bool was_urgent_ = false;
  std::vector<telltale::v1::Report> buffer_;
  std::int64_t buffer_since_us_ = 0;
  Micros coverage_from_;
  std::deque<Outgoing> waiting_;
  std::deque<Outgoing> in_flight_;
  std::uint16_t last_packet_id_ = 0;
};

}  // namespace telltale::sim
