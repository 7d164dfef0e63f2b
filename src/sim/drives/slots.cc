#include "sim/drives/slots.h"

#include <algorithm>
#include <utility>

#include "sim/drives/in_range.h"
#include "sim/drives/timeline.h"

namespace telltale::sim {

telltale::v1::Report* SlotJoiner::Open(std::int64_t at_us) {
  const std::int64_t slot = at_us / slot_us_ - (at_us % slot_us_ < 0 ? 1 : 0);
  if (is_open_ && slot == slot_) return &report_;
  if (is_open_ && slot < slot_) return nullptr;
  Close();
  is_open_ = true;
  slot_ = slot;
  last_at_us_ = at_us;
  return &report_;
}

void SlotJoiner::Added(std::int64_t at_us, std::uint64_t rows) {
  last_at_us_ = rows_ == 0 ? at_us : std::max(last_at_us_, at_us);
  rows_ += rows;
}

void SlotJoiner::Close() {
  if (rows_ > 0) {
    ClearOutOfRange(report_, drive_.counts);
    if (report_.ByteSizeLong() == 0) {
      drive_.counts.Drop(RowDrop::kNothing, rows_);
    } else {
      AddReport(drive_, last_at_us_, std::move(report_));
      drive_.counts.Drop(RowDrop::kMerged, rows_ - 1);
    }
  }
  report_.Clear();
  rows_ = 0;
  // `is_open_` stays: what comes later for this slot is late.
}

}  // namespace telltale::sim
