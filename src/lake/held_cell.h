// The cell a row of the lake may carry: level 9 (about 324 km2), held for a quarter of an hour.
// Beside speed once a second a level 12 cell gives streets away, whatever hour it is of
// (docs/attacks.md), and a fine-timed sequence of any cells gives their edges away.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"

namespace telltale::lake {

inline constexpr std::size_t kQuartersKept = 8;  // per vehicle
inline constexpr std::int64_t kQuarterUs = 15 * 60 * 1'000'000ll;

// One vehicle's. Give it the accepted reports in offset order.
class HeldCells {
 public:
  struct Report {
    Micros event_time;
    std::uint64_t cell = 0;        // 0 = the report has no place
    bool is_past_horizon = false;  // its quarter may have been forgotten: not held
  };
  // The cell to write, of level 9 or coarser; 0 = none. `report.cell` is 0 or IsCoarseEnough.
  std::uint64_t Apply(const Report& report);

  void Encode(std::string& out) const;
  // Also what releases wrote that told level 12 cells; of those the coarse ones are kept.
  static bool Decode(ByteReader& in, HeldCells& out);

 private:
  struct Quarter {
    std::int64_t index = 0;  // of the quarter hour, UTC
    std::uint64_t cell = 0;  // of its first report with a place
  };
  std::vector<Quarter> quarters_;  // rising index
};

}  // namespace telltale::lake
