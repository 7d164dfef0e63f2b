// Hour keys of version 1 into the key tree.
#pragma once

#include <cstdint>
#include <string>

#include "base/disk.h"
#include "vault/keys/key_tree.h"

namespace telltale::vault {

struct ImportedHours {
  std::uint64_t imported = 0;
  std::uint64_t damaged = 0;  // no keys, or of a newer version: left where they are
};

// Takes each <hours_folder>/<hour>.key over as {kLegacy, hour} that dies at that hour, makes it
// durable in the tree, then overwrites and removes the file. Zeroed files, destructions that were
// interrupted, are removed. Safe to repeat; before expired hours are destroyed. No such folder:
// nothing to do.
//   kUnavailable  disk, or the tree's Flush(): nothing was removed that is not in the tree
Result<ImportedHours> ImportHourKeys(Disk& disk, const std::string& hours_folder, KeyTree& tree);

// The end of what ImportHourKeys() left: files of hours up to `begun` are overwritten and removed,
// each tried whatever the one before said.
Status DestroyLeftHourKeys(Disk& disk, const std::string& hours_folder, Hour begun);

}  // namespace telltale::vault
