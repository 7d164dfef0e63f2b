#include "seal/transport_keys.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/checksum.h"
#include "base/format_version.h"

namespace telltale::seal {
namespace {

constexpr std::string_view kBundleMagic = "TTKB";
constexpr std::string_view kPrivateMagic = "TTPK";
constexpr std::string_view kSignedText = "telltale transport bundle v1";
constexpr std::size_t kHeadBytes = 32;
constexpr std::uint16_t kEntryBytes = 56;
constexpr std::size_t kSignatureBytes = 64;
constexpr std::uint16_t kFlagDemo = 0x01;
constexpr std::uint32_t kPrivateMode = 0600;

template <std::size_t N>
void Take(ByteReader& in, std::array<std::uint8_t, N>& out) {
  const ByteSpan bytes = in.Take(N);
  std::copy(bytes.begin(), bytes.end(), out.begin());
}

VaultKeyId IdOf(std::string_view public_raw) {
  VaultKeyId id{};
  const std::string raw = KeyId(public_raw);
  std::copy(raw.begin(), raw.end(), id.begin());
  return id;
}

Error Broken(const char* why) {
  return Error{Code::kCorrupt, fmt::format("not a whole bundle of transport keys: {}", why)};
}

std::string MessageOf(ByteSpan bundle) {
  return std::string(kSignedText).append(AsText(bundle.first(bundle.size() - kSignatureBytes)));
}

Status ReadEntry(ByteSpan entry, TransportKey& key) {
  ByteReader in(entry);
  Take(in, key.id);
  Take(in, key.public_raw);
  key.not_before = Micros{in.Get<std::int64_t>()};
  key.not_after = Micros{in.Get<std::int64_t>()};
  if (key.id != IdOf(AsText(key.public_raw))) return Broken("an id is not that of its key");
  if (key.not_after <= key.not_before) return Broken("a key that ends before it begins");
  return Ok();
}

}  // namespace

const TransportKey* TransportBundle::NewestAt(Micros now) const {
  const TransportKey* newest = nullptr;
  for (const TransportKey& key : keys) {
    if (!key.IsValidAt(now)) continue;
    if (newest == nullptr || newest->not_before <= key.not_before) newest = &key;
  }
  return newest;
}

Micros TransportBundle::CoveredUntil(Micros now) const {
  Micros until = now;
  while (true) {
    const TransportKey* next = nullptr;
    for (const TransportKey& key : keys) {
      if (key.not_before <= until && key.not_after > until) next = &key;
    }
    if (next == nullptr) return until;
    until = next->not_after;
  }
}

std::string EncodeUnsigned(const TransportBundle& bundle) {
  CHECK(bundle.keys.size() <= kTransportKeysMax);
  const FormatVersion& version = VersionOf(Format::kTransportBundle);
  std::string out(kBundleMagic);
  PutLe(out, static_cast<std::uint8_t>(version.written));
  PutLe(out, static_cast<std::uint8_t>(version.min_reader));
  PutLe<std::uint16_t>(out, 0);
  PutLe(out, bundle.number);
  PutLe(out, bundle.created_at.value);
  PutLe(out, kEntryBytes);
  PutLe(out, static_cast<std::uint16_t>(bundle.keys.size()));
  PutLe<std::uint32_t>(out, 0);
  for (const TransportKey& key : bundle.keys) {
    out.append(AsText(key.id)).append(AsText(key.public_raw));
    PutLe(out, key.not_before.value);
    PutLe(out, key.not_after.value);
  }
  out.append(kSignatureBytes, '\0');
  return out;
}

Result<TransportBundle> ParseBundle(ByteSpan bytes) {
  ByteReader in(bytes);
  const bool is_ours = AsText(in.Take(kBundleMagic.size())) == kBundleMagic;
  const auto version = in.Get<std::uint8_t>();
  const auto min_reader = in.Get<std::uint8_t>();
  const auto flags = in.Get<std::uint16_t>();
  TransportBundle bundle;
  bundle.number = in.Get<std::uint64_t>();
  bundle.created_at = Micros{in.Get<std::int64_t>()};
  const auto entry_bytes = in.Get<std::uint16_t>();
  const auto count = in.Get<std::uint16_t>();
  in.Get<std::uint32_t>();
  if (!is_ours || version == 0) return Broken("it begins with other bytes");
  RETURN_IF_ERROR(
      CheckReadable(Format::kTransportBundle, "a bundle of transport keys", version, min_reader));
  if (!in.ok() || flags != 0 || entry_bytes < kEntryBytes) return Broken("its head");
  if (count > kTransportKeysMax || bundle.number == 0) return Broken("its numbers");
  if (bytes.size() != kHeadBytes + std::size_t{count} * entry_bytes + kSignatureBytes) {
    return Broken("its length");
  }
  bundle.keys.resize(count);
  for (TransportKey& key : bundle.keys) RETURN_IF_ERROR(ReadEntry(in.Take(entry_bytes), key));
  return bundle;
}

Result<std::string> SignBundle(std::string_view bundle, std::string_view offline_private) {
  ASSIGN_OR_RETURN(const TransportBundle parsed, ParseBundle(AsBytes(bundle)));
  ASSIGN_OR_RETURN(const std::string signature,
                   SignEd25519(offline_private, MessageOf(AsBytes(bundle))));
  std::string out(bundle);
  out.replace(out.size() - kSignatureBytes, kSignatureBytes, signature);
  return out;
}

Result<TransportBundle> OpenBundle(ByteSpan bytes, std::string_view offline_public) {
  ASSIGN_OR_RETURN(TransportBundle bundle, ParseBundle(bytes));
  if (!VerifyEd25519(offline_public, MessageOf(bytes), AsText(bytes.last(kSignatureBytes)))) {
    return Error{Code::kRefused,
                 "the bundle of transport keys is not signed by the vault's offline key"};
  }
  return bundle;
}

Result<TransportKey> MakeTransportKey(Disk& disk, const std::string& folder, Micros not_before,
                                      Micros not_after, bool is_demo) {
  if (not_after <= not_before) {
    return Error{Code::kInvalid, "a transport key must be valid for some time"};
  }
  ASSIGN_OR_RETURN(KeyPair pair, MakeX25519());
  TransportKey key;
  key.id = IdOf(pair.public_raw);
  std::copy(pair.public_raw.begin(), pair.public_raw.end(), key.public_raw.begin());
  key.not_before = not_before;
  key.not_after = not_after;
  const FormatVersion& version = VersionOf(Format::kTransportKey);
  std::string file(kPrivateMagic);
  file.reserve(kTransportPrivateBytes);  // no half-written copy is left on the heap
  PutLe(file, static_cast<std::uint8_t>(version.written));
  PutLe(file, static_cast<std::uint8_t>(version.min_reader));
  PutLe<std::uint16_t>(file, is_demo ? kFlagDemo : 0);
  file.append(AsText(key.id));
  PutLe(file, not_before.value);
  PutLe(file, not_after.value);
  file.append(pair.private_raw);
  Wipe(pair.private_raw);
  PutLe<std::uint64_t>(file, 0);
  PutLe(file, Crc32c(AsBytes(file)));
  Status stored =
      WriteFileDurably(disk, folder + "/" + HexEncode(key.id) + ".key", file, kPrivateMode);
  Wipe(file);
  RETURN_IF_ERROR(stored);
  return key;
}

Result<TransportPrivateHead> ParsePrivateHead(ByteSpan file) {
  ByteReader in(file);
  const bool is_ours = AsText(in.Take(kPrivateMagic.size())) == kPrivateMagic;
  const auto version = in.Get<std::uint8_t>();
  const auto min_reader = in.Get<std::uint8_t>();
  const auto flags = in.Get<std::uint16_t>();
  TransportPrivateHead head;
  Take(in, head.id);
  head.not_before = Micros{in.Get<std::int64_t>()};
  head.not_after = Micros{in.Get<std::int64_t>()};
  if (!in.ok() || !is_ours || version == 0) {
    return Error{Code::kCorrupt, "not the private half of a transport key"};
  }
  RETURN_IF_ERROR(
      CheckReadable(Format::kTransportKey, "a private transport key", version, min_reader));
  const std::size_t body = kTransportPrivateBytes - sizeof(std::uint32_t);
  if (file.size() != kTransportPrivateBytes || (flags & ~kFlagDemo) != 0 ||
      GetLe<std::uint32_t>(file.data() + body) != Crc32c(file.first(body))) {
    return Error{Code::kCorrupt, "a private transport key is cut or fails its check"};
  }
  head.is_demo = (flags & kFlagDemo) != 0;
  return head;
}

Status ParsePrivate(ByteSpan file, TransportPrivateKey& key) {
  ASSIGN_OR_RETURN(const TransportPrivateHead head, ParsePrivateHead(file));
  key.id = head.id;
  key.not_before = head.not_before;
  key.not_after = head.not_after;
  key.is_demo = head.is_demo;
  const ByteSpan secret = file.subspan(32, kKeyBytes);
  std::copy(secret.begin(), secret.end(), key.private_raw.data());
  return Ok();
}

}  // namespace telltale::seal
