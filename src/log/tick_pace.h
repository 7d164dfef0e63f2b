// When which partition of a shard is due a tick (log.h, kTickActiveUs and its neighbours). Counts
// by the clock's way forward, so that a clock that is set back stops no tick. One thread.
#pragma once

#include <algorithm>
#include <vector>

#include "log/log.h"

namespace telltale::log {

class TickPace {
 public:
  explicit TickPace(std::size_t carried)
      : last_activity_(carried, kBeforeAllTime), last_tick_(carried, kBeforeAllTime) {}

  // A partition, by its number among those carried here, had data or a config record at `log_time`:
  // what waits for log time after a change of config is not to wait for a minute each time.
  void SawActivity(std::size_t carried_index, Micros log_time) {
    Micros& last = last_activity_[carried_index];
    last = std::max(last, clock_ == kBeforeAllTime ? log_time : clock_);
  }
  void MoveClock(Micros now_utc) {
    if (clock_ == kBeforeAllTime) {
      clock_ = now_utc;
      // The log's time may be ahead of the clock from an earlier jump.
      for (Micros& last : last_activity_) last = std::min(last, now_utc);
    } else if (now_utc > last_now_) {
      clock_ = clock_ + (now_utc - last_now_);
    }
    last_now_ = now_utc;
  }
  bool IsDue(std::size_t carried_index) const {
    const bool is_active = clock_ - last_activity_[carried_index] < Micros{kTickActiveForUs};
    const Micros since = clock_ - last_tick_[carried_index];
    return since >= Micros{is_active ? kTickActiveUs : kTickIdleUs};
  }
  void Ticked(std::size_t carried_index) { last_tick_[carried_index] = clock_; }

 private:
  // What never happened is due at once.
  static constexpr Micros kBeforeAllTime{INT64_MIN / 2};
  std::vector<Micros> last_activity_;
  std::vector<Micros> last_tick_;
  Micros clock_ = kBeforeAllTime;
  Micros last_now_;
};

}  // namespace telltale::log
