// What the files of a release have in common, wherever they are written.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "seal/seal.h"

namespace telltale::control {

// Nothing in a release is secret, and the vault's user reads the contract.
inline constexpr std::uint32_t kReleaseFolderMode = 0755;
inline constexpr std::uint32_t kReleaseFileMode = 0644;
// Manifest, declarations, signature, rules: anything that people write or that lists parts.
inline constexpr std::uint64_t kReleaseTextBytesMax = 1u << 20;

// As components are named: SHA-256, 64 lower-case hex digits.
inline std::string HexSha256(std::string_view bytes) { return HexEncode(seal::Sha256(bytes)); }

}  // namespace telltale::control
