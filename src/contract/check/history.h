// What was ever used: numbers and names of each message over all versions, and from that the next
// free number. Names are the candidate's: a message that moved brings its numbers along. One thread
// at a time.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "contract/check/schema.h"

namespace telltale::contract::check {

struct UsedNumbers {
  IntervalSet numbers;  // of fields
  std::unordered_set<std::string_view> names;
  IntervalSet reserved;
  std::unordered_set<std::string_view> reserved_names;

  // Highest field number used in [first, end); first - 1 when none is.
  int HighestIn(int first, int end) const;
};

class History {
 public:
  // `message` of some version is `now_name` in the candidate. The descriptors must outlive this.
  void Add(const Descriptor& message, const FieldSet& fields, const std::string& now_name);

  // Null: the message is new.
  const UsedNumbers* Of(const std::string& now_name) const;

  // A number for a new field of `message` beside `near`: in its block, above all ever used; 0 when
  // there is none.
  int NextFree(const Descriptor& message, const Schema& now, int near, bool uses_options) const;

 private:
  std::unordered_map<std::string, UsedNumbers> used_;
  mutable std::map<std::pair<const Descriptor*, int>, int> next_free_;
};

// Where a field numbered `number` of a message belongs: its block, or, without blocks, all numbers
// of its kind (in a message of our options those from 10,000 are the platform's).
struct NumberRange {
  int first = 1;
  int end = static_cast<int>(kFieldNumbersEnd);
  std::string block;        // name; empty without blocks
  bool is_outside = false;  // there are blocks and it is in none
};
NumberRange RangeOf(int number, const std::vector<NumberBlock>& blocks, bool uses_options);

}  // namespace telltale::contract::check
