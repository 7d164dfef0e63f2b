// The two steps between a key pair and an envelope's key. Both ends need them; neither opens.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "seal/seal.h"

namespace telltale::seal {

inline constexpr std::size_t kKeyBytes = 32;
inline constexpr std::size_t kTagBytes = 16;
inline constexpr std::size_t kNonceBytes = 12;
inline constexpr std::size_t kBindingBytes = 42;

// Wiped when it goes, in locked memory where LockKeysInMemory() was called; does not copy, so that
// no second copy is left behind.
class SecretKey {
 public:
  SecretKey();
  ~SecretKey();
  SecretKey(const SecretKey&) = delete;
  SecretKey& operator=(const SecretKey&) = delete;
  std::uint8_t* data() { return bytes_; }
  const std::uint8_t* data() const { return bytes_; }
  std::size_t size() const { return kKeyBytes; }
  std::string_view text() const { return {reinterpret_cast<const char*>(bytes_), kKeyBytes}; }

 private:
  std::uint8_t* const bytes_;
};

// Overwrites the bytes in a way the compiler keeps, then empties the string.
void Wipe(std::string& secret);

//   kInvalid  a key of the wrong size, or a public key of low order
Status AgreeX25519(std::string_view private_raw, std::string_view public_raw, SecretKey& shared);
//   kUnavailable  the crypto library refused
Status HkdfSha256(ByteSpan input, std::string_view salt, std::string_view info,
                  std::span<std::uint8_t> out);
// docs/formats/sealed-envelope.md, "Key".
Status DeriveEnvelopeKey(const SecretKey& shared, const EnvelopeHead& head,
                         std::string_view vault_public, SecretKey& key);

std::array<std::uint8_t, kNonceBytes> NonceOf(std::uint64_t counter);
// As Binding::Encode(), without allocating.
std::array<std::uint8_t, kBindingBytes> EncodeBinding(const Binding& binding);
// Bytes of the head as stored, including room this build does not know. Only after ParseHead().
std::size_t StoredHeadBytes(ByteSpan envelope);
void AppendHead(std::string& out, const EnvelopeHead& head);

}  // namespace telltale::seal
