// The time that ages are taken from. A wall clock that jumps ahead would make everything old at
// once, and what is removed does not come back when the clock does.
#pragma once

#include <cstdint>
#include <optional>

#include "base/ids.h"

namespace telltale::gateway {

// A step ahead of what has passed, larger than this, is doubted ...
inline constexpr std::int64_t kClockStepUs = 60'000'000;
// ... until the clock has stood by it for this long: a day for a person to set it right. What was
// written in this process's life is not kept longer by that, since the time that passed counts.
inline constexpr std::int64_t kClockBelievedAfterUs = 86'400'000'000;

// One thread.
class RetentionClock {
 public:
  // Both as read at this moment. The first wall-clock time is believed; a step back is too, since
  // it only makes things younger.
  Micros Read(Micros utc, Micros monotonic) {
    if (!believed_) {
      believed_ = utc;
    } else {
      *believed_ = *believed_ + (monotonic - monotonic_);
    }
    monotonic_ = monotonic;
    if (utc - *believed_ > Micros{kClockStepUs}) {
      if (!doubted_since_) doubted_since_ = monotonic;
      if (monotonic - *doubted_since_ < Micros{kClockBelievedAfterUs}) return *believed_;
    }
    doubted_since_.reset();
    believed_ = utc;
    return utc;
  }
  bool is_doubting() const { return doubted_since_.has_value(); }

 private:
  std::optional<Micros> believed_;
  Micros monotonic_;
  std::optional<Micros> doubted_since_;  // monotonic
};

}  // namespace telltale::gateway
