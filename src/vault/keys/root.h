// The root of the key tree: the keys of all pages, under a key that the provider wrapped. Bytes:
// docs/formats/vault-keys.md.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "vault/keys/page.h"

namespace telltale::vault {

inline constexpr std::size_t kRootRecordBytes = 1 + 8 + 8 + seal::kKeyBytes;
inline constexpr std::uint64_t kRootFileBytesMax = 128u << 20;  // of all ordinals there are
inline constexpr std::size_t kRootKeyIdBytesMax = 64;

// In clear at the start of the file.
struct RootHead {
  std::uint64_t generation = 0;  // rises with each writing
  std::string provider;          // KeyProvider::name()
  std::string root_key_id;
  std::string wrapped;      // the key of this file, by KeyProvider::Wrap()
  std::size_t body_at = 0;  // of a parsed one
  std::size_t body_bytes = 0;

  std::string Encode() const;  // takes body_bytes as it is
  //   kCorrupt, kUnsupported  newer
  static Result<RootHead> Parse(ByteSpan file);
  // What the provider's AEAD binds.
  std::string Context() const;
};

struct RootRecord {
  PageId id;
  std::uint64_t generation = 0;
  const std::uint8_t* key = nullptr;  // of the page
};

// Plain: page keys in memory that is not swapped.
class RootBody {
 public:
  explicit RootBody(std::size_t bytes) : block_(std::max<std::size_t>(bytes, 1)), bytes_(bytes) {}
  static RootBody Make(Ordinal next, const std::vector<RootRecord>& records);

  //   kCorrupt  counts, or one page twice; kUnsupported  pages of a kind this build does not know
  Status Check() const;
  Ordinal next_ordinal() const;
  std::size_t records() const;
  RootRecord record(std::size_t at) const;  // only after Check()
  std::span<std::uint8_t> bytes() { return {block_.data(), bytes_}; }
  ByteSpan bytes() const { return {block_.data(), bytes_}; }

 private:
  LockedBlock block_;
  std::size_t bytes_;
};

Result<std::string> SealRoot(RootHead head, const RootBody& body, Key file_key);
//   kCorrupt, kUnsupported
Result<RootBody> OpenRoot(ByteSpan file, const RootHead& head, Key file_key);

}  // namespace telltale::vault
