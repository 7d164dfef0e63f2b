// A mutex that clang's thread-safety analysis understands. Members say GUARDED_BY.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define TELLTALE_TSA(x) __attribute__((x))
#else
#define TELLTALE_TSA(x)
#endif
#define GUARDED_BY(x) TELLTALE_TSA(guarded_by(x))
#define REQUIRES(...) TELLTALE_TSA(requires_capability(__VA_ARGS__))

namespace telltale {

class TELLTALE_TSA(capability("mutex")) Mutex {
 public:
  void lock() TELLTALE_TSA(acquire_capability()) { inner_.lock(); }
  void unlock() TELLTALE_TSA(release_capability()) { inner_.unlock(); }

 private:
  std::mutex inner_;
};

class TELLTALE_TSA(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) TELLTALE_TSA(acquire_capability(mutex)) : mutex_(mutex) {
    mutex_.lock();
  }
  ~MutexLock() TELLTALE_TSA(release_capability()) { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

class CondVar {
 public:
  // Spurious wake-ups happen: wait in a loop that checks the condition.
  void Wait(Mutex& mutex) REQUIRES(mutex) { inner_.wait(mutex); }
  // The same, at most for `timeout`. Only for pauses: what is waited for must not hang on it.
  void WaitFor(Mutex& mutex, std::chrono::milliseconds timeout) REQUIRES(mutex) {
    inner_.wait_for(mutex, timeout);
  }
  void NotifyAll() { inner_.notify_all(); }
  void NotifyOne() { inner_.notify_one(); }

 private:
  std::condition_variable_any inner_;
};

}  // namespace telltale
