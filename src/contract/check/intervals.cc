#include "contract/check/intervals.h"

#include <fmt/format.h>

#include <algorithm>

namespace telltale::contract::check {

void IntervalSet::Add(std::int64_t first, std::int64_t end) {
  if (first >= end) return;
  auto at = ends_.upper_bound(first);
  if (at != ends_.begin() && std::prev(at)->second >= first) {
    --at;
    first = at->first;
  }
  while (at != ends_.end() && at->first <= end) {
    end = std::max(end, at->second);
    at = ends_.erase(at);
  }
  ends_.emplace(first, end);
}

void IntervalSet::Remove(std::int64_t first, std::int64_t end) {
  if (first >= end) return;
  auto at = ends_.upper_bound(first);
  if (at != ends_.begin()) --at;
  while (at != ends_.end() && at->first < end) {
    const auto [old_first, old_end] = *at;
    if (old_end <= first) {
      ++at;
      continue;
    }
    at = ends_.erase(at);
    if (old_first < first) ends_.emplace(old_first, first);
    if (old_end > end) ends_.emplace(end, old_end);
  }
}

void IntervalSet::Add(const IntervalSet& other) {
  for (const auto& [first, end] : other.ends_) Add(first, end);
}

void IntervalSet::Remove(const IntervalSet& other) {
  for (const auto& [first, end] : other.ends_) Remove(first, end);
}

bool IntervalSet::Contains(std::int64_t number) const { return FirstOutside(number) != number; }

std::int64_t IntervalSet::FirstOutside(std::int64_t number) const {
  const auto after = ends_.upper_bound(number);
  if (after == ends_.begin()) return number;
  return std::max(number, std::prev(after)->second);
}

int IntervalSet::HighestBelow(int first, int end) const {
  const auto after = ends_.lower_bound(end);
  if (after == ends_.begin()) return first - 1;
  const std::int64_t highest = std::min<std::int64_t>(std::prev(after)->second, end) - 1;
  return std::max(first - 1, static_cast<int>(highest));
}

std::string IntervalSet::ToString(std::int64_t max_end) const {
  std::string text;
  for (const auto& [first, end] : ends_) {
    if (!text.empty()) text += ", ";
    if (end >= max_end) {
      text += fmt::format("{} to max", first);
    } else if (end - first == 1) {
      text += fmt::format("{}", first);
    } else {
      text += fmt::format("{} to {}", first, end - 1);
    }
  }
  return text;
}

}  // namespace telltale::contract::check
