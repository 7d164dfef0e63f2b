// What other threads ask of the owner thread: to hold, to erase, to report. One after the other,
// between two pieces of the owner's own work.
#pragma once

#include <deque>
#include <functional>
#include <future>

#include "base/mutex.h"
#include "base/result.h"

namespace telltale::vault {

inline constexpr std::size_t kOwnerTasksMax = 64;

// Any thread but where said.
class OwnerTasks {
 public:
  // Runs `task` on the owner thread and waits until it has.
  //   kOverloaded   too many wait
  //   kUnavailable  the vault is stopping
  Status Run(std::function<void()> task);

  // Owner thread: does what waits. True: there was something.
  bool DoAll();
  // Owner thread: nothing more will be done; who waits is told so.
  void Close();

 private:
  struct Waiting {
    std::function<void()> task;
    std::promise<Status> done;
  };
  Mutex mutex_;
  std::deque<Waiting> waiting_ GUARDED_BY(mutex_);
  bool is_closed_ GUARDED_BY(mutex_) = false;
};

}  // namespace telltale::vault
