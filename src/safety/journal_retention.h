// A journal holds alerts, so it is not kept for ever: what the publisher has passed goes with age.
#pragma once

#include <string>

#include "log/log.h"

namespace telltale::safety {

// One pass over the journal in `dir`, which this process owns: removes the oldest segments whose
// newest output is older than `keep_for` and that the publisher is past by the position it leaves
// in <dir>/positions. Without that position nothing goes. Gives how many went.
//   as log::Retain
Result<std::uint64_t> RetainJournal(Disk& disk, const std::string& dir, Micros keep_for,
                                    Micros now);

}  // namespace telltale::safety
