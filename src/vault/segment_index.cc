#include "vault/segment_index.h"

#include <algorithm>
#include <tuple>

#include "base/checksum.h"

namespace telltale::vault {
namespace {

constexpr std::string_view kIndexMagic = "TVSX";
constexpr std::size_t kBlockHeadBytes = 16;
constexpr std::size_t kEntryBytes = 40;
constexpr std::size_t kEntriesPerBlock = (kIndexBlockBytes - kBlockHeadBytes) / kEntryBytes;

void PutEntry(std::string& out, const FrameSpan& span) {
  out += AsText(span.vehicle.bytes);
  PutLe(out, span.at);
  PutLe(out, span.bytes);
  PutLe(out, span.first_event_hour);
  PutLe(out, span.last_event_hour);
  PutLe<std::uint32_t>(out, 0);
}

std::string EncodeBlock(std::span<const FrameSpan> spans) {
  std::string body;
  PutLe(body, static_cast<std::uint32_t>(spans.size()));
  PutLe<std::uint32_t>(body, 0);
  for (const FrameSpan& span : spans) PutEntry(body, span);
  body.resize(kIndexBlockBytes - 8);
  std::string block(kIndexMagic);
  PutLe(block, Crc32c(AsBytes(body)));
  return block + body;
}

Result<std::vector<FrameSpan>> ParseBlock(ByteSpan bytes) {
  const Error damaged{Code::kCorrupt, "a block of a vault segment's index is damaged"};
  if (bytes.size() != kIndexBlockBytes || !AsText(bytes).starts_with(kIndexMagic) ||
      GetLe<std::uint32_t>(bytes.data() + 4) != Crc32c(bytes.subspan(8))) {
    return damaged;
  }
  ByteReader reader(bytes.subspan(8));
  const auto count = reader.Get<std::uint32_t>();
  reader.Take(4);
  if (count == 0 || count > kEntriesPerBlock) return damaged;
  std::vector<FrameSpan> spans(count);
  for (FrameSpan& span : spans) {
    const ByteSpan vehicle = reader.Take(span.vehicle.bytes.size());
    std::copy(vehicle.begin(), vehicle.end(), span.vehicle.bytes.begin());
    span.at = reader.Get<std::uint64_t>();
    span.bytes = reader.Get<std::uint32_t>();
    span.first_event_hour = reader.Get<std::uint32_t>();
    span.last_event_hour = reader.Get<std::uint32_t>();
    reader.Take(4);
  }
  return spans;
}

class Blocks {
 public:
  Blocks(const File& file, std::uint64_t at, std::uint64_t bytes)
      : file_(file), at_(at), count_(bytes / kIndexBlockBytes) {}
  std::uint64_t count() const { return count_; }
  Result<std::vector<FrameSpan>> Read(std::uint64_t number) const {
    std::vector<std::uint8_t> bytes(kIndexBlockBytes);
    ASSIGN_OR_RETURN(const std::size_t got, file_.ReadAt(at_ + number * kIndexBlockBytes, bytes));
    return ParseBlock(ByteSpan(bytes).first(got));
  }

 private:
  const File& file_;
  const std::uint64_t at_;
  const std::uint64_t count_;
};

}  // namespace

std::string EncodeIndex(std::vector<FrameSpan> spans) {
  std::sort(spans.begin(), spans.end(), [](const FrameSpan& a, const FrameSpan& b) {
    return std::tie(a.vehicle, a.at) < std::tie(b.vehicle, b.at);
  });
  std::string out;
  for (std::size_t start = 0; start < spans.size(); start += kEntriesPerBlock) {
    const std::size_t count = std::min(kEntriesPerBlock, spans.size() - start);
    out += EncodeBlock(std::span(spans).subspan(start, count));
  }
  return out;
}

Result<std::vector<FrameSpan>> FindInIndex(const File& file, std::uint64_t index_at,
                                           std::uint64_t index_bytes, const VehicleRef& vehicle) {
  const Blocks blocks(file, index_at, index_bytes);
  // The first block that ends at this vehicle or behind it.
  std::uint64_t low = 0;
  std::uint64_t high = blocks.count();
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    ASSIGN_OR_RETURN(const std::vector<FrameSpan> spans, blocks.Read(middle));
    if (spans.back().vehicle < vehicle) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  std::vector<FrameSpan> found;
  for (std::uint64_t number = low; number < blocks.count(); ++number) {
    ASSIGN_OR_RETURN(const std::vector<FrameSpan> spans, blocks.Read(number));
    for (const FrameSpan& span : spans) {
      if (span.vehicle == vehicle) found.push_back(span);
    }
    if (spans.back().vehicle > vehicle) break;
  }
  return found;
}

Result<std::vector<FrameSpan>> ReadIndex(const File& file, std::uint64_t index_at,
                                         std::uint64_t index_bytes) {
  const Blocks blocks(file, index_at, index_bytes);
  std::vector<FrameSpan> all;
  for (std::uint64_t number = 0; number < blocks.count(); ++number) {
    ASSIGN_OR_RETURN(const std::vector<FrameSpan> spans, blocks.Read(number));
    all.insert(all.end(), spans.begin(), spans.end());
  }
  return all;
}

}  // namespace telltale::vault
