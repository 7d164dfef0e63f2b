// Latencies in microseconds, each kept to one part in 64: exact below 64 us, bounded memory, no
// sorting, no sample lost.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

namespace telltale::bench {

class Histogram {
 public:
  void Add(std::int64_t us) {
    const std::uint64_t value = us > 0 ? static_cast<std::uint64_t>(us) : 0;
    ++counts_[IndexOf(value)];
    ++count_;
    max_ = value > max_ ? value : max_;
  }
  std::uint64_t count() const { return count_; }
  std::uint64_t max() const { return max_; }

  // The value that `share` of all are not above; 0 of none.
  std::uint64_t Quantile(double share) const {
    const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(count_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > wanted) return HighestOf(i) < max_ ? HighestOf(i) : max_;
    }
    return max_;
  }

 private:
  static constexpr unsigned kBits = 6;  // of a value, behind its leading one

  static std::size_t IndexOf(std::uint64_t value) {
    if (value < (1u << kBits)) return value;
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - 1 - kBits;
    return ((shift + 1) << kBits) + ((value >> shift) & ((1u << kBits) - 1));
  }
  static std::uint64_t HighestOf(std::size_t index) {
    if (index < (1u << kBits)) return index;
    const std::size_t shift = (index >> kBits) - 1;
    const std::uint64_t lowest = (std::uint64_t{1} << kBits | (index & ((1u << kBits) - 1)))
                                 << shift;
    return lowest + (std::uint64_t{1} << shift) - 1;
  }

  std::vector<std::uint64_t> counts_ = std::vector<std::uint64_t>((64 - kBits + 1) << kBits);
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace telltale::bench
