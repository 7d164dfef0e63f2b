// The thread that owns the store: reads, commits, destroys, holds, erases, reconciles, counts,
// until asked to stop.
#pragma once

#include <functional>
#include <vector>

#include "base/config.h"
#include "vault/intake.h"
#include "vault/owner_tasks.h"

namespace telltale::vault {

// Done now and then on the owner's thread; a failure is logged by who does it.
struct Chore {
  Micros every;
  std::function<void()> run;
  Micros due;  // monotonic; 0 = at once
};

class OwnerLoop {
 public:
  OwnerLoop(Clock& clock, Counters& counters, Store& store, Intake& intake, OwnerTasks& tasks,
            const Paths& paths)
      : clock_(clock),
        counters_(counters),
        store_(store),
        intake_(intake),
        tasks_(tasks),
        paths_(paths) {}

  // Before Run().
  void Add(Micros every, std::function<void()> chore) {
    chores_.push_back({every, std::move(chore), {}});
  }
  void Run();

 private:
  void LookAtClock();
  Micros ExpireOnce();
  bool WorkOnce();
  void DoChores();
  void WriteCountersOrSay();

  Clock& clock_;
  Counters& counters_;
  Store& store_;
  Intake& intake_;
  OwnerTasks& tasks_;
  const Paths& paths_;
  std::vector<Chore> chores_;
  Micros work_at_;
  bool is_clock_trusted_ = true;
  bool counters_refused_ = false;
};

}  // namespace telltale::vault
