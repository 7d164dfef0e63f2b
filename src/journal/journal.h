// journal/ - the output journals of releases, as whoever follows one reads them.
//   in      data/journal/<release> (docs/formats/journal.md), which a worker writes
//   out     outputs below a mark, in input order, each once
//   not here: writing one (safety/), what an output means to the fleet (publish/, gate/)
#pragma once

#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "internal/v1/internal.pb.h"

namespace telltale::journal {

// What a release's newest progress mark says of a partition.
struct Mark {
  Offset below = {};  // all its outputs of lower input offsets are there
  Micros log_time = {};
  ConfigSeq config_seq = {};
  std::uint32_t lots = 0;  // computes vehicles of lower lots
  Micros lots_since = {};  // log time from which all of them
  friend bool operator==(const Mark&, const Mark&) = default;
};

// What a journal says of one partition, up to a mark.
struct Part {
  Offset next;       // outputs of all input offsets from `from` to below it are in `outputs`
  Offset from = {};  // of lower input offsets nothing is told
  std::vector<internal::v1::JournalEntry::Output> outputs = {};  // in input order
  std::vector<Mark> marks = {};  // rising, the last one is at `next`; only when they are kept
};

}  // namespace telltale::journal
