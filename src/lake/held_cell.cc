#include "lake/held_cell.h"

#include <algorithm>

#include "base/cell.h"
#include "lake/iceberg.h"

namespace telltale::lake {

bool HeldCells::IsCoarse(const Report& report) {
  const Micros at = report.event_time;
  if (report.is_ignition_on.has_value()) {
    const bool is_on = *report.is_ignition_on;
    if (!is_ignition_known_ || at >= newest_) {
      // A new boot counts as a new ignition-on: the off before it may be among the lost reports.
      if (is_on && (!is_ignition_known_ || !is_on_ || boot_ != report.boot)) on_since_ = at;
      is_ignition_known_ = true;
      is_on_ = is_on;
      boot_ = report.boot;
      newest_ = at;
    } else if (!is_on && is_on_ && at >= on_since_) {
      // A late report tells of an off inside what looked like one drive: it began again somewhere
      // after, and the newest sighting is the only moment known to lie in it.
      on_since_ = newest_;
    }
    if (!is_on) return true;
  }
  if (!is_ignition_known_ || !is_on_ || boot_ != report.boot) return true;
  return at.value - on_since_.value <= kIgnitionCoarseUs;
}

std::uint64_t HeldCells::Apply(const Report& report) {
  const bool is_coarse = IsCoarse(report);
  if (report.cell == 0) return 0;
  const std::uint64_t coarse =
      CellParent(report.cell, std::min(kCoarseCellLevel, CellLevel(report.cell)));
  if (report.is_past_horizon) return coarse;
  const std::int64_t index =
      report.event_time.value / kQuarterUs - (report.event_time.value % kQuarterUs < 0 ? 1 : 0);
  auto quarter = std::lower_bound(quarters_.begin(), quarters_.end(), index,
                                  [](const Quarter& q, std::int64_t i) { return q.index < i; });
  if (quarter == quarters_.end() || quarter->index != index) {
    const bool is_full = quarters_.size() == kQuartersKept;
    if (is_full && quarter == quarters_.begin()) return coarse;  // forgotten, or never held
    quarter = quarters_.insert(quarter, Quarter{index, coarse, 0});
    if (is_full) {
      const auto place = quarter - quarters_.begin() - 1;
      quarter = quarters_.erase(quarters_.begin()) + place;
    }
  }
  if (is_coarse) return quarter->coarse;
  if (quarter->fine == 0) quarter->fine = report.cell;
  return quarter->fine;
}

void HeldCells::Encode(std::string& out) const {
  PutLe(out, static_cast<std::uint8_t>(quarters_.size()));
  for (const Quarter& quarter : quarters_) {
    PutLe(out, quarter.index);
    PutLe(out, quarter.coarse);
    PutLe(out, quarter.fine);
  }
  PutLe(out, static_cast<std::uint8_t>((is_ignition_known_ ? 1 : 0) | (is_on_ ? 2 : 0)));
  PutLe(out, boot_.counter);
  PutLe(out, boot_.random);
  PutLe(out, on_since_.value);
  PutLe(out, newest_.value);
}

bool HeldCells::Decode(ByteReader& in, HeldCells& out) {
  out.quarters_.clear();
  const auto count = in.Get<std::uint8_t>();
  if (!in.ok() || count > kQuartersKept) return false;
  for (std::uint8_t i = 0; i < count; ++i) {
    Quarter quarter;
    quarter.index = in.Get<std::int64_t>();
    quarter.coarse = in.Get<std::uint64_t>();
    quarter.fine = in.Get<std::uint64_t>();
    if (!in.ok() || !IsCoarseEnough(quarter.coarse)) return false;
    if (quarter.fine != 0 && !IsCoarseEnough(quarter.fine)) return false;
    if (!out.quarters_.empty() && out.quarters_.back().index >= quarter.index) return false;
    out.quarters_.push_back(quarter);
  }
  const auto flags = in.Get<std::uint8_t>();
  out.is_ignition_known_ = (flags & 1) != 0;
  out.is_on_ = (flags & 2) != 0;
  out.boot_.counter = in.Get<std::uint32_t>();
  out.boot_.random = in.Get<std::uint64_t>();
  out.on_since_ = Micros{in.Get<std::int64_t>()};
  out.newest_ = Micros{in.Get<std::int64_t>()};
  return in.ok();
}

}  // namespace telltale::lake
