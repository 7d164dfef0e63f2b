#include "vault/owner_loop.h"

#include <spdlog/spdlog.h>

#include "base/stop.h"

namespace telltale::vault {
namespace {

constexpr std::chrono::milliseconds kWakeTimeout{100};
constexpr Micros kCountersPause = Micros::Seconds(1);
constexpr Micros kQuietPause = Micros::Seconds(10);
constexpr Micros kRetry = Micros::Seconds(10);

}  // namespace

void OwnerLoop::Run() {
  log::WakeClient wake(paths_.log_socket());
  Micros expire_at = clock_.NowMonotonic();
  Add(kCountersPause, [this] { WriteCountersOrSay(); });
  Add(kQuietPause, [this] {
    const Status closed = store_.CloseQuiet();
    if (!closed.ok()) spdlog::error("vault: finishing segments: {}", closed.error().ToString());
  });
  while (!StopRequested()) {
    LookAtClock();
    if (store_.has_due()) intake_.CommitNow();
    if (clock_.NowMonotonic() >= expire_at) expire_at = clock_.NowMonotonic() + ExpireOnce();
    bool worked = tasks_.DoAll();
    worked |= intake_.Step();
    worked |= WorkOnce();
    DoChores();
    if (!worked) wake.Wait(kWakeTimeout);
  }
  tasks_.Close();
  intake_.CommitNow();
  WriteCountersOrSay();
}

void OwnerLoop::LookAtClock() {
  ClockGuard& guard = store_.guard();
  const bool was_trusted = is_clock_trusted_;
  guard.Look();
  is_clock_trusted_ = guard.is_trusted();
  if (was_trusted && !is_clock_trusted_) {
    counters_.Get("clock_jumps").Add();
    spdlog::error(
        "vault: the clock is {} s ahead of the time that passed; no key is destroyed until "
        "somebody "
        "says so (`telltale vault request --kind clock_confirm`), or it goes back",
        (clock_.NowUtc() - guard.NowForKeys()).value / 1'000'000);
  }
  if (!was_trusted && is_clock_trusted_) {
    counters_.Get("clock_settled").Add();  // as many as clock_jumps: nobody has to look
    spdlog::info("vault: the clock is believed again");
  }
}

// How long until the next try.
Micros OwnerLoop::ExpireOnce() {
  const Status expired = store_.Expire();
  if (expired.ok()) return Micros{0};
  spdlog::error("vault: destroying an expired hour is not finished: {}",
                expired.error().ToString());
  counters_.Get("expire_failures").Add();
  return kRetry;
}

// Holds and erasures: a piece at a time, so that storing goes on between.
bool OwnerLoop::WorkOnce() {
  if (clock_.NowMonotonic() < work_at_) return false;
  if (store_.has_work()) intake_.CommitNow();
  const Result<bool> more = store_.Work();
  if (more.ok()) return *more;
  spdlog::error("vault: holding or erasing is not finished: {}", more.error().ToString());
  counters_.Get("work_failures").Add();
  work_at_ = clock_.NowMonotonic() + kRetry;
  return false;
}

void OwnerLoop::DoChores() {
  for (Chore& chore : chores_) {
    if (clock_.NowMonotonic() < chore.due) continue;
    chore.run();
    chore.due = clock_.NowMonotonic() + chore.every;
  }
}

void OwnerLoop::WriteCountersOrSay() {
  const Status written = WriteCounters(paths_.run() + "/counters", "vault", counters_);
  if (written.ok() || counters_refused_) return;
  counters_refused_ = true;
  spdlog::warn("vault: {}", written.error().ToString());
}

}  // namespace telltale::vault
