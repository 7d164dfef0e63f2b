// Two checks of bytes: CRC-32C (Castagnoli) guards stored batches against tears; the content hash
// (XXH3, 64 bits) tells a repeat of a report from another report under the same identity.
// Neither is a defence against an adversary.
#pragma once

#include "base/bytes.h"

namespace telltale {

// `seed` continues an earlier call: Crc32c(b, Crc32c(a)) == Crc32c(a + b).
std::uint32_t Crc32c(ByteSpan bytes, std::uint32_t seed = 0);
std::uint64_t ContentHash(ByteSpan bytes);

}  // namespace telltale
