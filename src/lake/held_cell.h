// The cell a row of the lake may carry (design, "Cell"): held for a quarter of an hour, coarse
// around ignition. A fine-timed sequence of cells would give streets away.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"

namespace telltale::lake {

inline constexpr std::size_t kQuartersKept = 8;  // per vehicle
inline constexpr std::int64_t kQuarterUs = 15 * 60 * 1'000'000ll;
inline constexpr std::int64_t kIgnitionCoarseUs = 10 * 60 * 1'000'000ll;

// One vehicle's. Give it the accepted reports in offset order. Every doubt is resolved toward the
// coarse level: ignition never seen, another boot than the one it was seen in, a report from before
// the newest known ignition-on.
class HeldCells {
 public:
  struct Report {
    BootId boot;
    Micros event_time;
    std::optional<bool> is_ignition_on;
    std::uint64_t cell = 0;        // 0 = the report has no place
    bool is_past_horizon = false;  // its quarter may have been forgotten: coarse, not held
  };
  // The cell to write; 0 = none. `report.cell` is 0 or IsCoarseEnough.
  std::uint64_t Apply(const Report& report);

  void Encode(std::string& out) const;
  static bool Decode(ByteReader& in, HeldCells& out);

 private:
  struct Quarter {
    std::int64_t index = 0;    // of the quarter hour, UTC
    std::uint64_t coarse = 0;  // of the quarter's first cell
    std::uint64_t fine = 0;    // first cell outside the ignition rule; 0 until there is one
  };
  bool IsCoarse(const Report& report);

  std::vector<Quarter> quarters_;  // rising index
  bool is_ignition_known_ = false;
  bool is_on_ = false;
  BootId boot_;      // where the ignition was last seen
  Micros on_since_;  // event time
  Micros newest_;    // event time of the newest report that told the ignition
};

}  // namespace telltale::lake
