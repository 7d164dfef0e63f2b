#include "vault/clock_guard.h"

#include <algorithm>

namespace telltale::vault {

ClockGuard::ClockGuard(Clock& clock, std::optional<ClockMark> last) : clock_(clock) {
  const Micros now = clock.NowUtc();
  const std::string boot = clock.BootId();
  mark_ = last.value_or(ClockMark{now, clock.SinceBoot(), boot, now});
  if (mark_.boot == boot) return;
  // Another boot: nothing says how much time passed but the wall clock itself.
  const bool believed = now - mark_.latest <= kClockLeeway || clock.IsSynchronised();
  mark_ = {believed ? now : mark_.latest, clock.SinceBoot(), boot, mark_.latest};
}

Micros ClockGuard::LatestCredible() const {
  const Micros passed = clock_.SinceBoot() - mark_.since_boot;
  return mark_.utc + passed + Micros{passed.value / kClockDrift} + kClockLeeway;
}

bool ClockGuard::Look() {
  MutexLock lock(mutex_);
  const Micros now = clock_.NowUtc();
  const bool was_trusted = is_trusted_;
  is_trusted_ = now <= LatestCredible();
  if (is_trusted_) mark_.latest = std::max(mark_.latest, now);
  return was_trusted && !is_trusted_;
}

ClockMark ClockGuard::Confirmed() const {
  MutexLock lock(mutex_);
  const Micros now = clock_.NowUtc();
  return {now, clock_.SinceBoot(), mark_.boot, std::max(mark_.latest, now)};
}

void ClockGuard::Confirm(const ClockMark& confirmed) {
  MutexLock lock(mutex_);
  mark_ = confirmed;
  is_trusted_ = true;
}

bool ClockGuard::is_trusted() const {
  MutexLock lock(mutex_);
  return is_trusted_;
}

Micros ClockGuard::NowForKeys() const {
  const Micros now = clock_.NowUtc();
  MutexLock lock(mutex_);
  if (now <= LatestCredible()) return now;
  return LatestCredible() - kClockLeeway;
}

Micros ClockGuard::NowForReaders() const {
  const Micros now = clock_.NowUtc();
  MutexLock lock(mutex_);
  return std::max(now, mark_.latest);
}

ClockMark ClockGuard::mark() const {
  MutexLock lock(mutex_);
  return mark_;
}

}  // namespace telltale::vault
