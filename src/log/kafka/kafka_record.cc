#include "log/kafka/kafka_record.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/format_version.h"
#include "log/ledger.h"

namespace telltale::log::kafka {
namespace {

constexpr std::string_view kMagic = "TK";
constexpr auto kVersion = static_cast<std::uint8_t>(VersionOf(Format::kKafkaMessage).written);
constexpr auto kMinReader = static_cast<std::uint8_t>(VersionOf(Format::kKafkaMessage).min_reader);
constexpr std::size_t kPayloadBytesAt = 4;
constexpr std::size_t kReceiptAt = 52;
constexpr std::size_t kFirmwareAt = 72;

enum class What : std::uint8_t { kRecord = 1, kShape = 2, kLedger = 3 };

struct Head {
  What what = What::kRecord;
  std::uint8_t firmware_bytes = 0;
  Micros log_time;
  std::optional<Micros> last_data;
};

void PutHead(const Head& head, std::string& out) {
  out.append(kMagic);
  PutLe(out, kVersion);
  PutLe(out, kMinReader);
  PutLe(out, static_cast<std::uint8_t>(head.what));
  PutLe(out, head.firmware_bytes);
  PutLe(out, static_cast<std::uint16_t>(head.last_data ? kMessageHeadBytesMax : kMessageHeadBytes));
  PutLe(out, head.log_time.value);
  if (head.last_data) PutLe(out, head.last_data->value);
}

// What lies behind the head.
Result<ByteSpan> TakeHead(ByteSpan value, Head& head) {
  const Error cut{Code::kCorrupt, "a message is none of Telltale's, or cut"};
  ByteReader reader(value);
  if (AsText(reader.Take(kMagic.size())) != kMagic) return cut;
  const auto version = reader.Get<std::uint8_t>();
  const auto minimum = reader.Get<std::uint8_t>();
  if (!reader.ok()) return cut;
  RETURN_IF_ERROR(CheckReadable(Format::kKafkaMessage, "a Kafka message", version, minimum));
  head.what = static_cast<What>(reader.Get<std::uint8_t>());
  head.firmware_bytes = reader.Get<std::uint8_t>();
  const auto head_bytes = reader.Get<std::uint16_t>();
  head.log_time = Micros{reader.Get<std::int64_t>()};
  if (!reader.ok() || head_bytes < kMessageHeadBytes || head_bytes > value.size()) return cut;
  head.last_data.reset();
  if (head_bytes >= kMessageHeadBytesMax) head.last_data = Micros{reader.Get<std::int64_t>()};
  return value.subspan(head_bytes);
}

bool IsData(RecordKind kind) {
  return kind == RecordKind::kData || kind == RecordKind::kQuarantine;
}

std::size_t RecordBytes(ByteSpan rest) {
  return kRecordHeaderBytesV1 + GetLe<std::uint32_t>(rest.data() + kPayloadBytesAt);
}

}  // namespace

bool MessageWriter::Next(PartitionTail& tail, std::string& value) {
  if (rest_.empty()) return false;
  const ByteSpan record = rest_.first(RecordBytes(rest_));
  rest_ = rest_.subspan(record.size());
  const auto index = GetLe<std::uint16_t>(record.data() + kFirmwareAt);
  const std::string_view firmware = BatchCodec::FirmwareOf(batch_, index);
  tail.log_time = std::max(tail.log_time, Micros{GetLe<std::int64_t>(record.data() + kReceiptAt)});
  Head head;
  head.firmware_bytes = static_cast<std::uint8_t>(firmware.size());
  head.log_time = tail.log_time;
  if (IsData(GetLe<RecordKind>(record.data()))) {
    tail.last_data = tail.log_time;
  } else {
    head.last_data = tail.last_data;
  }
  ++tail.next.value;
  value.clear();
  PutHead(head, value);
  value.append(firmware);
  const std::size_t at = value.size();
  value.append(AsText(record));
  const std::uint16_t plain = index == kNoFirmware ? kNoFirmware : std::uint16_t{0};
  std::memcpy(value.data() + at + kFirmwareAt, &plain, sizeof plain);
  return true;
}

MessageSizes SizesOf(const BatchBuilder& batch) {
  MessageSizes sizes;
  for (ByteSpan rest = BatchCodec::RecordsOf(batch); !rest.empty();) {
    const std::size_t bytes = RecordBytes(rest);
    const auto index = GetLe<std::uint16_t>(rest.data() + kFirmwareAt);
    const std::size_t head =
        IsData(GetLe<RecordKind>(rest.data())) ? kMessageHeadBytes : kMessageHeadBytesMax;
    const std::uint64_t value = head + BatchCodec::FirmwareOf(batch, index).size() + bytes;
    sizes.total += value;
    sizes.largest = std::max(sizes.largest, value);
    rest = rest.subspan(bytes);
  }
  return sizes;
}

Status DecodeRecord(ByteSpan value, RecordView& view, Micros& last_data) {
  Head head;
  ASSIGN_OR_RETURN(const ByteSpan body, TakeHead(value, head));
  if (head.what != What::kRecord) {
    return Error{Code::kCorrupt, fmt::format("a message of kind {} where records are",
                                             static_cast<int>(head.what))};
  }
  if (head.firmware_bytes > body.size()) return Error{Code::kCorrupt, "a message is cut"};
  view.firmware = AsText(body.first(head.firmware_bytes));
  const ByteSpan record = body.subspan(head.firmware_bytes);
  ASSIGN_OR_RETURN(const std::size_t bytes, ParseRecord(record, view.header, view.payload));
  if (bytes != record.size()) return Error{Code::kCorrupt, "bytes behind a message's record"};
  if (!IsData(view.header.kind) && !head.last_data) {
    return Error{Code::kCorrupt, "a message's head lacks the time of the last data"};
  }
  view.log_time = head.log_time;
  last_data = IsData(view.header.kind) ? head.log_time : *head.last_data;
  return Ok();
}

std::string EncodeShape(const Shape& shape) {
  std::string out;
  PutHead({.what = What::kShape, .log_time = {}, .last_data = {}}, out);
  PutLe(out, shape.partitions);
  PutLe(out, static_cast<std::uint16_t>(shape.streams.size()));
  for (const std::string& stream : shape.streams) PutBlob(out, stream);
  return out;
}

std::string EncodeLedger(std::span<const Log::LedgerEntry> entries) {
  std::string out;
  PutHead({.what = What::kLedger, .log_time = {}, .last_data = {}}, out);
  PutLedgerEntries(out, entries);
  return out;
}

Result<LedgerMessage> DecodeLedgerMessage(ByteSpan value) {
  Head head;
  ASSIGN_OR_RETURN(const ByteSpan body, TakeHead(value, head));
  ByteReader reader(body);
  LedgerMessage message;
  if (head.what == What::kShape) {
    Shape shape;
    shape.partitions = reader.Get<std::uint16_t>();
    const auto streams = reader.Get<std::uint16_t>();
    for (std::uint16_t i = 0; i < streams && reader.ok(); ++i) {
      shape.streams.emplace_back(AsText(reader.TakeBlob()));
    }
    if (shape.partitions == 0 || shape.partitions > kPartitionsMax || shape.streams.empty() ||
        shape.streams.size() > kStreamsMax) {
      return Error{Code::kCorrupt, "a shape of a log that cannot be"};
    }
    message.shape = std::move(shape);
  } else if (head.what == What::kLedger) {
    TakeLedgerEntries(reader, message.entries);
  } else {
    return Error{Code::kCorrupt,
                 fmt::format("a message of kind {} in the ledger", static_cast<int>(head.what))};
  }
  if (!reader.ok() || reader.remaining() != 0) {
    return Error{Code::kCorrupt, "a message of the ledger is cut"};
  }
  return message;
}

}  // namespace telltale::log::kafka
