// How much one vehicle may send: a bucket of tokens, one a byte.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/ids.h"

namespace telltale::gateway {

// Far above what a car has to say: who sends more is broken or hostile, and is read at this pace.
inline constexpr std::int64_t kVehicleBytesPerSecondMax = 4 << 20;
inline constexpr std::int64_t kVehicleBurstBytesMax = 16 << 20;
// What a smaller packet counts for: a PINGREQ of 2 bytes takes as long to serve as some hundred
// bytes of reports, and by its bytes alone one vehicle might send two million of them a second.
inline constexpr std::size_t kPacketCostMin = 512;

class ByteBudget {
 public:
  struct Rate {
    std::int64_t bytes_per_second = kVehicleBytesPerSecondMax;
    std::int64_t burst_bytes = kVehicleBurstBytesMax;
  };
  // Full at `now`.
  ByteBudget(Rate rate, Micros now) : rate_(rate), left_(rate.burst_bytes), at_(now) {}

  // Takes `bytes` whatever is left: a packet that was read is served. False when nothing is left
  // now, so that no more should be read.
  bool Spend(std::size_t bytes, Micros now) {
    Refill(now);
    left_ -= static_cast<std::int64_t>(bytes);
    return left_ > 0;
  }
  bool HasAny(Micros now) {
    Refill(now);
    return left_ > 0;
  }
  bool IsFull(Micros now) {
    Refill(now);
    return left_ == rate_.burst_bytes;
  }

 private:
  void Refill(Micros now) {
    const std::int64_t full_us = rate_.burst_bytes / rate_.bytes_per_second * 1'000'000 + 1'000'000;
    const std::int64_t waited_us = std::min((now - at_).value, full_us);
    const std::int64_t back = waited_us * rate_.bytes_per_second / 1'000'000;
    if (back <= 0) return;  // the part of a byte is kept in `at_`
    left_ = std::min(rate_.burst_bytes, left_ + back);
    at_ = now;
  }

  Rate rate_;
  std::int64_t left_;  // below 0 by less than a packet
  Micros at_;
};

}  // namespace telltale::gateway
