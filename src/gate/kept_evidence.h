// What rollouts that are over left in data/gate: their evidence stays, without whoever was erased.
#pragma once

#include <string>

#include "base/disk.h"
#include "base/erasure_list.h"

namespace telltale::gate {

// `folder` is data/gate; the rollout `current` ("" = none) is left to its observer. Removes states
// and takes the erased out of examples. Evidence that cannot be read is removed: it may name them.
//   errors of the disk, the first; the other rollouts are done all the same, again is fine
Status TidyKeptEvidence(Disk& disk, const std::string& folder, const std::string& current,
                        const ErasureList& erased);

}  // namespace telltale::gate
