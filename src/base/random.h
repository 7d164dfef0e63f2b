// The randomness seam. References, boots and keys come from here.
#pragma once

#include <cstdint>
#include <span>

#include "base/mutex.h"

namespace telltale {

class Random {
 public:
  virtual ~Random() = default;
  virtual void Fill(std::span<std::uint8_t> out) = 0;

  std::uint64_t NextU64();
  // Uniform in [0, bound); bound > 0. Rejection sampling: no modulo bias.
  std::uint64_t Below(std::uint64_t bound);
};

// getrandom(2). Any thread. Cannot fail after start-up; a failure is a CHECK.
class SystemRandom final : public Random {
 public:
  void Fill(std::span<std::uint8_t> out) override;
};

// Deterministic (SplitMix64); for tests and for `--seed` with `--demo`. Not for keys. Any thread.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  void Fill(std::span<std::uint8_t> out) override;

 private:
  Mutex mutex_;
  std::uint64_t state_ GUARDED_BY(mutex_);
};

}  // namespace telltale
