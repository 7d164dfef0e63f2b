#include "lake/held_cell.h"

#include <algorithm>

#include "base/cell.h"
#include "lake/iceberg.h"

namespace telltale::lake {
namespace {

// Of the state's layout, what the rule around ignition knew while there were level 12 cells:
// flags u8, boot (u32, u64), two times i64.
constexpr std::size_t kIgnitionBytes = 1 + 4 + 8 + 8 + 8;

}  // namespace

std::uint64_t HeldCells::Apply(const Report& report) {
  if (report.cell == 0) return 0;
  const std::uint64_t cell =
      CellParent(report.cell, std::min(kCoarseCellLevel, CellLevel(report.cell)));
  if (report.is_past_horizon) return cell;
  const std::int64_t index =
      report.event_time.value / kQuarterUs - (report.event_time.value % kQuarterUs < 0 ? 1 : 0);
  auto quarter = std::lower_bound(quarters_.begin(), quarters_.end(), index,
                                  [](const Quarter& q, std::int64_t i) { return q.index < i; });
  if (quarter != quarters_.end() && quarter->index == index) return quarter->cell;
  const bool is_full = quarters_.size() == kQuartersKept;
  if (is_full && quarter == quarters_.begin()) return cell;  // forgotten, or never held
  quarters_.insert(quarter, Quarter{index, cell});
  if (is_full) quarters_.erase(quarters_.begin());
  return cell;
}

void HeldCells::Encode(std::string& out) const {
  PutLe(out, static_cast<std::uint8_t>(quarters_.size()));
  for (const Quarter& quarter : quarters_) {
    PutLe(out, quarter.index);
    PutLe(out, quarter.cell);
    PutLe(out, std::uint64_t{0});
  }
  out.append(kIgnitionBytes, '\0');
}

bool HeldCells::Decode(ByteReader& in, HeldCells& out) {
  out.quarters_.clear();
  const auto count = in.Get<std::uint8_t>();
  if (!in.ok() || count > kQuartersKept) return false;
  for (std::uint8_t i = 0; i < count; ++i) {
    Quarter quarter;
    quarter.index = in.Get<std::int64_t>();
    quarter.cell = in.Get<std::uint64_t>();
    in.Get<std::uint64_t>();  // a level 12 cell, once
    if (!in.ok() || !IsCellId(quarter.cell) || CellLevel(quarter.cell) > kCoarseCellLevel) {
      return false;
    }
    if (!out.quarters_.empty() && out.quarters_.back().index >= quarter.index) return false;
    out.quarters_.push_back(quarter);
  }
  in.Take(kIgnitionBytes);
  return in.ok();
}

}  // namespace telltale::lake
