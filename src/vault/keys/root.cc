#include "vault/keys/root.h"

#include <algorithm>
#include <set>

namespace telltale::vault {
namespace {

constexpr std::string_view kMagic = "TVKT";
constexpr std::string_view kContext = "telltale vault root v2";
constexpr std::size_t kBodyHeadBytes = 8;

}  // namespace

std::string RootHead::Encode() const {
  std::string out(kMagic);
  PutLe(out, kKeysVersion);
  PutLe(out, kKeysVersion);
  PutLe(out, static_cast<std::uint8_t>(provider.size()));
  PutLe(out, static_cast<std::uint8_t>(root_key_id.size()));
  PutLe(out, generation);
  PutLe(out, static_cast<std::uint32_t>(body_bytes));
  PutLe(out, static_cast<std::uint16_t>(wrapped.size()));
  PutLe<std::uint16_t>(out, 0);
  return out + provider + root_key_id + wrapped;
}

Result<RootHead> RootHead::Parse(ByteSpan file) {
  ByteReader reader(file);
  const std::string_view magic = AsText(reader.Take(kMagic.size()));
  const auto version = reader.Get<std::uint8_t>();
  const auto min_reader = reader.Get<std::uint8_t>();
  if (!reader.ok() || magic != kMagic) return Error{Code::kCorrupt, "not a root of keys"};
  RETURN_IF_ERROR(CheckKeysReadable("the root of keys", version, min_reader));
  RootHead head;
  const auto provider_bytes = reader.Get<std::uint8_t>();
  const auto id_bytes = reader.Get<std::uint8_t>();
  head.generation = reader.Get<std::uint64_t>();
  head.body_bytes = reader.Get<std::uint32_t>();
  const auto wrapped_bytes = reader.Get<std::uint16_t>();
  reader.Get<std::uint16_t>();
  head.provider = AsText(reader.Take(provider_bytes));
  head.root_key_id = AsText(reader.Take(id_bytes));
  head.wrapped = AsText(reader.Take(wrapped_bytes));
  if (!reader.ok() || id_bytes > kRootKeyIdBytesMax || head.body_bytes < kBodyHeadBytes ||
      reader.remaining() != head.body_bytes + seal::kTagBytes) {
    return Error{Code::kCorrupt, "a root of keys that is cut, or has a damaged head"};
  }
  head.body_at = file.size() - reader.remaining();
  return head;
}

std::string RootHead::Context() const {
  std::string out(kContext);
  PutLe(out, generation);
  return out;
}

RootBody RootBody::Make(Ordinal next, const std::vector<RootRecord>& records) {
  RootBody body(kBodyHeadBytes + records.size() * kRootRecordBytes);
  std::uint8_t* to = body.block_.data();
  const auto put = [&to](const void* from, std::size_t size) {
    std::memcpy(to, from, size);
    to += size;
  };
  const auto count = static_cast<std::uint32_t>(records.size());
  put(&next.value, sizeof next.value);
  put(&count, sizeof count);
  for (const RootRecord& record : records) {
    put(&record.id.kind, 1);
    put(&record.id.number, 8);
    put(&record.generation, 8);
    put(record.key, seal::kKeyBytes);
  }
  return body;
}

Status RootBody::Check() const {
  if (bytes_ != kBodyHeadBytes + records() * kRootRecordBytes) {
    return Error{Code::kCorrupt, "a root of keys with another number of pages than it says"};
  }
  std::set<PageId> seen;
  for (std::size_t i = 0; i < records(); ++i) {
    const PageId id = record(i).id;
    if (!id.known()) {
      return Error{Code::kUnsupported,
                   "the root of keys has pages that this telltale does not "
                   "know: use a newer telltale"};
    }
    if (!seen.insert(id).second) return Error{Code::kCorrupt, "a root with one page twice"};
  }
  return Ok();
}

Ordinal RootBody::next_ordinal() const { return Ordinal{GetLe<std::uint32_t>(block_.data())}; }

std::size_t RootBody::records() const { return GetLe<std::uint32_t>(block_.data() + 4); }

RootRecord RootBody::record(std::size_t at) const {
  const std::uint8_t* from = block_.data() + kBodyHeadBytes + at * kRootRecordBytes;
  return {.id = {from[0], GetLe<std::int64_t>(from + 1)},
          .generation = GetLe<std::uint64_t>(from + 9),
          .key = from + 17};
}

Result<std::string> SealRoot(RootHead head, const RootBody& body, Key file_key) {
  head.body_bytes = body.bytes().size();
  std::string out = head.Encode();
  const std::string bound = out;
  RETURN_IF_ERROR(SealBytes({.key = file_key, .nonce = {}, .bound = bound}, body.bytes(), out));
  return out;
}

Result<RootBody> OpenRoot(ByteSpan file, const RootHead& head, Key file_key) {
  RootBody body(head.body_bytes);
  const std::string_view bound = AsText(file.first(head.body_at));
  RETURN_IF_ERROR(OpenBytes({.key = file_key, .nonce = {}, .bound = bound},
                            file.subspan(head.body_at), body.bytes()));
  RETURN_IF_ERROR(body.Check());
  return body;
}

}  // namespace telltale::vault
