// A few threads for work that may block (disk, databases, key providers), with a short queue before
// them.
#pragma once

#include <deque>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "net/event_loop.h"

namespace telltale::net {

inline constexpr std::size_t kHttpWorkersMax = 16;
inline constexpr std::size_t kHttpWorkQueueMax = 64;

// Any thread.
class HttpWorkers {
 public:
  // 1 to kHttpWorkersMax threads.
  HttpWorkers(std::size_t threads, std::size_t queue_max);
  ~HttpWorkers();  // what waits is destroyed on this thread; what runs is waited for
  HttpWorkers(const HttpWorkers&) = delete;
  HttpWorkers& operator=(const HttpWorkers&) = delete;

  // In order of posting. False: `queue_max` tasks wait already; `task` is destroyed.
  bool TryPost(Task task);
  // For the next step of what TryPost let in, which must go on to end: over the mark too. Bounded
  // by its callers.
  void Post(Task task);

 private:
  void Run();

  const std::size_t queue_max_;
  Mutex mutex_;
  CondVar changed_;
  bool ends_ GUARDED_BY(mutex_) = false;
  std::deque<Task> queue_ GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;
};

}  // namespace telltale::net
