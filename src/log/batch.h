// Batches as bytes: docs/formats/segment.md. Nothing here touches a file.
#pragma once

#include "log/record.h"

namespace telltale::log {

inline constexpr std::uint32_t kBatchMagic = 0x31424c54;  // "TLB1"
inline constexpr std::size_t kBatchHeaderBytes = 64;
inline constexpr std::size_t kTickBytes = 18;
inline constexpr std::uint8_t kBatchVersion = 1;

enum class BatchKind : std::uint8_t { kRecords = 1, kTicks = 2, kEndOfSegment = 3 };

struct BatchHeader {
  std::uint32_t length = 0;  // of the whole batch
  BatchKind kind = BatchKind::kRecords;
  bool has_data = false;
  PartitionId partition;
  std::uint32_t count = 0;
  Offset base_offset;
  CommitNumber commit;
  Micros log_time_before;
  Micros log_time_last;
  std::uint16_t header_bytes = kBatchHeaderBytes;
  std::uint32_t string_bytes = 0;
  std::uint16_t string_count = 0;
};

struct Tick {
  PartitionId partition;
  Offset offset;
  Micros log_time;
};

// Where the next record of a partition goes.
struct PartitionTail {
  Offset next;
  Micros log_time;
  Micros last_data;  // latest log time of a batch with data; 0 = never
};

class BatchCodec {
 public:
  static std::size_t EncodedBytes(const BatchBuilder& batch);
  // Appends `batch` as it will be stored, but for the CRC, and moves `tail` behind it.
  static void Encode(const BatchBuilder& batch, CommitNumber commit, PartitionTail& tail,
                     std::string& out);
  static std::size_t EncodedTickBytes(std::size_t ticks);
  static void EncodeTicks(std::span<const Tick> ticks, CommitNumber commit, Micros now,
                          std::string& out);
  static std::string EncodeEndOfSegment(CommitNumber commit);
  // What `batch` holds, for who stores record by record: the records one behind the other (each a
  // header and its payload), and the name that a record's header.firmware is the index of.
  static ByteSpan RecordsOf(const BatchBuilder& batch);
  static std::string_view FirmwareOf(const BatchBuilder& batch, std::uint16_t index);
};

// CRC of a whole batch (length >= kBatchHeaderBytes) in a segment of `generation`.
std::uint32_t BatchCrc(ByteSpan batch, std::uint64_t generation);
void SealBatch(std::span<std::uint8_t> batch, std::uint64_t generation);  // writes the CRC

// The length field of what should be a batch at `head`; 0 = no batch begins here.
// `head` has at least kBatchHeaderBytes.
std::uint32_t BatchLength(ByteSpan head);
// Parses a whole batch (exactly its length).
//   kCorrupt      CRC or bounds
//   kUnsupported  newer version or unknown kind
Result<BatchHeader> ParseBatch(ByteSpan batch, std::uint64_t generation);
// Fields as written by Encode, unchecked; for bytes this process made itself.
BatchHeader ReadOwnHeader(ByteSpan batch);

Tick ReadTick(ByteSpan batch, const BatchHeader& header, std::uint32_t index);

// Reads the record at the front of `rest` and returns how many bytes it takes.
//   kCorrupt      cut
//   kUnsupported  unknown record kind
Result<std::size_t> ParseRecord(ByteSpan rest, RecordHeader& header, ByteSpan& payload);
// Views into `batch`; reuses `out`. kCorrupt when the table is cut.
Status ParseStrings(ByteSpan batch, const BatchHeader& header, std::vector<std::string_view>& out);

}  // namespace telltale::log
