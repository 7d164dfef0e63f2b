#include "vault/ledger/ordinal_set.h"

#include <roaring/roaring.h>

#include <algorithm>

namespace telltale::vault {
namespace {

constexpr std::uint32_t kCookie = 12347;  // some containers are runs
constexpr std::uint32_t kCookieNoRuns = 12346;
constexpr std::uint32_t kArrayMost = 4096;  // values; more are a bitset of 8 KiB
constexpr std::uint32_t kOffsetsFrom = 4;   // containers; with runs, fewer have no offsets
constexpr std::uint32_t kContainersMost = 65536;
constexpr std::size_t kBitsetBytes = 8192;

// Values of a sorted array; false when one is not above the one before.
bool ReadArray(ByteReader& reader, std::uint32_t count) {
  const ByteSpan bytes = reader.Take(std::size_t{count} * 2);
  if (!reader.ok()) return false;
  std::int32_t before = -1;
  for (std::size_t at = 0; at < bytes.size(); at += 2) {
    const std::int32_t value = GetLe<std::uint16_t>(bytes.data() + at);
    if (value <= before) return false;
    before = value;
  }
  return true;
}

// Sixteen words at a time in eight counts of a byte: without an instruction for it, std::popcount
// of each word takes most of the time that reading a set takes.
std::uint32_t BitsIn(ByteSpan bytes) {
  constexpr std::size_t kBlockBytes = 16 * 8;
  static_assert(kBitsetBytes % kBlockBytes == 0);
  std::uint32_t bits = 0;
  for (std::size_t block = 0; block < bytes.size(); block += kBlockBytes) {
    std::uint64_t sums = 0;  // each byte at most 16 * 8
    for (std::size_t at = block; at < block + kBlockBytes; at += 8) {
      auto word = GetLe<std::uint64_t>(bytes.data() + at);
      word -= (word >> 1) & 0x5555555555555555;
      word = (word & 0x3333333333333333) + ((word >> 2) & 0x3333333333333333);
      sums += (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0f;
    }
    const std::uint64_t pairs = (sums & 0x00ff00ff00ff00ff) + ((sums >> 8) & 0x00ff00ff00ff00ff);
    bits += static_cast<std::uint32_t>((pairs * 0x0001000100010001) >> 48);
  }
  return bits;
}

bool ReadBitset(ByteReader& reader, std::uint32_t count) {
  const ByteSpan bytes = reader.Take(kBitsetBytes);
  return reader.ok() && BitsIn(bytes) == count;
}

bool ReadRuns(ByteReader& reader, std::uint32_t count) {
  const auto runs = reader.Get<std::uint16_t>();
  std::int64_t before = -1;
  std::uint32_t total = 0;
  for (std::uint32_t i = 0; i < runs && reader.ok(); ++i) {
    const std::int64_t start = reader.Get<std::uint16_t>();
    const std::int64_t last = start + reader.Get<std::uint16_t>();
    if (start <= before || last > 0xffff) return false;
    before = last;
    total += static_cast<std::uint32_t>(last - start + 1);
  }
  return reader.ok() && total == count;
}

bool IsBitmap(ByteSpan bytes) {
  ByteReader reader(bytes);
  const auto cookie = reader.Get<std::uint32_t>();
  const bool with_runs = (cookie & 0xffff) == kCookie;
  if (!with_runs && cookie != kCookieNoRuns) return false;
  const std::uint32_t containers = with_runs ? (cookie >> 16) + 1 : reader.Get<std::uint32_t>();
  if (containers > kContainersMost) return false;
  const ByteSpan run_flags =
      with_runs ? reader.Take((std::size_t{containers} + 7) / 8) : ByteSpan{};
  const ByteSpan heads = reader.Take(std::size_t{containers} * 4);
  const ByteSpan offsets = !with_runs || containers >= kOffsetsFrom
                               ? reader.Take(std::size_t{containers} * 4)
                               : ByteSpan{};
  if (!reader.ok()) return false;
  std::int32_t before = -1;
  for (std::uint32_t i = 0; i < containers; ++i) {
    const std::int32_t key = GetLe<std::uint16_t>(heads.data() + i * 4);
    const std::uint32_t count = GetLe<std::uint16_t>(heads.data() + i * 4 + 2) + 1u;
    if (key <= before) return false;
    before = key;
    const std::size_t at = bytes.size() - reader.remaining();
    if (!offsets.empty() && GetLe<std::uint32_t>(offsets.data() + i * 4) != at) return false;
    const bool is_run = with_runs && ((run_flags[i / 8] >> (i % 8)) & 1) != 0;
    if (is_run ? !ReadRuns(reader, count)
               : !(count <= kArrayMost ? ReadArray(reader, count) : ReadBitset(reader, count))) {
      return false;
    }
  }
  return reader.ok() && reader.remaining() == 0;
}

}  // namespace

void OrdinalSet::Free::operator()(roaring_bitmap_s* bitmap) const { roaring_bitmap_free(bitmap); }

OrdinalSet::OrdinalSet() : bitmap_(roaring_bitmap_create()) { CHECK(bitmap_ != nullptr); }
OrdinalSet::~OrdinalSet() = default;
OrdinalSet::OrdinalSet(const OrdinalSet& other) : bitmap_(nullptr) { *this = other; }
OrdinalSet& OrdinalSet::operator=(const OrdinalSet& other) {
  if (this == &other) return *this;
  bitmap_.reset(roaring_bitmap_copy(other.bitmap_.get()));
  CHECK(bitmap_ != nullptr);
  return *this;
}
OrdinalSet::OrdinalSet(OrdinalSet&& other) noexcept = default;
OrdinalSet& OrdinalSet::operator=(OrdinalSet&& other) noexcept = default;

bool OrdinalSet::Add(Ordinal ordinal) {
  return roaring_bitmap_add_checked(bitmap_.get(), ordinal.value);
}
void OrdinalSet::Add(std::span<const std::uint32_t> ordinals) {
  roaring_bitmap_add_many(bitmap_.get(), ordinals.size(), ordinals.data());
}
bool OrdinalSet::Contains(Ordinal ordinal) const {
  return roaring_bitmap_contains(bitmap_.get(), ordinal.value);
}
void OrdinalSet::Merge(const OrdinalSet& other) {
  roaring_bitmap_or_inplace(bitmap_.get(), other.bitmap_.get());
}
void OrdinalSet::Remove(const OrdinalSet& other) {
  roaring_bitmap_andnot_inplace(bitmap_.get(), other.bitmap_.get());
}
void OrdinalSet::Keep(const OrdinalSet& other) {
  roaring_bitmap_and_inplace(bitmap_.get(), other.bitmap_.get());
}
std::uint64_t OrdinalSet::size() const { return roaring_bitmap_get_cardinality(bitmap_.get()); }

std::vector<std::uint32_t> OrdinalSet::First(std::uint64_t most) const {
  std::vector<std::uint32_t> ordinals(std::min(most, size()));
  if (!ordinals.empty()) {
    CHECK(roaring_bitmap_range_uint32_array(bitmap_.get(), 0, ordinals.size(), ordinals.data()));
  }
  return ordinals;
}

bool operator==(const OrdinalSet& a, const OrdinalSet& b) {
  return roaring_bitmap_equals(a.bitmap_.get(), b.bitmap_.get());
}

std::string OrdinalSet::Encode() const {
  OrdinalSet small(*this);
  roaring_bitmap_run_optimize(small.bitmap_.get());
  std::string bytes(roaring_bitmap_portable_size_in_bytes(small.bitmap_.get()), '\0');
  CHECK(roaring_bitmap_portable_serialize(small.bitmap_.get(), bytes.data()) == bytes.size());
  return bytes;
}

Result<OrdinalSet> OrdinalSet::Parse(ByteSpan bytes) {
  const Error corrupt{Code::kCorrupt, "not a set of vehicles"};
  if (!IsBitmap(bytes)) return corrupt;
  OrdinalSet set(roaring_bitmap_portable_deserialize_safe(
      reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  if (set.bitmap_ == nullptr) return corrupt;
  return set;
}

}  // namespace telltale::vault
