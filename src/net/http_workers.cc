#include "net/http_workers.h"

#include <optional>

#include "base/check.h"

namespace telltale::net {

HttpWorkers::HttpWorkers(std::size_t threads, std::size_t queue_max) : queue_max_(queue_max) {
  CHECK(threads > 0 && threads <= kHttpWorkersMax);
  for (std::size_t n = 0; n < threads; ++n) threads_.emplace_back([this] { Run(); });
}

HttpWorkers::~HttpWorkers() {
  {
    MutexLock lock(mutex_);
    ends_ = true;
    changed_.NotifyAll();
  }
  for (std::thread& thread : threads_) thread.join();
}

bool HttpWorkers::TryPost(Task task) {
  MutexLock lock(mutex_);
  if (queue_.size() >= queue_max_) return false;
  queue_.push_back(std::move(task));
  changed_.NotifyOne();
  return true;
}

void HttpWorkers::Post(Task task) {
  MutexLock lock(mutex_);
  queue_.push_back(std::move(task));
  changed_.NotifyOne();
}

void HttpWorkers::Run() {
  while (true) {
    std::optional<Task> task;
    {
      MutexLock lock(mutex_);
      while (queue_.empty() && !ends_) changed_.Wait(mutex_);
      if (ends_) return;
      task.emplace(std::move(queue_.front()));
      queue_.pop_front();
    }
    (*task)();
  }
}

}  // namespace telltale::net
