// How long a role that ended waits before it is started again.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace telltale::app {

inline constexpr std::chrono::milliseconds kBackoffFirst{100};
inline constexpr std::chrono::milliseconds kBackoffMax{5000};
inline constexpr std::chrono::milliseconds kBackoffResetAfter{10'000};

struct Backoff {
  std::chrono::milliseconds delay{0};  // before the next start
  std::uint32_t early_ends = 0;        // in a row, each sooner than kBackoffResetAfter
};

// What follows when a process that was started after `before.delay` ended after `alive`.
inline Backoff AfterEnd(const Backoff& before, std::chrono::milliseconds alive) {
  if (alive >= kBackoffResetAfter || before.early_ends == 0) {
    return {kBackoffFirst, alive >= kBackoffResetAfter ? 0u : 1u};
  }
  return {std::min(before.delay * 2, kBackoffMax), before.early_ends + 1};
}

}  // namespace telltale::app
