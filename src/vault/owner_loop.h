// The thread that owns the store: reads, commits, destroys, counts, until asked to stop.
#pragma once

#include "base/config.h"
#include "vault/intake.h"

namespace telltale::vault {

// Says when the wall clock jumps: expiry follows it, and a wrong clock destroys too early.
class ClockWatch {
 public:
  explicit ClockWatch(Clock& clock) : clock_(clock), offset_(Offset()) {}
  // True, and logged, when the clock moved by more than five minutes since the last look.
  bool Jumped();

 private:
  Micros Offset() const { return clock_.NowUtc() - clock_.NowMonotonic(); }
  Clock& clock_;
  Micros offset_;
};

class OwnerLoop {
 public:
  OwnerLoop(Clock& clock, Counters& counters, Store& store, Intake& intake, const Paths& paths)
      : clock_(clock), counters_(counters), store_(store), intake_(intake), paths_(paths) {}

  void Run();

 private:
  Micros ExpireOnce();
  void WriteCountersOrSay();

  Clock& clock_;
  Counters& counters_;
  Store& store_;
  Intake& intake_;
  const Paths& paths_;
  bool counters_refused_ = false;
};

}  // namespace telltale::vault
