// What the vault believes of the clock. A clock that jumps forward would make it destroy what is
// not due: until someone confirms the jump, keys are destroyed by the time that was known before
// it. What readers may see is judged by the later of both, so a doubtful clock never shows more.
#pragma once

#include <optional>
#include <string>

#include "base/clock.h"
#include "base/mutex.h"

namespace telltale::vault {

// How far the wall clock may run ahead of the time that passed (reference/privacy-and-vault.md,
// section 5), beside a drift of one in kClockDrift. Small steps add up: only a confirmation begins
// anew.
inline constexpr Micros kClockLeeway{3600 * 1'000'000ll};
inline constexpr std::int64_t kClockDrift = 1000;

// A moment that is believed, with the time since boot that belongs to it, and the latest moment
// that ever was. Kept in the catalogue, so that a vault that was down knows how long.
struct ClockMark {
  Micros utc;
  Micros since_boot;
  std::string boot;
  Micros latest;
};

// Look(), Confirm(): owner thread. The others: any thread.
class ClockGuard {
 public:
  // `last` from the catalogue, if any. Over a reboot the time that passed is not known: then a gap
  // over kClockLeeway needs a confirmation too, unless the kernel says that its clock is
  // synchronised.
  ClockGuard(Clock& clock, std::optional<ClockMark> last);

  // Compares what passed on both clocks since the last look. True once for each jump that now needs
  // a confirmation.
  bool Look();
  // The mark that says that the wall clock as it is now is right; to be made durable before it is
  // confirmed with it. Until then keys are destroyed by what was credible before.
  ClockMark Confirmed() const;
  void Confirm(const ClockMark& confirmed);

  bool is_trusted() const;
  Micros NowForKeys() const;     // never later than what is credible
  Micros NowForReaders() const;  // never earlier than anything believed before
  ClockMark mark() const;        // to be kept

 private:
  Micros LatestCredible() const REQUIRES(mutex_);

  Clock& clock_;
  mutable Mutex mutex_;
  ClockMark mark_ GUARDED_BY(mutex_);
  bool is_trusted_ GUARDED_BY(mutex_) = true;
};

}  // namespace telltale::vault
