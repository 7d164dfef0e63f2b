#include "sim/fleet.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/stop.h"
#include "sim/car_link.h"

namespace telltale::sim {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kProgressEvery{1000};
// Handshakes cost the gateway a millisecond each: cars arrive spread out, as cars do.
constexpr milliseconds kConnectSpacing{4};

milliseconds ToMillis(std::int64_t us) {
  return milliseconds(std::max<std::int64_t>(0, us / 1000));
}

struct Shared {
  Road road;
  const FleetOptions& options;
  Micros started_at;
};

// One car and its time.
class Driver {
 public:
  Driver(FleetCar car, net::TlsContext context, Shared& shared)
      : plan_(std::move(car)),
        shared_(shared),
        car_(plan_.car, shared.road.record),
        link_(car_, std::move(context), shared.road,
              {.is_done = [this] { return finished(); }, .waits = [this] { return HoleLeft(); }}),
        drive_timer_(shared.road.loop) {}

  void Start(milliseconds connect_after) {
    link_.ConnectAfter(connect_after);
    has_moment_ = plan_.source->Next(moment_);
    Drive();
  }
  bool finished() const { return is_flushed_ && car_.idle(); }
  std::size_t unacknowledged() const { return car_.unacknowledged(); }

 private:
  std::int64_t Elapsed() const {
    return shared_.road.clock.NowUtc().value - shared_.started_at.value;
  }
  std::int64_t DueAfterStart(std::int64_t at_us) const {
    return plan_.start_after_us +
           static_cast<std::int64_t>(static_cast<double>(at_us) / shared_.options.speedup);
  }
  bool InHole() const { return Elapsed() >= plan_.hole_from_us && Elapsed() < plan_.hole_to_us; }
  milliseconds HoleLeft() const {
    if (plan_.hole_to_us <= 0 || !InHole()) return milliseconds(0);
    return ToMillis(plan_.hole_to_us - Elapsed()) + milliseconds(1);
  }

  Micros EventTime(std::int64_t at_us, Micros due) const {
    if (plan_.keep_times_from_us != 0) return Micros{plan_.keep_times_from_us + at_us};
    if (!plan_.shift_to_end) return due;
    const std::int64_t last_due = shared_.started_at.value + DueAfterStart(plan_.length_us);
    return Micros{last_due - (plan_.length_us - at_us)};
  }

  // Takes every moment that is due, then sleeps until the next.
  void Drive() {
    while (has_moment_ && DueAfterStart(moment_.at_us) <= Elapsed()) {
      const Micros due{shared_.started_at.value + DueAfterStart(moment_.at_us)};
      if (DueAfterStart(moment_.at_us) >= plan_.hole_from_us) {
        car_.SetCoverageFrom(Micros{shared_.started_at.value + plan_.hole_to_us});
      }
      car_.Take(moment_, due, EventTime(moment_.at_us, due));
      has_moment_ = plan_.source->Next(moment_);
    }
    if (HoleLeft().count() > 0 && link_.is_open()) link_.Reconnect();
    if (!has_moment_ && !is_flushed_) {
      car_.Flush(shared_.road.clock.NowUtc());
      is_flushed_ = true;
    }
    link_.Pump();
    if (!has_moment_) return;
    drive_timer_.After(ToMillis(DueAfterStart(moment_.at_us) - Elapsed()) + milliseconds(1),
                       [this] { Drive(); });
  }

  FleetCar plan_;
  Shared& shared_;
  Car car_;
  CarLink link_;
  net::Timer drive_timer_;
  TimedReport moment_;
  bool has_moment_ = false;
  bool is_flushed_ = false;
};

class Fleet {
 public:
  Fleet(const FleetOptions& options, Clock& clock, Record& record)
      : shared_{.road = {.loop = loop_,
                         .clock = clock,
                         .record = record,
                         .host = options.host,
                         .port = options.port},
                .options = options,
                .started_at = clock.NowUtc()},
        watch_timer_(loop_) {}

  Status Add(FleetCar car) {
    longest_us_ = std::max(longest_us_, car.start_after_us + car.length_us);
    auto context = net::TlsContext::ForClient(
        {.ca = shared_.options.ca, .certificate = car.certificate, .key = car.key});
    if (!context.ok()) return context.error();
    drivers_.push_back(
        std::make_unique<Driver>(std::move(car), std::move(context).value(), shared_));
    return Ok();
  }

  Status Run(const std::function<void(const FleetProgress&)>& on_progress) {
    shared_.started_at = shared_.road.clock.NowUtc();
    milliseconds connect_after{0};
    for (const auto& driver : drivers_) {
      driver->Start(connect_after);
      connect_after += kConnectSpacing;
    }
    next_progress_us_ = 0;
    watch_timer_.Every(milliseconds(50), [&] { Watch(on_progress); });
    loop_.Run();
    on_progress(Progress());
    RETURN_IF_ERROR(shared_.road.record.Flush());
    const FleetProgress end = Progress();
    if (end.finished == end.cars) return Ok();
    return Error{Code::kUnavailable,
                 fmt::format("{} of {} cars did not get everything acknowledged ({} batches open)",
                             end.cars - end.finished, end.cars, end.unacknowledged_batches)};
  }

 private:
  FleetProgress Progress() const {
    FleetProgress progress;
    progress.elapsed_us = shared_.road.clock.NowUtc().value - shared_.started_at.value;
    progress.cars = drivers_.size();
    progress.connected = shared_.road.connected;
    for (const auto& driver : drivers_) {
      if (driver->finished()) ++progress.finished;
      progress.unacknowledged_batches += driver->unacknowledged();
    }
    return progress;
  }

  void Watch(const std::function<void(const FleetProgress&)>& on_progress) {
    const FleetProgress now = Progress();
    if (now.elapsed_us >= next_progress_us_) {
      on_progress(now);
      next_progress_us_ += std::chrono::microseconds(kProgressEvery).count();
    }
    const auto all_said_us =
        static_cast<std::int64_t>(static_cast<double>(longest_us_) / shared_.options.speedup);
    const bool too_late = now.elapsed_us > all_said_us + shared_.options.drain_us;
    // One connection may still be saying goodbye: all are gone before the loop ends.
    const bool done = now.finished == now.cars && now.connected == 0;
    if (done || too_late || StopRequested()) loop_.Stop();
  }

  net::EventLoop loop_;
  Shared shared_;
  std::vector<std::unique_ptr<Driver>> drivers_;
  net::Timer watch_timer_;
  std::int64_t longest_us_ = 0;
  std::int64_t next_progress_us_ = 0;
};

}  // namespace

Status RunFleet(std::vector<FleetCar> cars, const FleetOptions& options, Clock& clock,
                Record& record, const std::function<void(const FleetProgress&)>& on_progress) {
  Fleet fleet(options, clock, record);
  for (FleetCar& car : cars) {
    RETURN_IF_ERROR(fleet.Add(std::move(car)));
  }
  return fleet.Run(on_progress);
}

}  // namespace telltale::sim
