// safety/ - the fast path: keyed state, rules, output journals. One process per release.
//   in      stream `safety` by offset (log/), rules and contract of one release
//   out     an output journal per shard (docs/formats/journal.md) to publish/
//   owns    data/worker/<release>/ (snapshots), data/journal/<release>/
//   thread  one per shard; what is in this header is pure: no clock, no disk, no allocation per
//           report of a quiet vehicle
//   not here: authority, sinks, alert ids of other releases (publish/)
//
// The same stream from offset 0 gives the same outputs, byte for byte.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/ids.h"
#include "safety/rules.h"
#include "safety/scan.h"

namespace telltale::safety {

enum class Phase : std::uint8_t {
  kIdle = 0,
  kPending = 1,  // at or over the level, not yet for `hold`
  kOpen = 2,     // completed: an alert is out
};

// What an alert tells beside the measure, as of the report that completed it.
struct Surroundings {
  std::optional<std::uint64_t> cell;
  std::optional<std::uint32_t> heading_octant;
  std::optional<std::uint32_t> vehicle_class;
  std::optional<float> speed_kmh;
  friend bool operator==(const Surroundings&, const Surroundings&) = default;
};

// One rule of one vehicle.
struct Episode {
  Phase phase = Phase::kIdle;
  BootId boot;  // of the first report, like the next two
  std::uint64_t first_seq = 0;
  Micros started_at;
  Micros last_at;   // newest report in the episode that had a field of the rule
  double peak = 0;  // largest measure, in the fields' unit
  Surroundings surroundings;
  friend bool operator==(const Episode&, const Episode&) = default;
};

struct Report {
  BootId boot;
  std::uint64_t seq = 0;
  Micros event_time;  // not older than the vehicle's newest: the caller has seen to that
  const Values* values = nullptr;
};

struct Change {
  bool closed = false;  // false: opened
  Episode episode;
  Micros ended_at;  // closed only
};

// One report can end an episode and open the next, not more.
struct Decision {
  Episode next;
  std::array<Change, 2> changes;
  std::uint8_t count = 0;
};

Decision Decide(const Episode& state, const Report& report, const Rule& rule);

Severity SeverityOf(const Rule& rule, double peak);

}  // namespace telltale::safety
