// The clock seam. Rules and consumers never read it (they use log time); the gateway stamps receipt
// with it, and vault expiry, the lake's cadence and timeouts of connections look at it.
#pragma once

#include <atomic>

#include "base/ids.h"

namespace telltale {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Micros NowUtc() const = 0;        // wall clock; may jump
  virtual Micros NowMonotonic() const = 0;  // never goes back; origin unspecified
};

class SystemClock final : public Clock {
 public:
  Micros NowUtc() const override;
  Micros NowMonotonic() const override;
};

// For tests. Any thread may advance it.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Micros start) : utc_us_(start.value), monotonic_us_(0) {}
  Micros NowUtc() const override { return Micros{utc_us_.load()}; }
  Micros NowMonotonic() const override { return Micros{monotonic_us_.load()}; }
  void Advance(Micros by) {
    utc_us_ += by.value;
    monotonic_us_ += by.value;
  }
  void JumpUtc(Micros by) { utc_us_ += by.value; }

 private:
  std::atomic<std::int64_t> utc_us_;
  std::atomic<std::int64_t> monotonic_us_;
};

// "2026-01-31T23:59:59.000001Z"
std::string FormatUtc(Micros time);

}  // namespace telltale
