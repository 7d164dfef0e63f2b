#include "lake/parquet_footer.h"

#include <array>
#include <string>

namespace telltale::lake {
namespace {

constexpr std::string_view kMagic = "PAR1";
constexpr std::size_t kTailBytes = 8;  // footer's length u32, magic
constexpr std::uint64_t kFooterBytesMax = 64u << 20;
constexpr int kDepthMax = 16;
constexpr std::int16_t kRowsField = 3;  // FileMetaData.num_rows

// The types of Thrift's compact protocol.
enum : std::uint8_t {
  kStop = 0,
  kTrue = 1,
  kFalse = 2,
  kByte = 3,
  kInt16 = 4,
  kInt32 = 5,
  kInt64 = 6,
  kDouble = 7,
  kBinary = 8,
  kList = 9,
  kSet = 10,
  kMap = 11,
  kStruct = 12,
};

Error Broken() { return Error{Code::kCorrupt, "its Parquet footer is broken"}; }

class CompactReader {
 public:
  explicit CompactReader(ByteSpan bytes) : in_(bytes) {}

  // The next field of a struct; type kStop at its end. `id` goes in as the field before.
  bool NextField(std::int16_t& id, std::uint8_t& type) {
    const auto head = in_.Get<std::uint8_t>();
    type = head & 0x0f;
    if (type == kStop) return in_.ok();
    const int step = head >> 4;
    const std::int64_t next = step != 0 ? id + step : Signed();
    id = static_cast<std::int16_t>(next);
    return in_.ok();
  }

  bool ok() const { return in_.ok(); }

  std::int64_t Signed() {
    const std::uint64_t raw = Unsigned();
    return static_cast<std::int64_t>(raw >> 1) ^ -static_cast<std::int64_t>(raw & 1);
  }

  bool Skip(std::uint8_t type, int depth) {
    if (depth > kDepthMax) return false;
    switch (type) {
      case kTrue:
      case kFalse:
        return true;  // the value is in the field's head
      case kByte:
        in_.Take(1);
        return in_.ok();
      case kInt16:
      case kInt32:
      case kInt64:
        Unsigned();
        return in_.ok();
      case kDouble:
        in_.Take(8);
        return in_.ok();
      case kBinary:
        return SkipBytes(Unsigned());
      case kList:
      case kSet:
        return SkipList(depth);
      case kMap:
        return SkipMap(depth);
      case kStruct:
        return SkipStruct(depth);
      default:
        return false;
    }
  }

 private:
  std::uint64_t Unsigned() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = in_.Get<std::uint8_t>();
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0 || !in_.ok()) break;
    }
    return value;
  }

  bool SkipBytes(std::uint64_t size) {
    if (size > in_.remaining()) return false;
    in_.Take(static_cast<std::size_t>(size));
    return in_.ok();
  }

  // Inside a list or map a truth value takes a byte of its own.
  bool SkipElement(std::uint8_t type, int depth) {
    return type == kTrue || type == kFalse ? SkipBytes(1) : Skip(type, depth);
  }

  bool SkipList(int depth) {
    const auto head = in_.Get<std::uint8_t>();
    std::uint64_t size = head >> 4;
    if (size == 15) size = Unsigned();
    if (!in_.ok() || size > in_.remaining()) return false;  // an element takes a byte at least
    for (std::uint64_t i = 0; i < size; ++i) {
      if (!SkipElement(head & 0x0f, depth + 1)) return false;
    }
    return true;
  }

  bool SkipMap(int depth) {
    const std::uint64_t size = Unsigned();
    if (!in_.ok() || size > in_.remaining()) return false;
    if (size == 0) return true;
    const auto types = in_.Get<std::uint8_t>();
    for (std::uint64_t i = 0; i < size; ++i) {
      if (!SkipElement(types >> 4, depth + 1) || !SkipElement(types & 0x0f, depth + 1)) {
        return false;
      }
    }
    return true;
  }

  bool SkipStruct(int depth) {
    std::int16_t id = 0;
    std::uint8_t type = kStop;
    while (NextField(id, type)) {
      if (type == kStop) return true;
      if (!Skip(type, depth + 1)) return false;
    }
    return false;
  }

  ByteReader in_;
};

}  // namespace

Result<std::uint64_t> RowsInParquetFooter(ByteSpan footer) {
  CompactReader reader(footer);
  std::int16_t id = 0;
  std::uint8_t type = kStop;
  while (reader.NextField(id, type) && type != kStop) {
    if (id == kRowsField) {
      const std::int64_t rows = type == kInt64 ? reader.Signed() : -1;
      if (rows < 0 || !reader.ok()) return Broken();
      return static_cast<std::uint64_t>(rows);
    }
    if (!reader.Skip(type, 0)) return Broken();
  }
  return Broken();
}

Result<std::uint64_t> RowsInParquetFile(const File& file) {
  ASSIGN_OR_RETURN(const std::uint64_t size, file.Size());
  if (size < kMagic.size() + kTailBytes) return Error{Code::kCorrupt, "cut, or no Parquet file"};
  std::array<std::uint8_t, 4> start{};
  ASSIGN_OR_RETURN(const std::size_t head, file.ReadAt(0, start));
  std::array<std::uint8_t, kTailBytes> tail{};
  ASSIGN_OR_RETURN(const std::size_t end, file.ReadAt(size - kTailBytes, tail));
  if (head != start.size() || end != tail.size() || AsText(start) != kMagic ||
      AsText(ByteSpan(tail).subspan(4)) != kMagic) {
    return Error{Code::kCorrupt, "cut, or no Parquet file"};
  }
  const auto footer_bytes = GetLe<std::uint32_t>(tail.data());
  if (footer_bytes > kFooterBytesMax) return Error{Code::kTooBig, "its footer is over 64 MiB"};
  if (footer_bytes > size - kTailBytes - kMagic.size()) return Broken();
  std::string footer(footer_bytes, '\0');
  ASSIGN_OR_RETURN(const std::size_t got,
                   file.ReadAt(size - kTailBytes - footer_bytes,
                               {reinterpret_cast<std::uint8_t*>(footer.data()), footer.size()}));
  if (got != footer.size()) return Error{Code::kCorrupt, "cut, or no Parquet file"};
  return RowsInParquetFooter(AsBytes(footer));
}

}  // namespace telltale::lake
