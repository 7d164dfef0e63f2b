// Named counts of one process. Lock-free to raise; a snapshot is written for people and tests.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>

#include "base/disk.h"
#include "base/mutex.h"
#include "base/reasons.h"

namespace telltale {

class Counter {
 public:
  void Add(std::uint64_t by = 1) { value_.fetch_add(by, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// Get() once at start-up and keep the reference: it lives as long as this object. Any thread.
class Counters {
 public:
  Counter& Get(const std::string& name);
  // "drops_total.<where>.<reason>"
  Counter& Drops(const std::string& where, Reason reason);
  // {"name": value, ...} with sorted names.
  std::string ToJson() const;

 private:
  mutable Mutex mutex_;
  std::map<std::string, Counter> counters_ GUARDED_BY(mutex_);
};

// Writes ToJson() to <folder>/<role>.json (whole or not at all; not synced: a count is no promise).
Status WriteCounters(const std::string& folder, const std::string& role, const Counters& counters);

}  // namespace telltale
