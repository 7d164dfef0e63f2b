// A record as one Kafka message, and the ledger's messages: docs/formats/kafka-record.md. Nothing
// here talks to a broker.
#pragma once

#include "log/batch.h"
#include "log/log.h"

namespace telltale::log::kafka {

inline constexpr std::size_t kMessageHeadBytes = 16;
inline constexpr std::size_t kMessageHeadBytesMax = 24;
// What a message may take beside the payload.
inline constexpr std::size_t kMessageOverheadMax =
    kMessageHeadBytesMax + kFirmwareBytesMax + kRecordHeaderBytesV1;

// Walks the records of a batch, each as the value of its message; moves `tail` behind each.
class MessageWriter {
 public:
  // `batch` must outlive it.
  explicit MessageWriter(const BatchBuilder& batch)
      : batch_(batch), rest_(BatchCodec::RecordsOf(batch)) {}

  // False when there is no more. Else `value` is the next one, until the next call.
  bool Next(PartitionTail& tail, std::string& value);

 private:
  const BatchBuilder& batch_;
  ByteSpan rest_;
};
// Sum of the values' sizes, and the largest.
struct MessageSizes {
  std::uint64_t total = 0;
  std::uint64_t largest = 0;
};
MessageSizes SizesOf(const BatchBuilder& batch);

// `view` points into `value`. Not set: partition and offset, which the message has. `last_data` is
// the tail's behind this record.
//   kCorrupt, kUnsupported
Status DecodeRecord(ByteSpan value, RecordView& view, Micros& last_data);

struct Shape {
  std::uint16_t partitions = 0;
  std::vector<std::string> streams;
  friend bool operator==(const Shape&, const Shape&) = default;
};
std::string EncodeShape(const Shape& shape);
std::string EncodeLedger(std::span<const Log::LedgerEntry> entries);

// What a message of the ledger's topic says: one of the two.
struct LedgerMessage {
  std::optional<Shape> shape;
  std::vector<Log::LedgerEntry> entries;
};
//   kCorrupt, kUnsupported
Result<LedgerMessage> DecodeLedgerMessage(ByteSpan value);

}  // namespace telltale::log::kafka
