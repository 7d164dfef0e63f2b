// Sets of numbers as half-open intervals, collapsed: [5,6) and [6,8) are [5,8), however they were
// declared. Reserved ranges and extension ranges are compared so. Immutable use from any thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace telltale::contract::check {

class IntervalSet {
 public:
  void Add(std::int64_t first, std::int64_t end);  // [first, end); nothing when empty
  void Remove(std::int64_t first, std::int64_t end);
  void Add(const IntervalSet& other);
  void Remove(const IntervalSet& other);
  bool Contains(std::int64_t number) const;
  bool empty() const { return ends_.empty(); }
  // The first number from `number` on that is not in the set.
  std::int64_t FirstOutside(std::int64_t number) const;
  // The highest number of the set in [first, end); first - 1 when there is none.
  int HighestBelow(int first, int end) const;
  // "5, 9 to 11, 20 to max"; an interval that ends at `max_end` or beyond is open.
  std::string ToString(std::int64_t max_end) const;

 private:
  std::map<std::int64_t, std::int64_t> ends_;  // first -> end; disjoint, not touching
};

}  // namespace telltale::contract::check
