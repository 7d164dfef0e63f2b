// Dated transport keys of the stream `sealed`: the bundle that tells gateways which of the vault's
// public keys to seal for, signed by the vault's offline key, and the file of a private half.
// Bytes: docs/formats/transport-keys.md. Any thread; nothing here opens.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/disk.h"
#include "base/ids.h"
#include "seal/derive.h"
#include "seal/seal.h"

namespace telltale::seal {

using VaultKeyId = std::array<std::uint8_t, kKeyIdBytes>;

// More would be a mistake: a key is made every few weeks and leaves the bundle at its end.
inline constexpr std::size_t kTransportKeysMax = 64;
inline constexpr std::uint64_t kTransportBundleBytesMax = 64u << 10;

struct TransportKey {
  VaultKeyId id{};
  std::array<std::uint8_t, kKeyBytes> public_raw{};  // X25519
  Micros not_before;                                 // UTC, inclusive
  Micros not_after;                                  // UTC, exclusive
  bool IsValidAt(Micros now) const { return not_before <= now && now < not_after; }
  friend bool operator==(const TransportKey&, const TransportKey&) = default;
};

struct TransportBundle {
  std::uint64_t number = 0;  // rises with each bundle of an installation; from 1
  Micros created_at;
  std::vector<TransportKey> keys;

  // The one to seal for: of those valid at `now`, the one whose validity began last; of equals, the
  // later in the list. nullptr: none, and nothing may be sealed.
  const TransportKey* NewestAt(Micros now) const;
  // When the last key that is valid at `now`, or comes into force before that one ends, ends;
  // `now` when none is valid.
  Micros CoveredUntil(Micros now) const;
  friend bool operator==(const TransportBundle&, const TransportBundle&) = default;
};

// The bundle with zeros in the place of its signature: what `sign` takes.
std::string EncodeUnsigned(const TransportBundle& bundle);
// Puts the signature of `offline_private` (32 bytes Ed25519) into a bundle, signed before or not.
//   errors of ParseBundle; kInvalid  not such a key
Result<std::string> SignBundle(std::string_view bundle, std::string_view offline_private);
// Without a look at its signature: for tools that show or sign.
//   kCorrupt      cut, a number of keys or a key that cannot be
//   kUnsupported  a newer format
Result<TransportBundle> ParseBundle(ByteSpan bytes);
//   kRefused  not signed by `offline_public`; and errors of ParseBundle
Result<TransportBundle> OpenBundle(ByteSpan bytes, std::string_view offline_public);

// The private half, in vault/keys/transport/<key id>.key. Wiped when it goes.
struct TransportPrivateKey {
  VaultKeyId id{};
  SecretKey private_raw;
  Micros not_before;
  Micros not_after;
  bool is_demo = false;  // made for a demonstration
};
struct TransportPrivateHead {  // the same without the secret
  VaultKeyId id{};
  Micros not_before;
  Micros not_after;
  bool is_demo = false;
};
inline constexpr std::size_t kTransportPrivateBytes = 76;
// Makes a pair valid from `key.not_before` to `key.not_after`, writes its private half durably to
// <folder>/<key id>.key (0600) and returns the public half.
//   kInvalid  a validity that ends before it begins; and errors of the disk
Result<TransportKey> MakeTransportKey(Disk& disk, const std::string& folder, Micros not_before,
                                      Micros not_after, bool is_demo);
//   kCorrupt  cut, altered, or its key cannot be
//   kUnsupported  a newer format
Result<TransportPrivateHead> ParsePrivateHead(ByteSpan file);
Status ParsePrivate(ByteSpan file, TransportPrivateKey& key);

// Which of the vault's public keys to seal for.
class SealKeys {
 public:
  virtual ~SealKeys() = default;
  // 32 bytes X25519; empty: none is valid, and nothing may be sealed. Any thread; asked for once a
  // minute by each Sealer, and for every batch while there is none.
  virtual std::string PublicAt(Micros now) const = 0;
};
// One key without an end, of an installation from before transport keys had dates.
class UndatedSealKey final : public SealKeys {
 public:
  explicit UndatedSealKey(std::string vault_public) : vault_public_(std::move(vault_public)) {}
  std::string PublicAt(Micros) const override { return vault_public_; }

 private:
  const std::string vault_public_;
};

}  // namespace telltale::seal
