// The clock seam. Rules and consumers never read it (they use log time); the gateway stamps receipt
// with it, and vault expiry, the lake's cadence and timeouts of connections look at it.
#pragma once

#include <atomic>
#include <string>

#include "base/ids.h"

namespace telltale {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Micros NowUtc() const = 0;        // wall clock; may jump
  virtual Micros NowMonotonic() const = 0;  // never goes back; origin unspecified

  // For who must tell a jump of the wall clock from time that passed while the process was down.
  virtual Micros SinceBoot() const { return NowMonotonic(); }  // of the machine
  virtual std::string BootId() const { return {}; }            // another one after each boot
  virtual bool IsSynchronised() const { return false; }  // the kernel disciplines the wall clock
};

class SystemClock final : public Clock {
 public:
  Micros NowUtc() const override;
  Micros NowMonotonic() const override;
  Micros SinceBoot() const override;
  std::string BootId() const override;
  bool IsSynchronised() const override;
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

  Micros SinceBoot() const override { return NowMonotonic() - Micros{booted_us_.load()}; }
  std::string BootId() const override { return std::to_string(boots_.load()); }
  bool IsSynchronised() const override { return is_synchronised_; }
  // The machine starts again; how long that took only the wall clock may tell.
  void Reboot(bool is_synchronised = false) {
    booted_us_ = monotonic_us_.load();
    ++boots_;
    is_synchronised_ = is_synchronised;
  }

 private:
  std::atomic<std::int64_t> utc_us_;
  std::atomic<std::int64_t> monotonic_us_;
  std::atomic<std::int64_t> booted_us_{0};
  std::atomic<int> boots_{1};
  std::atomic<bool> is_synchronised_{false};
};

// "2026-01-31T23:59:59.000001Z"
std::string FormatUtc(Micros time);

}  // namespace telltale
