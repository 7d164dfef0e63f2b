// Picks the few wanted fields out of a report's wire bytes. No allocation, no generated code: a
// rule on a field that came with a newer contract needs no rebuild.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "safety/rules.h"

namespace telltale::safety {

struct Values {
  std::uint64_t present = 0;  // bit n: slot n
  std::array<double, kSlotsMax> number{};
  std::uint64_t cell = 0;  // slot kSlotCell; too large for a double

  bool Has(std::uint8_t slot) const { return (present >> slot & 1) != 0; }
};

// Immutable: any thread.
class Scanner {
 public:
  explicit Scanner(const std::vector<Slot>& slots);

  struct Outcome {
    bool whole = true;               // false: the bytes end or break in the middle of a field
    std::uint32_t out_of_range = 0;  // values taken as absent
  };
  // Like protobuf: the last of several wins, unknown fields and other wire types are passed over.
  Outcome Scan(ByteSpan wire, Values& out) const;

 private:
  static constexpr std::uint8_t kNone = 0xff;
  std::uint8_t SlotOf(std::uint64_t number) const;

  std::vector<Slot> slots_;
  std::array<std::uint8_t, 1024> by_number_;
};

}  // namespace telltale::safety
