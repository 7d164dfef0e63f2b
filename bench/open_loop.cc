#include "bench/open_loop.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>

namespace telltale::bench {
namespace {

constexpr std::chrono::milliseconds kPace{1};  // how finely batches fall due; in the latency
constexpr std::int64_t kPatienceUs = 10'000'000;
constexpr double kOverrunSeconds = 1.5;  // of the rate under way: it will not catch up
constexpr std::int64_t kStartSpanUs = 1'000'000;

double ThreadCpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double Milliseconds(std::uint64_t us) { return std::round(static_cast<double>(us) / 10) / 100; }

}  // namespace

OpenLoop::OpenLoop(load::Run& run, Target& target, std::size_t vehicles)
    : run_(run), target_(target), timer_(run.loop), vehicles_(vehicles) {
  SeededRandom random(run.seed);
  for (Vehicle& vehicle : vehicles_) {
    vehicle.boot_random = random.NextU64();
    vehicle.last = Micros{run.clock.NowUtc().value - kStartSpanUs};
  }
  target_.on_ack = [this](std::uint64_t id) { OnAck(id); };
}

void OpenLoop::Begin(const Schedule& schedule, std::function<void()> done) {
  CHECK(!is_running_);
  schedule_ = schedule;
  done_ = std::move(done);
  total_ = static_cast<std::uint64_t>(schedule.reports_per_second * schedule.seconds /
                                      static_cast<double>(kReportsPerBatch));
  const double batches_per_second =
      schedule.reports_per_second / static_cast<double>(kReportsPerBatch);
  event_every_ = schedule.events_per_second > 0
                     ? static_cast<std::uint64_t>(std::max(
                           1.0, std::round(batches_per_second / schedule.events_per_second)))
                     : 0;
  first_id_ += sent_;
  sent_ = acked_ = bytes_ = 0;
  backlog_at_end_ = -1;
  is_overrun_ = false;
  took_ = Histogram();
  behind_ = Histogram();
  events_ = nlohmann::json::array();
  began_ = run_.Now();
  utc_less_monotonic_us_ = run_.clock.NowUtc().value - began_.value;
  cpu_at_begin_s_ = ThreadCpuSeconds();
  is_running_ = true;
  timer_.Every(kPace, [this] { Turn(); });
}

Micros OpenLoop::DueOf(std::uint64_t number) const {
  const double after_us =
      static_cast<double>(number * kReportsPerBatch) * 1e6 / schedule_.reports_per_second;
  return Micros{began_.value + static_cast<std::int64_t>(after_us)};
}

void OpenLoop::SendOne(std::uint64_t number, Micros now) {
  const std::size_t at = turn_of_++ % vehicles_.size();
  Vehicle& vehicle = vehicles_[at];
  const Micros due = DueOf(number);
  const Micros event_time{std::max(vehicle.last.value, now.value + utc_less_monotonic_us_)};
  const bool is_event = event_every_ != 0 && number % event_every_ == event_every_ - 1;
  payload_.clear();
  writer_.AppendBatch(payload_,
                      {vehicle.boot_random, vehicle.next_seq, vehicle.last, event_time, is_event},
                      kReportsPerBatch);
  vehicle.next_seq += kReportsPerBatch;
  vehicle.last = event_time;
  bytes_ += payload_.size();
  behind_.Add((now - due).value);
  if (is_event) {
    events_.push_back({fmt::format("{:016x}", vehicle.boot_random), vehicle.next_seq - 1,
                       due.value + utc_less_monotonic_us_});
  }
  target_.Send(at, payload_, first_id_ + number);
}

void OpenLoop::Turn() {
  target_.Poll();
  const Micros now = run_.Now();
  for (; sent_ < total_ && DueOf(sent_) <= now; ++sent_) SendOne(sent_, run_.Now());
  const auto under_way = static_cast<double>((sent_ - acked_) * kReportsPerBatch);
  if (sent_ < total_ && under_way > schedule_.reports_per_second * kOverrunSeconds) {
    is_overrun_ = true;
    total_ = sent_;
  }
  if (sent_ < total_) return;
  if (backlog_at_end_ < 0) {
    backlog_at_end_ = static_cast<std::int64_t>((sent_ - acked_) * kReportsPerBatch);
  }
  const bool is_out_of_patience = (now - DueOf(total_)).value > kPatienceUs;
  if (acked_ == sent_ || is_out_of_patience) End();
}

void OpenLoop::OnAck(std::uint64_t id) {
  if (id < first_id_) return;  // of a schedule that was given up
  ++acked_;
  last_ack_ = run_.Now();
  took_.Add((last_ack_ - DueOf(id - first_id_)).value);
}

void OpenLoop::End() {
  timer_.Cancel();
  is_running_ = false;
  const double cpu_s = ThreadCpuSeconds() - cpu_at_begin_s_;
  const double took_s = static_cast<double>((last_ack_ - began_).value) * 1e-6;
  load::Report(
      {{"rate", schedule_.reports_per_second},
       {"sent", sent_ * kReportsPerBatch},
       {"acked", acked_ * kReportsPerBatch},
       {"acked_per_s", std::round(static_cast<double>(acked_ * kReportsPerBatch) / took_s)},
       {"report_bytes",
        static_cast<double>(bytes_) /
            static_cast<double>(std::max<std::uint64_t>(1, sent_) * kReportsPerBatch)},
       {"overrun", is_overrun_},
       {"backlog_at_end", backlog_at_end_},
       {"p50_ms", Milliseconds(took_.Quantile(0.5))},
       {"p99_ms", Milliseconds(took_.Quantile(0.99))},
       {"p999_ms", Milliseconds(took_.Quantile(0.999))},
       {"max_ms", Milliseconds(took_.max())},
       {"generator_late_p99_ms", Milliseconds(behind_.Quantile(0.99))},
       {"generator_cpu_s", cpu_s},
       {"events", events_}});
  done_();
}

}  // namespace telltale::bench
