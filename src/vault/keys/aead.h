// AES-256-GCM over bytes whose key is fresh, or whose nonce the caller answers for.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "seal/derive.h"

namespace telltale::vault {

using Key = std::span<const std::uint8_t, seal::kKeyBytes>;
inline Key KeyOf(const seal::SecretKey& key) { return Key(key.data(), seal::kKeyBytes); }

struct Sealing {
  Key key;
  std::array<std::uint8_t, seal::kNonceBytes> nonce{};  // zero: the key is used once
  std::string_view bound;                               // authenticated, not encrypted
};

// Appends ciphertext and tag.
//   kUnavailable  the crypto library refused
Status SealBytes(const Sealing& how, ByteSpan plain, std::string& out);
// `plain` has room for exactly what is sealed; it is wiped when this fails.
//   kCorrupt  altered, or another key
Status OpenBytes(const Sealing& how, ByteSpan sealed, std::span<std::uint8_t> plain);

}  // namespace telltale::vault
