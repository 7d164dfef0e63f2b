// Joins rows that hold a value or two each into one report a slot of time.
#pragma once

#include <optional>

#include "sim/drives/drive.h"

namespace telltale::sim {

// The slots lie on a fixed grid. A report carries the time of its slot's last row, so no value is
// younger than its report. Of a signal that comes more than once in a slot the last value stands.
class SlotJoiner {
 public:
  SlotJoiner(Drive& drive, std::int64_t slot_us) : drive_(drive), slot_us_(slot_us) {}

  // The report of the slot that `at_us` falls into: the one that is open, or a new one behind it.
  // nullptr: that slot is closed already.
  telltale::v1::Report* Open(std::int64_t at_us);
  // `rows` rows have put values into the open report, the last of them at `at_us`. Without any, the
  // slot gives no report.
  void Added(std::int64_t at_us, std::uint64_t rows = 1);
  // Hands over the open report; call it once more at the end.
  void Close();

  std::int64_t slot() const { return slot_; }  // tells slots apart

 private:
  Drive& drive_;
  const std::int64_t slot_us_;
  std::int64_t slot_ = 0;
  bool is_open_ = false;
  std::int64_t last_at_us_ = 0;
  std::uint64_t rows_ = 0;
  telltale::v1::Report report_;
};

}  // namespace telltale::sim
