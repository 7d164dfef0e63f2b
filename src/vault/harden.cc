#include "vault/harden.h"

#include <sys/prctl.h>
#include <sys/resource.h>

namespace telltale::vault {

Status ForbidDumps() {
  const rlimit none{0, 0};
  if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
    return Error{Code::kUnavailable, "core files of this process cannot be forbidden"};
  }
  return Ok();
}

}  // namespace telltale::vault
