// What keeps the vault's memory to itself: no core file, no reading by other processes of the user.
#pragma once

#include "base/result.h"

namespace telltale::vault {

//   kUnavailable  the system refused; the vault must not open anything then
Status ForbidDumps();

}  // namespace telltale::vault
