// The folders below DIR, who owns them and who may enter: one table.
#pragma once

#include <optional>

#include "app/users.h"
#include "base/config.h"
#include "base/disk.h"
#include "base/result.h"

namespace telltale::app {

Status MakeFolders(Disk& disk, const Paths& paths);

// Gives everything below DIR its owner and mode: `telltale` and `telltale-vault`, or with one user
// the caller's own for all. Folders that the vault must pass to reach `sealed` can be passed, not
// listed. Symbolic links are not followed.
Status SetOwnership(const Paths& paths, const std::optional<Users>& users);

}  // namespace telltale::app
