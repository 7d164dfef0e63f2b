#include "vault/keys/page.h"

#include <fmt/format.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <charconv>

namespace telltale::vault {
namespace {

constexpr std::string_view kMagic = "TVKP";
constexpr std::string_view kPageInfo = "telltale vault page v2";
constexpr std::string_view kVehicles = "vehicles";
constexpr std::uint8_t kFlagRekey = 1;
constexpr std::size_t kSaltAt = 40;
constexpr std::size_t kSaltBytes = 32;
constexpr std::int64_t kHourPagesMax = std::int64_t{1} << 40;
constexpr std::int64_t kVehiclePagesMax = (std::int64_t{1} << 32) / kVehiclesPerPage;

std::int64_t FloorDiv(std::int64_t value, std::int64_t by) {
  return value >= 0 ? value / by : -((-(value + 1)) / by) - 1;
}

std::string HeadBytes(const PageHead& head, Random& random) {
  std::string out(kMagic);
  PutLe(out, kKeysVersion);
  PutLe(out, kKeysVersion);
  PutLe(out, head.id.kind);
  PutLe(out, head.rekey ? kFlagRekey : std::uint8_t{0});
  PutLe(out, head.id.number);
  PutLe(out, head.generation);
  PutLe(out, head.writes);
  PutLe(out, head.used);
  PutLe<std::uint32_t>(out, 0);
  std::uint8_t salt[kSaltBytes];
  random.Fill(salt);
  out.append(AsText(salt));
  return out;
}

// Random page keys are never used themselves: each file has a key of its own.
Status DeriveFileKey(Key page_key, std::string_view head, seal::SecretKey& key) {
  return seal::HkdfSha256(page_key, head.substr(kSaltAt, kSaltBytes), kPageInfo,
                          {key.data(), key.size()});
}

bool IsNumber(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  return problem == std::errc() && end == text.data() + text.size();
}

}  // namespace

PageId PageId::Of(const HourKeyId& id) {
  return {static_cast<std::uint8_t>(id.retention_class), FloorDiv(id.hour.value, kHoursPerPage)};
}

bool PageId::known() const {
  if (of_vehicles()) return number >= 0 && number < kVehiclePagesMax;
  return kind <= static_cast<std::uint8_t>(RetentionClass::kHold) && number > -kHourPagesMax &&
         number < kHourPagesMax;
}

std::string PageId::FileName(std::uint64_t generation) const {
  return fmt::format("{}-{}.{}", of_vehicles() ? kVehicles : NameOf(RetentionClass{kind}), number,
                     generation);
}

bool IsPageFileName(std::string_view name) {
  const std::size_t dash = name.find('-');
  const std::size_t dot = name.find('.');
  if (dash == name.npos || dot == name.npos || dash > dot) return false;
  const std::string_view kind = name.substr(0, dash);
  bool known = kind == kVehicles;
  for (std::uint8_t i = 0; i <= static_cast<std::uint8_t>(RetentionClass::kHold); ++i) {
    known = known || kind == NameOf(RetentionClass{i});
  }
  std::string_view generation = name.substr(dot + 1);
  if (generation.ends_with(".tmp")) generation.remove_suffix(4);
  return known && IsNumber(name.substr(dash + 1, dot - dash - 1)) && IsNumber(generation);
}

std::uint32_t SlotOf(const HourKeyId& id) {
  const std::int64_t first = FloorDiv(id.hour.value, kHoursPerPage) * kHoursPerPage;
  return static_cast<std::uint32_t>(id.hour.value - first);
}
std::uint32_t SlotOf(Ordinal ordinal) { return ordinal.value % kVehiclesPerPage; }

Page::Page(PageId page_id)
    : id(page_id),
      used(page_id.of_vehicles() ? 0 : kHoursPerPage),
      block_(kSlotsAt + page_id.slots() * kSlotBytes) {}

bool Page::Has(std::uint32_t at) const {
  return std::any_of(slot(at), slot(at) + kSlotBytes, [](std::uint8_t byte) { return byte != 0; });
}

void Page::WipeSlot(std::uint32_t at) { OPENSSL_cleanse(slot(at), kSlotBytes); }

Status CheckKeysReadable(std::string_view what, std::uint8_t version, std::uint8_t min_reader) {
  if (min_reader <= kKeysVersion) return Ok();
  return Error{Code::kUnsupported,
               fmt::format("{}: made by format version {}, needs a reader of version {}; this "
                           "telltale reads up to {}: use a newer telltale",
                           what, version, min_reader, kKeysVersion)};
}

Result<PageHead> PageHead::Parse(ByteSpan file) {
  ByteReader reader(file);
  const std::string_view magic = AsText(reader.Take(kMagic.size()));
  const auto version = reader.Get<std::uint8_t>();
  const auto min_reader = reader.Get<std::uint8_t>();
  if (!reader.ok() || magic != kMagic) return Error{Code::kCorrupt, "not a page of keys"};
  RETURN_IF_ERROR(CheckKeysReadable("a page of keys", version, min_reader));
  PageHead head;
  head.id.kind = reader.Get<std::uint8_t>();
  head.rekey = (reader.Get<std::uint8_t>() & kFlagRekey) != 0;
  head.id.number = reader.Get<std::int64_t>();
  head.generation = reader.Get<std::uint64_t>();
  head.writes = reader.Get<std::uint64_t>();
  head.used = reader.Get<std::uint32_t>();
  if (!reader.ok() || !head.id.known() || head.used > head.id.slots() ||
      file.size() != kPageHeadBytes + head.used * kSlotBytes + seal::kTagBytes) {
    return Error{Code::kCorrupt, "a page of keys with a damaged head or of another size"};
  }
  return head;
}

Result<std::string> SealPage(const Page& page, const PageHead& head, Key key, Random& random) {
  std::string out = HeadBytes(head, random);
  const std::string bound = out;
  seal::SecretKey file_key;
  RETURN_IF_ERROR(DeriveFileKey(key, bound, file_key));
  RETURN_IF_ERROR(SealBytes({.key = KeyOf(file_key), .nonce = {}, .bound = bound},
                            {page.slot(0), head.used * kSlotBytes}, out));
  return out;
}

Status OpenPage(ByteSpan file, Page& page) {
  ASSIGN_OR_RETURN(const PageHead head, PageHead::Parse(file));
  if (head.id != page.id || head.generation != page.generation) {
    return Error{Code::kCorrupt, "a file of keys under another page's name"};
  }
  const std::string_view bound = AsText(file.first(kPageHeadBytes));
  seal::SecretKey file_key;
  RETURN_IF_ERROR(DeriveFileKey(Key(page.key(), seal::kKeyBytes), bound, file_key));
  RETURN_IF_ERROR(OpenBytes({.key = KeyOf(file_key), .nonce = {}, .bound = bound},
                            file.subspan(kPageHeadBytes), {page.slot(0), head.used * kSlotBytes}));
  page.writes = head.writes;
  page.used = head.used;
  page.durable_used = head.used;
  page.rekey = head.rekey;
  page.alive = 0;
  for (std::uint32_t at = 0; at < page.used; ++at) page.alive += page.Has(at) ? 1 : 0;
  return Ok();
}

}  // namespace telltale::vault
