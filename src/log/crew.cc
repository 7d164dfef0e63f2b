#include "log/crew.h"

namespace telltale::log {

Crew::Crew(std::size_t threads) {
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
}

Crew::~Crew() {
  {
    MutexLock lock(mutex_);
    stop_ = true;
    changed_.NotifyAll();
  }
  for (std::thread& thread : threads_) thread.join();
}

// Does one item with the mutex let go; false when none is left.
bool Crew::TakeOne() {
  if (taken_ == items_.size()) return false;
  const std::size_t item = items_[taken_++];
  const auto* task = task_;
  mutex_.unlock();
  (*task)(item);
  mutex_.lock();
  if (++done_ == items_.size()) changed_.NotifyAll();
  return true;
}

void Crew::Work() {
  MutexLock lock(mutex_);
  while (!stop_) {
    if (!TakeOne()) changed_.Wait(mutex_);
  }
}

void Crew::Run(std::span<const std::size_t> items, const std::function<void(std::size_t)>& task) {
  MutexLock lock(mutex_);
  items_ = items;
  task_ = &task;
  taken_ = 0;
  done_ = 0;
  if (items.size() > 1) changed_.NotifyAll();
  while (TakeOne()) {
  }
  while (done_ != items.size()) changed_.Wait(mutex_);
  items_ = {};
  taken_ = 0;
  done_ = 0;
}

}  // namespace telltale::log
