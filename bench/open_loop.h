// An open loop: batches are due at a constant rate whatever comes back, and the latency of each is
// from the moment it was due to its acknowledgement.
#pragma once

#include "bench/histogram.h"
#include "bench/reports.h"
#include "bench/target.h"

namespace telltale::bench {

inline constexpr std::uint64_t kReportsPerBatch = 50;

struct Schedule {
  double reports_per_second = 0;
  double seconds = 0;
  double events_per_second = 0;  // reports that make an alert; their due times are told
};

class OpenLoop {
 public:
  OpenLoop(load::Run& run, Target& target, std::size_t vehicles);

  // Ends, with a line of JSON, when all is acknowledged: at most kPatience after the schedule's
  // end, or at once when far more is under way than any good run has.
  void Begin(const Schedule& schedule, std::function<void()> done);

 private:
  struct Vehicle {
    std::uint64_t boot_random = 0;
    std::uint64_t next_seq = 0;
    Micros last;
    std::uint64_t published = 0;
  };

  Micros DueOf(std::uint64_t number) const;
  void Turn();
  void SendOne(std::uint64_t number, Micros now);
  void OnAck(std::uint64_t id);
  void End();

  load::Run& run_;
  Target& target_;
  net::Timer timer_;
  ReportWriter writer_;
  std::string payload_;
  std::vector<Vehicle> vehicles_;
  std::uint64_t turn_of_ = 0;  // the vehicle that sends next

  Schedule schedule_;
  std::function<void()> done_;
  Micros began_;
  std::int64_t utc_less_monotonic_us_ = 0;
  double cpu_at_begin_s_ = 0;
  std::uint64_t total_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t acked_ = 0;
  std::uint64_t first_id_ = 0;
  std::uint64_t event_every_ = 0;
  std::int64_t backlog_at_end_ = -1;
  bool is_overrun_ = false;
  bool is_running_ = false;
  std::uint64_t bytes_ = 0;
  Micros last_ack_;
  Histogram took_;
  Histogram behind_;  // how late the generator itself was
  nlohmann::json events_;
};

}  // namespace telltale::bench
