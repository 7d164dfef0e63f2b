#include "vault/owner_tasks.h"

namespace telltale::vault {

Status OwnerTasks::Run(std::function<void()> task) {
  std::future<Status> done;
  {
    MutexLock lock(mutex_);
    if (is_closed_) return Error{Code::kUnavailable, "the vault is stopping"};
    if (waiting_.size() >= kOwnerTasksMax) {
      return Error{Code::kOverloaded, "the vault is busy with others; ask again"};
    }
    waiting_.push_back({std::move(task), {}});
    done = waiting_.back().done.get_future();
  }
  return done.get();
}

bool OwnerTasks::DoAll() {
  std::deque<Waiting> now;
  {
    MutexLock lock(mutex_);
    now.swap(waiting_);
  }
  for (Waiting& one : now) {
    one.task();
    one.done.set_value(Ok());
  }
  return !now.empty();
}

void OwnerTasks::Close() {
  std::deque<Waiting> left;
  {
    MutexLock lock(mutex_);
    is_closed_ = true;
    left.swap(waiting_);
  }
  for (Waiting& one : left) {
    one.done.set_value(Error{Code::kUnavailable, "the vault is stopping"});
  }
}

}  // namespace telltale::vault
