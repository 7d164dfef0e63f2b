// A few threads that do one task for several items at the same time. A commit uses it: syncs of
// different files that run together cost the disk about as much as one (docs/decisions/0003).
#pragma once

#include <functional>
#include <span>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace telltale::log {

class Crew {
 public:
  explicit Crew(std::size_t threads);
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  // Calls task(item) for every item, on these threads and the caller's; returns when all are done.
  // One caller at a time.
  void Run(std::span<const std::size_t> items, const std::function<void(std::size_t)>& task);

 private:
  void Work();
  bool TakeOne() REQUIRES(mutex_);

  Mutex mutex_;
  CondVar changed_;
  std::span<const std::size_t> items_ GUARDED_BY(mutex_);
  const std::function<void(std::size_t)>* task_ GUARDED_BY(mutex_) = nullptr;
  std::size_t taken_ GUARDED_BY(mutex_) = 0;
  std::size_t done_ GUARDED_BY(mutex_) = 0;
  bool stop_ GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;  // last: use all of the above
};

}  // namespace telltale::log
