#include "seal/locked.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <sys/prctl.h>
#include <sys/resource.h>

namespace telltale::seal {
namespace {

constexpr std::size_t kLeastPieceBytes = 32;

}  // namespace

Status ForbidDumps() {
  const rlimit none{0, 0};
  if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
    return Error{Code::kUnavailable, "core files of this process cannot be forbidden"};
  }
  return Ok();
}

Status LockKeysInMemory() {
  // 1: locked and guarded. 2: there, but the kernel would not lock or guard it.
  if (CRYPTO_secure_malloc_initialized() == 1 ||
      CRYPTO_secure_malloc_init(kLockedKeyBytes, kLeastPieceBytes) == 1) {
    return Ok();
  }
  return Error{Code::kUnavailable,
               fmt::format("private keys cannot be kept out of swap: allow {} KiB of locked memory "
                           "(ulimit -l, or LimitMEMLOCK of the service)",
                           kLockedKeyBytes >> 10)};
}

}  // namespace telltale::seal
