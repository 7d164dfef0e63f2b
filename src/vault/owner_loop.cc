#include "vault/owner_loop.h"

#include <spdlog/spdlog.h>

#include "base/stop.h"

namespace telltale::vault {
namespace {

constexpr std::chrono::milliseconds kWakeTimeout{100};
constexpr Micros kCountersPause = Micros::Seconds(1);
constexpr Micros kExpireRetry = Micros::Seconds(10);
constexpr Micros kClockStep = Micros::Seconds(300);

}  // namespace

bool ClockWatch::Jumped() {
  const Micros offset = Offset();
  const Micros step = offset - offset_;
  offset_ = offset;
  if (step < kClockStep && Micros{-step.value} < kClockStep) return false;
  spdlog::error("vault: the clock jumped by {} s; hours are destroyed by the clock, check it",
                step.value / 1'000'000);
  return true;
}

void OwnerLoop::Run() {
  log::WakeClient wake(paths_.log_socket());
  ClockWatch watch(clock_);
  Micros counted_at = clock_.NowMonotonic() - kCountersPause;
  Micros expire_at = clock_.NowMonotonic();
  Hour hour = HourOf(clock_.NowUtc());
  while (!StopRequested()) {
    if (watch.Jumped()) counters_.Get("clock_jumps").Add();
    // Before an hour is destroyed, so that no segment number is used and then forgotten.
    if (HourOf(clock_.NowUtc()) != hour) intake_.CommitNow();
    hour = HourOf(clock_.NowUtc());
    if (clock_.NowMonotonic() >= expire_at) expire_at = clock_.NowMonotonic() + ExpireOnce();
    const bool worked = intake_.Step();
    if (clock_.NowMonotonic() - counted_at >= kCountersPause) {
      counted_at = clock_.NowMonotonic();
      WriteCountersOrSay();
    }
    if (!worked) wake.Wait(kWakeTimeout);
  }
  intake_.CommitNow();
  WriteCountersOrSay();
}

// How long until the next try.
Micros OwnerLoop::ExpireOnce() {
  const Status expired = store_.Expire();
  if (expired.ok()) return Micros{0};
  spdlog::error("vault: destroying an expired hour is not finished: {}",
                expired.error().ToString());
  counters_.Get("expire_failures").Add();
  return kExpireRetry;
}

void OwnerLoop::WriteCountersOrSay() {
  const Status written = WriteCounters(paths_.run() + "/counters", "vault", counters_);
  if (written.ok() || counters_refused_) return;
  counters_refused_ = true;
  spdlog::warn("vault: {}", written.error().ToString());
}

}  // namespace telltale::vault
