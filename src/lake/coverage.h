// What each firmware sends of each field, by UTC day of event time: counted for one hand-off, then
// rows of table `coverage`. Flat arrays, no look-up per value. Pure, no Arrow.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "lake/fed_columns.h"
#include "lake/row_buffer.h"

namespace telltale::lake {

// Counts kept at once: (days x firmware versions) x fields. Beyond it the slices with the fewest
// reports share one.
inline constexpr std::size_t kCoverageKeysMax = 10'000;

struct CoverageCounts {
  std::uint64_t present = 0;  // in the right type, in range, and all columns could hold it
  std::uint64_t out_of_range = 0;
  std::uint64_t wrong_type = 0;
  std::uint64_t conversion_failed = 0;
  Micros first_seen;  // event time, of what is present
  Micros last_seen;
  std::uint64_t values = 0;  // numbers among the present ones, as sent
  double min = 0;
  double max = 0;
  double sum = 0;

  void AddSeen(Micros first, Micros last, std::uint64_t count) {
    if (present == 0 || first < first_seen) first_seen = first;
    if (present == 0 || last > last_seen) last_seen = last;
    present += count;
  }
  void AddNumbers(std::uint64_t count, double least, double greatest, double total) {
    if (values == 0 || least < min) min = least;
    if (values == 0 || greatest > max) max = greatest;
    values += count;
    sum += total;
  }
};

class Coverage {
 public:
  static constexpr std::uint32_t kNoField = 0xffffffffu;

  // Of every field of a contract that has or feeds one of `columns`.
  Coverage(const std::vector<Column>& columns, const FedColumns& fed);

  struct Field {
    std::uint32_t number = 0;
    std::string name;
    std::string columns;       // that it feeds, with a comma between
    bool is_withheld = false;  // its values are not summed up either
  };
  const std::vector<Field>& fields() const { return fields_; }
  std::uint32_t IndexOf(std::uint32_t number) const;  // kNoField

  // One firmware's reports of one day.
  struct Slice {
    std::int32_t day = 0;
    std::string firmware;  // "" of the shared one
    std::uint64_t reports = 0;
    Row newest;  // by log time, for the stamps; its `fields` are not to be read
  };
  const std::vector<Slice>& slices() const { return slices_; }
  const CoverageCounts& counts(std::size_t slice, std::size_t field) const {
    return counts_[slice * fields_.size() + field];
  }
  CoverageCounts& counts(std::size_t slice, std::size_t field) {
    return counts_[slice * fields_.size() + field];
  }
  // Reports that went into the shared slice since Begin().
  std::uint64_t shared_reports() const;

  // Begins anew with the rows of a hand-off: which slices there are.
  void Begin(const RowBuffer& rows);
  // `row` is the next of a file. What follows is counted for it.
  void NextRow(const Row& row);
  // Of the row at hand. `by` is 1, or -1 to take one back.
  void CountNulled(std::uint32_t field, ValueVerdict verdict, int by);
  void CountFed(std::uint32_t field, const FedColumns::Field& value);

  // Rows of the file at hand up to `end` (exclusive, from the end of the one before) that belong to
  // one slice and rise in event time.
  struct Stretch {
    std::int64_t end = 0;
    std::uint32_t slice = 0;
  };
  const std::vector<Stretch>& stretches() const { return stretches_; }
  void EndFile() { stretches_.clear(); }

 private:
  std::vector<Field> fields_;
  std::vector<std::uint32_t> index_of_;  // by field number
  std::size_t slices_max_;
  std::vector<Slice> slices_;
  std::unordered_map<std::uint64_t, std::uint32_t> slice_of_;  // of the (day, firmware) kept
  std::uint32_t shared_ = 0;                                   // the slice of all others
  bool has_shared_ = false;
  std::vector<CoverageCounts> counts_;
  std::vector<Stretch> stretches_;
  std::optional<std::uint64_t> key_;  // of the row before
  std::uint32_t slice_ = 0;
  Micros time_;
};

}  // namespace telltale::lake
