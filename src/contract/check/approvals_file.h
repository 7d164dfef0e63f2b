// approvals.yaml beside a contract (docs/formats/contract-approvals.md): who approved what is to
// lie open, or less protected. One thread.
#pragma once

#include <string>
#include <vector>

#include "base/disk.h"
#include "contract/check/source.h"

namespace telltale::contract::check {

// What `path` says; nothing when there is no such file. Mistakes are added to `problems`, each with
// its line.
//   kUnavailable  the disk
Result<std::vector<Approval>> ReadApprovals(Disk& disk, const std::string& path,
                                            std::vector<Problem>& problems);

// Such a file, from what was read.
std::string ApprovalsText(const std::vector<Approval>& approvals);

}  // namespace telltale::contract::check
