#include "vault/ledger/presence.h"

#include <algorithm>

namespace telltale::vault {
namespace {

Micros Passed(Hour hour, std::uint32_t window_hours, Micros from) {
  const std::int64_t past = hour.value + window_hours;
  if (window_hours == kNoWindow || past > kNever.value / kHourUs) return kNever;
  return std::max(from, StartOf(Hour{past}));
}

}  // namespace

Micros DueAt(const HourKeyId& id, const Life& life, const std::vector<WindowChange>& changes,
             Micros until) {
  Micros due = Passed(id.hour, life.window_hours, life.first_stored);
  for (const WindowChange& change : changes) {
    if (change.retention_class != id.retention_class) continue;
    if (change.at <= life.first_stored || change.at > until) continue;
    due = std::min(due, Passed(id.hour, change.hours, change.at));
  }
  return due;
}

OrdinalSet LedgerView::ErasedBy(Micros at) const {
  OrdinalSet erased;
  for (const Erasure& erasure : erasures) {
    if (erasure.at <= at) erased.Add(Ordinal{erasure.ordinal});
  }
  return erased;
}

const HourState* LedgerView::Find(const HourKeyId& id) const {
  const auto at = std::lower_bound(
      hours.begin(), hours.end(), id,
      [](const HourState& hour, const HourKeyId& wanted) { return hour.id < wanted; });
  return at != hours.end() && at->id == id ? &*at : nullptr;
}

}  // namespace telltale::vault
