// SHA-256 (FIPS 180-4) for the few places that may not link a cryptographic library: telltale-lake,
// the readers of the open streams. What signs, seals or derives uses seal/.
#pragma once

#include <array>
#include <string_view>

#include "base/bytes.h"

namespace telltale {

std::array<std::uint8_t, 32> Sha256Of(ByteSpan bytes);

// As digests are written and files named: 64 lower-case hex digits.
bool IsSha256Hex(std::string_view text);

}  // namespace telltale
