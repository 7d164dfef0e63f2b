// seal/ - the sealed format, and sealing with the vault's public key. No opening here: only
// telltale-vault links the code that opens (vault/open.h), and a test proves it of the binaries.
//   in      what gateway/'s split set aside: exact place, identity, linking and unknown fields
//   out     envelopes for the stream `sealed`
//   owns    nothing on disk but reads <dir>/keys
//   thread  one Sealer per shard thread
// Bytes: docs/formats/sealed-envelope.md.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/disk.h"
#include "base/format_version.h"
#include "base/ids.h"
#include "base/random.h"

namespace telltale::seal {

inline constexpr std::uint8_t kEnvelopeVersion = VersionOf(Format::kEnvelope).written;
inline constexpr std::size_t kKeyIdBytes = 8;  // first 8 bytes of SHA-256 of the public key
inline constexpr std::size_t kGatewayIdBytes = 8;

// What the AEAD binds beside the envelope's own head: an envelope cannot be moved to another
// vehicle, boot, place or kind without failing to open.
struct Binding {
  enum class Kind : std::uint8_t {
    kData = 0,        // sealed fields
    kQuarantine = 1,  // what the door refused
    kUnknown = 2,     // fields that the contract has no place for
  };
  VehicleRef vehicle;
  BootId boot;
  std::uint64_t first_seq = 0;
  std::uint32_t contract_number = 0;
  Kind kind = Kind::kData;

  std::string Encode() const;  // the additional authenticated data
};

// In the header of a `sealed` data record: its envelope is of Kind::kUnknown.
inline constexpr std::uint8_t kFlagUnknownFields = 0x02;
// Of a data record, by its header's flags.
constexpr Binding::Kind KindOfData(std::uint8_t flags) {
  return (flags & kFlagUnknownFields) != 0 ? Binding::Kind::kUnknown : Binding::Kind::kData;
}

// Plaintext of one `sealed` data record: the entries of one vehicle batch, in seq order.
struct SealedEntry {
  std::uint64_t seq = 0;
  Micros event_time;
  std::string_view fields;  // wire bytes of the sealed fields, as the car sent them
};
void AppendEntry(std::string& plaintext, const SealedEntry& entry);
// Calls nothing on a cut input: kCorrupt.
Result<std::vector<SealedEntry>> ParseEntries(ByteSpan plaintext);

// Envelope head, parsed without opening; used by the vault and by tools that list.
struct EnvelopeHead {
  std::uint8_t version = 0;
  std::array<std::uint8_t, kKeyIdBytes> vault_key_id{};
  std::array<std::uint8_t, kGatewayIdBytes> gateway_id{};
  std::array<std::uint8_t, 32> ephemeral_public{};
  std::array<std::uint8_t, 64>
      signature{};            // Ed25519 by the gateway over the fields above + minute
  std::uint64_t minute = 0;   // minutes UTC since 1970 of the ephemeral key
  std::uint64_t counter = 0;  // the nonce
};
//   kCorrupt cut, kUnsupported newer version
Result<EnvelopeHead> ParseHead(ByteSpan envelope);
std::size_t HeadBytes();
// What the gateway's signature covers.
std::string SignedPart(const EnvelopeHead& head);
// HKDF-SHA256 info text and salt are fixed in docs/formats/sealed-envelope.md.
inline constexpr std::string_view kHkdfInfo = "telltale sealed envelope v1";

class SealKeys;  // seal/transport_keys.h

class Sealer {
 public:
  virtual ~Sealer() = default;
  // `vault_public` 32 bytes X25519 raw, `gateway_private` 32 bytes Ed25519 raw seed.
  //   kInvalid  a key of the wrong size or form
  // `clock` must outlive it. Ephemeral keys come from OpenSSL's own generator. Each Sealer makes a
  // fresh ephemeral key at its first use and whenever the minute changes, so no (key, nonce)
  // repeats.
  static Result<std::unique_ptr<Sealer>> Make(std::string_view vault_public,
                                              std::string_view gateway_private, Clock& clock);
  // For whichever key `vault_keys` names when an ephemeral key is made. It must outlive the Sealer;
  // that it has no key is no error here.
  static Result<std::unique_ptr<Sealer>> Make(const SealKeys& vault_keys,
                                              std::string_view gateway_private, Clock& clock);
  // Appends the envelope to `out`.
  //   kUnavailable  no transport key is valid (lacks_key()), or the crypto library refused; the
  //                 batch must then not be acknowledged
  virtual Status Seal(const Binding& binding, ByteSpan plaintext, std::string& out) = 0;
  // The last Seal() failed because none of the vault's keys is valid now.
  virtual bool lacks_key() const { return false; }
};

// Key files: 32 raw bytes as 64 hex digits and a newline, mode 0600 (private) or 0644 (public). A
// key that was made for a demonstration has " demo" behind its digits.
//   <keys>/vault_offline.pub         Ed25519, signs <keys>/transport.bundle (seal/transport_keys.h)
//   <keys>/vault_seal.pub            X25519, the vault's; before transport keys had dates
//   <keys>/gateway.key, gateway.pub  Ed25519
//   <keys>/control.key, control.pub  Ed25519, signs config records
//   <vault>/keys/seal.key            X25519, the private half of vault_seal.pub
//   <offline>/vault_offline.key      Ed25519; belongs on another machine
//   <vault>/gateways/<gateway id>.pub  gateway keys that `init` registered
Result<std::string> LoadKey(Disk& disk, const std::string& path);  // 32 raw bytes
// Whether the key in the file has the demonstration's mark. Errors of LoadKey.
Result<bool> IsDemoKey(Disk& disk, const std::string& path);
struct KeyFile {
  bool is_private = false;
  bool is_demo = false;
};
Status StoreKey(Disk& disk, const std::string& path, std::string_view raw, const KeyFile& kind);
inline Status StoreKey(Disk& disk, const std::string& path, std::string_view raw, bool is_private) {
  return StoreKey(disk, path, raw, KeyFile{.is_private = is_private});
}
struct KeyPair {
  std::string private_raw;  // 32 bytes
  std::string public_raw;   // 32 bytes
};
Result<KeyPair> MakeX25519();
Result<KeyPair> MakeEd25519();
Result<std::string> SignEd25519(std::string_view private_raw,
                                std::string_view message);  // 64 bytes
bool VerifyEd25519(std::string_view public_raw, std::string_view message,
                   std::string_view signature);
std::string KeyId(std::string_view public_raw);  // 8 raw bytes
std::string Sha256(std::string_view bytes);      // 32 raw bytes

}  // namespace telltale::seal
