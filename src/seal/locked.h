// Private keys in memory that is locked and guarded: never in swap, never in a core file, wiped
// when given back. What OpenSSL itself keeps of private keys lies there too.
#pragma once

#include <cstddef>

#include "base/result.h"

namespace telltale::seal {

// No core file, no reading of our memory by other processes of the user.
//   kUnavailable  the system refused: do not load a key then
Status ForbidDumps();
// OpenSSL's secure heap, before any key is made. Once per process; again changes nothing.
//   kUnavailable  RLIMIT_MEMLOCK must allow kLockedKeyBytes; keys then lie in ordinary memory
Status LockKeysInMemory();

// TLS keeps an ephemeral key of 32 bytes for each connection: this is room for more of them than a
// process has descriptors, and within the 8 MiB that Debian lets every user lock.
inline constexpr std::size_t kLockedKeyBytes = 4u << 20;

}  // namespace telltale::seal
