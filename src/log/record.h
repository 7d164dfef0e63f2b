// Records and batches as they lie in a stream. Bytes: docs/formats/segment.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"

namespace telltale::log {

enum class RecordKind : std::uint8_t {
  kData = 1,
  kConfig = 2,      // payload: SignedConfig (src/contract/internal/)
  kTick = 3,        // no payload; the batch's log time is what it says
  kQuarantine = 4,  // stream `sealed` only: sealed raw bytes
};

// Header v1, little-endian, 76 bytes; readers skip by the stored header length.
struct RecordHeader {
  RecordKind kind = RecordKind::kData;
  std::uint8_t flags = 0;  // meaning by stream and kind, docs/formats/segment.md
  VehicleRef vehicle;
  BootId boot;
  std::uint64_t seq = 0;
  Micros event_time;               // clamped to receipt + 5 min
  Micros receipt_time;             // the gateway's stamp
  std::uint64_t content_hash = 0;  // ContentHash of the Report's bytes as sent
  std::uint32_t contract_number = 0;
  std::uint16_t firmware = 0;  // index into the batch's string table
  std::uint16_t reason = 0;    // quarantine: base/reasons.h; else 0
};
inline constexpr std::size_t kRecordHeaderBytesV1 = 76;
inline constexpr std::size_t kFirmwareBytesMax = 255;  // longer names are cut to this
inline constexpr std::uint16_t kNoFirmware = 0xffff;   // also when the table is full

// What a reader sees; valid until the next call on its reader.
struct RecordView {
  RecordHeader header;
  PartitionId partition;
  Offset offset;
  Micros log_time;  // running maximum of receipt in this partition
  std::string_view firmware;
  ByteSpan payload;
};

// Collects the records of one partition for one append. Reusable: Clear() keeps the memory.
class BatchBuilder {
 public:
  explicit BatchBuilder(PartitionId partition = {}) : partition_(partition) {}

  // header.firmware is ignored; the string table is this object's business.
  void Add(RecordHeader header, std::string_view firmware, ByteSpan payload);
  void Clear(PartitionId partition);

  PartitionId partition() const { return partition_; }
  std::uint32_t count() const { return count_; }
  std::size_t bytes() const { return records_.size(); }
  bool has_data() const { return has_data_; }  // a data or quarantine record
  bool has_config() const { return has_config_; }
  Micros receipt_max() const { return receipt_max_; }

 private:
  friend class BatchCodec;
  std::uint16_t FirmwareIndex(std::string_view firmware);

  PartitionId partition_;
  std::uint32_t count_ = 0;
  bool has_data_ = false;  // a data or quarantine record: the partition is active
  bool has_config_ = false;
  Micros receipt_max_;
  std::string records_;
  std::vector<std::string>
      firmwares_;  // the first `firmwares_used_` count; the rest is memory kept
  std::size_t firmwares_used_ = 0;
};

}  // namespace telltale::log
