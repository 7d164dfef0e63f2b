// A release as it travels: manifest, declared changes and signature. Its components travel beside
// it by their digests. docs/formats/release-manifest.md. Any thread.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/config.h"
#include "base/disk.h"
#include "base/result.h"
#include "control/release.h"
#include "control/release_declared.h"
#include "seal/seal.h"

namespace telltale::control {

// The bytes of the three files; all are kept and passed on as they are.
struct ReleaseBundle {
  std::string manifest;   // CanonicalManifest
  std::string declared;   // DeclarationJson
  std::string signature;  // SignatureJson; "" = not signed

  std::string id() const { return ReleaseId(manifest); }
};

// 64 lower-case hex digits.
bool IsSha256Hex(std::string_view text);

struct ReleaseSignature {
  std::string built_at;   // RFC 3339 UTC, whole seconds
  std::string key_id;     // 16 hex digits: first 8 bytes of SHA-256 of the public key
  std::string signature;  // 64 raw bytes
};
std::string BuiltAtText(Micros at);  // "2026-11-30T17:05:00Z"

// What the signature covers: id, declared changes and time.
std::string SignedText(const ReleaseBundle& bundle, std::string_view built_at);
// Sets `bundle.signature`. Errors of SignEd25519.
Status SignBundle(ReleaseBundle& bundle, const seal::KeyPair& key, Micros built_at);
//   kCorrupt  not such bytes; kUnsupported a newer format
Result<ReleaseSignature> ParseSignature(std::string_view json);

// Whose releases an installation takes: data/control/release-keys/<name>.pub.
struct TrustedKey {
  std::string name;
  std::string key_id;      // hex
  std::string public_raw;  // 32 bytes
};
std::string ReleaseKeysFolder(const Paths& paths);
// Sorted by name; none when there is no such folder. Errors of LoadKey.
Result<std::vector<TrustedKey>> ReadTrustedKeys(Disk& disk, const Paths& paths);
//   kInvalid  the name is not [a-z0-9][a-z0-9-]{0,62}; errors of LoadKey, StoreKey
Status TrustKey(Disk& disk, const Paths& paths, const std::string& name,
                const std::string& public_file);
// keys/release.key and .pub, made by `telltale init` and trusted under the name `local`.
Status MakeReleaseKey(Disk& disk, const Paths& paths, bool is_demo);

// Who signed it.
//   kRefused  not signed, signed by a key that is not trusted, or a byte was changed
//   kCorrupt, kUnsupported  of ParseSignature
Result<TrustedKey> VerifyBundle(const ReleaseBundle& bundle,
                                const std::vector<TrustedKey>& trusted);

}  // namespace telltale::control
