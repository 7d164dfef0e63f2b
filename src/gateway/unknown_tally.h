// What cars send that the contract has no place for: which number, how big, from which firmware,
// how often. Never a value. docs/formats/unknown-fields.md has the file.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/disk.h"
#include "base/mutex.h"
#include "base/result.h"
#include "contract/contract.h"

namespace telltale::gateway {

struct UnknownKey {
  std::string path;  // of the message, "" = Report
  std::uint32_t number = 0;
  std::uint8_t wire_type = 0;
  contract::UnknownField::Why why = contract::UnknownField::Why::kUndeclared;
  std::uint32_t bytes_at_most = 0;  // a power of two: 1, 2, 4, ... of the value
  std::string firmware;

  auto operator<=>(const UnknownKey&) const = default;
};

struct UnknownCount {
  std::uint64_t count = 0;
  Micros first_seen;  // receipt
  Micros last_seen;
  std::uint32_t contract_number = 0;  // in force when last seen

  void Add(const UnknownCount& other);
};

class UnknownTally {
 public:
  // Different keys of one tally; what comes beyond is counted under number 0 of Report.
  static constexpr std::size_t kUnknownKeysMax = 4096;
  using Counts = std::map<UnknownKey, UnknownCount>;

  // Any thread. After the first of its kind nothing is allocated.
  void Add(std::string_view firmware, std::span<const contract::UnknownField> fields,
           Micros receipt, std::uint32_t contract_number);
  void Add(const Counts& counts);
  Counts counts() const;
  // Rises with every Add().
  std::uint64_t changes() const;

  // The file's text, and back.
  //   kCorrupt  not such a file; kUnsupported  a newer one
  static std::string ToJson(const Counts& counts);
  static Result<Counts> FromJson(std::string_view text);

 private:
  mutable Mutex mutex_;
  Counts counts_ GUARDED_BY(mutex_);
  UnknownKey key_ GUARDED_BY(mutex_);  // scratch
  std::uint64_t changes_ GUARDED_BY(mutex_) = 0;
};

// As the file and `telltale contract unknown` say it: "undeclared", "wire_type", "text".
std::string_view WhyName(contract::UnknownField::Why why);

}  // namespace telltale::gateway
