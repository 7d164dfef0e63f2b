// For the tests of readers: a drive's counts by name.
#pragma once

#include "sim/drives/drive.h"

namespace telltale::sim {

inline std::uint64_t Dropped(const Drive& drive, RowDrop drop) {
  return drive.counts.dropped[static_cast<std::size_t>(drop)];
}
inline std::uint64_t Dropped(const Drive& drive, ValueDrop drop) {
  return drive.counts.values_dropped[static_cast<std::size_t>(drop)];
}
// The promise of RowCounts.
inline bool AddsUp(const Drive& drive) {
  return drive.counts.rows == drive.reports.size() + drive.counts.dropped_rows();
}

}  // namespace telltale::sim
