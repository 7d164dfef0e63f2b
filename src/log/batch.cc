#include "log/batch.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/checksum.h"

namespace telltale::log {
namespace {

constexpr std::size_t kCrcAt = 4;
constexpr std::size_t kCheckedFrom = 8;
constexpr std::uint16_t kFlagHasData = 1;
constexpr PartitionId kNoPartition{0xffff};

template <typename T>
void SetLe(char* at, T value) {
  std::memcpy(at, &value, sizeof value);
}

void EncodeHeader(const BatchHeader& header, char* at) {
  SetLe(at, kBatchMagic);
  SetLe(at + kCrcAt, std::uint32_t{0});
  SetLe(at + 8, header.length);
  SetLe(at + 12, kBatchVersion);
  SetLe(at + 13, header.kind);
  SetLe(at + 14, header.header_bytes);
  SetLe(at + 16, header.has_data ? kFlagHasData : std::uint16_t{0});
  SetLe(at + 18, header.partition.value);
  SetLe(at + 20, header.count);
  SetLe(at + 24, header.base_offset.value);
  SetLe(at + 32, header.commit.value);
  SetLe(at + 40, header.log_time_before.value);
  SetLe(at + 48, header.log_time_last.value);
  SetLe(at + 56, header.string_bytes);
  SetLe(at + 60, header.string_count);
  SetLe(at + 62, std::uint16_t{0});
}

void EncodeRecordHeader(const RecordHeader& header, std::uint16_t firmware, std::size_t payload,
                        char* at) {
  SetLe(at, header.kind);
  SetLe(at + 1, header.flags);
  SetLe(at + 2, static_cast<std::uint16_t>(kRecordHeaderBytesV1));
  SetLe(at + 4, static_cast<std::uint32_t>(payload));
  std::memcpy(at + 8, header.vehicle.bytes.data(), header.vehicle.bytes.size());
  SetLe(at + 24, header.boot.counter);
  SetLe(at + 28, header.boot.random);
  SetLe(at + 36, header.seq);
  SetLe(at + 44, header.event_time.value);
  SetLe(at + 52, header.receipt_time.value);
  SetLe(at + 60, header.content_hash);
  SetLe(at + 68, header.contract_number);
  SetLe(at + 72, firmware);
  SetLe(at + 74, header.reason);
}

}  // namespace

void BatchBuilder::Add(RecordHeader header, std::string_view firmware, ByteSpan payload) {
  const std::uint16_t index = FirmwareIndex(firmware);
  const std::size_t at = records_.size();
  records_.resize(at + kRecordHeaderBytesV1);
  EncodeRecordHeader(header, index, payload.size(), records_.data() + at);
  records_.append(AsText(payload));
  ++count_;
  has_data_ |= header.kind == RecordKind::kData || header.kind == RecordKind::kQuarantine;
  has_config_ |= header.kind == RecordKind::kConfig;
  receipt_max_ = std::max(receipt_max_, header.receipt_time);
}

std::uint16_t BatchBuilder::FirmwareIndex(std::string_view firmware) {
  firmware = firmware.substr(0, kFirmwareBytesMax);
  // Newest first: records of one car come together.
  for (std::size_t i = firmwares_used_; i-- > 0;) {
    if (firmwares_[i] == firmware) return static_cast<std::uint16_t>(i);
  }
  if (firmwares_used_ == kNoFirmware) return kNoFirmware;
  if (firmwares_used_ == firmwares_.size()) firmwares_.emplace_back();
  firmwares_[firmwares_used_].assign(firmware);
  return static_cast<std::uint16_t>(firmwares_used_++);
}

void BatchBuilder::Clear(PartitionId partition) {
  partition_ = partition;
  count_ = 0;
  has_data_ = false;
  has_config_ = false;
  receipt_max_ = Micros{};
  records_.clear();
  firmwares_used_ = 0;
}

std::size_t BatchCodec::EncodedBytes(const BatchBuilder& batch) {
  std::size_t bytes = kBatchHeaderBytes + batch.records_.size();
  for (std::size_t i = 0; i < batch.firmwares_used_; ++i) bytes += 2 + batch.firmwares_[i].size();
  return bytes;
}

void BatchCodec::Encode(const BatchBuilder& batch, CommitNumber commit, PartitionTail& tail,
                        std::string& out) {
  const std::size_t bytes = EncodedBytes(batch);
  BatchHeader header;
  header.length = static_cast<std::uint32_t>(bytes);
  header.has_data = batch.has_data_;
  header.partition = batch.partition_;
  header.count = batch.count_;
  header.base_offset = tail.next;
  header.commit = commit;
  header.log_time_before = tail.log_time;
  header.log_time_last = std::max(tail.log_time, batch.receipt_max_);
  header.string_bytes =
      static_cast<std::uint32_t>(bytes - kBatchHeaderBytes - batch.records_.size());
  header.string_count = static_cast<std::uint16_t>(batch.firmwares_used_);

  const std::size_t at = out.size();
  out.resize(at + kBatchHeaderBytes);
  EncodeHeader(header, out.data() + at);
  for (std::size_t i = 0; i < batch.firmwares_used_; ++i) {
    PutLe(out, static_cast<std::uint16_t>(batch.firmwares_[i].size()));
    out.append(batch.firmwares_[i]);
  }
  out.append(batch.records_);
  tail.next.value += batch.count_;
  tail.log_time = header.log_time_last;
  if (batch.has_data_) tail.last_data = tail.log_time;
}

std::size_t BatchCodec::EncodedTickBytes(std::size_t ticks) {
  return kBatchHeaderBytes + ticks * kTickBytes;
}

void BatchCodec::EncodeTicks(std::span<const Tick> ticks, CommitNumber commit, Micros now,
                             std::string& out) {
  BatchHeader header;
  header.length = static_cast<std::uint32_t>(EncodedTickBytes(ticks.size()));
  header.kind = BatchKind::kTicks;
  header.partition = kNoPartition;
  header.count = static_cast<std::uint32_t>(ticks.size());
  header.commit = commit;
  header.log_time_last = now;
  const std::size_t at = out.size();
  out.resize(at + kBatchHeaderBytes);
  EncodeHeader(header, out.data() + at);
  for (const Tick& tick : ticks) {
    PutLe(out, tick.partition.value);
    PutLe(out, tick.offset.value);
    PutLe(out, tick.log_time.value);
  }
}

std::string BatchCodec::EncodeEndOfSegment(CommitNumber commit) {
  BatchHeader header;
  header.length = kBatchHeaderBytes;
  header.kind = BatchKind::kEndOfSegment;
  header.partition = kNoPartition;
  header.commit = commit;
  std::string out(kBatchHeaderBytes, '\0');
  EncodeHeader(header, out.data());
  return out;
}

ByteSpan BatchCodec::RecordsOf(const BatchBuilder& batch) { return AsBytes(batch.records_); }

std::string_view BatchCodec::FirmwareOf(const BatchBuilder& batch, std::uint16_t index) {
  if (index >= batch.firmwares_used_) return {};
  return batch.firmwares_[index];
}

std::uint32_t BatchCrc(ByteSpan batch, std::uint64_t generation) {
  std::uint8_t seed[sizeof generation];
  std::memcpy(seed, &generation, sizeof generation);
  return Crc32c(batch.subspan(kCheckedFrom), Crc32c(seed));
}

void SealBatch(std::span<std::uint8_t> batch, std::uint64_t generation) {
  const std::uint32_t crc = BatchCrc(batch, generation);
  std::memcpy(batch.data() + kCrcAt, &crc, sizeof crc);
}

std::uint32_t BatchLength(ByteSpan head) {
  if (GetLe<std::uint32_t>(head.data()) != kBatchMagic) return 0;
  const auto length = GetLe<std::uint32_t>(head.data() + 8);
  return length < kBatchHeaderBytes ? 0 : length;
}

BatchHeader ReadOwnHeader(ByteSpan batch) {
  const std::uint8_t* at = batch.data();
  BatchHeader header;
  header.length = GetLe<std::uint32_t>(at + 8);
  header.kind = GetLe<BatchKind>(at + 13);
  header.header_bytes = GetLe<std::uint16_t>(at + 14);
  header.has_data = (GetLe<std::uint16_t>(at + 16) & kFlagHasData) != 0;
  header.partition = PartitionId{GetLe<std::uint16_t>(at + 18)};
  header.count = GetLe<std::uint32_t>(at + 20);
  header.base_offset = Offset{GetLe<std::uint64_t>(at + 24)};
  header.commit = CommitNumber{GetLe<std::uint64_t>(at + 32)};
  header.log_time_before = Micros{GetLe<std::int64_t>(at + 40)};
  header.log_time_last = Micros{GetLe<std::int64_t>(at + 48)};
  header.string_bytes = GetLe<std::uint32_t>(at + 56);
  header.string_count = GetLe<std::uint16_t>(at + 60);
  return header;
}

Result<BatchHeader> ParseBatch(ByteSpan batch, std::uint64_t generation) {
  if (GetLe<std::uint32_t>(batch.data() + kCrcAt) != BatchCrc(batch, generation)) {
    return Error{Code::kCorrupt, "a batch fails its check"};
  }
  const auto version = GetLe<std::uint8_t>(batch.data() + 12);
  if (version > kBatchVersion) {
    return Error{Code::kUnsupported, fmt::format("batch version {}; this build reads up to {}",
                                                 version, kBatchVersion)};
  }
  const BatchHeader header = ReadOwnHeader(batch);
  const Error bounds{Code::kCorrupt, "a batch contradicts itself"};
  if (header.length != batch.size() || header.header_bytes < kBatchHeaderBytes) return bounds;
  const std::uint64_t body = std::uint64_t{header.header_bytes} + header.string_bytes;
  if (body > batch.size()) return bounds;
  switch (header.kind) {
    case BatchKind::kRecords:
      // Each record has at least its header: bounds the count before anyone loops over it.
      if (header.count == 0 || header.count > (batch.size() - body) / kRecordHeaderBytesV1) {
        return bounds;
      }
      return header;
    case BatchKind::kTicks:
      if (header.count == 0 || header.count > (batch.size() - body) / kTickBytes) return bounds;
      return header;
    case BatchKind::kEndOfSegment:
      return header;
  }
  return Error{Code::kUnsupported, fmt::format("batch kind {}; this build reads up to 3",
                                               static_cast<int>(header.kind))};
}

Tick ReadTick(ByteSpan batch, const BatchHeader& header, std::uint32_t index) {
  const std::uint8_t* at =
      batch.data() + header.header_bytes + header.string_bytes + index * kTickBytes;
  return Tick{PartitionId{GetLe<std::uint16_t>(at)}, Offset{GetLe<std::uint64_t>(at + 2)},
              Micros{GetLe<std::int64_t>(at + 10)}};
}

Result<std::size_t> ParseRecord(ByteSpan rest, RecordHeader& header, ByteSpan& payload) {
  const Error cut{Code::kCorrupt, "a record is cut"};
  if (rest.size() < kRecordHeaderBytesV1) return cut;
  const std::uint8_t* at = rest.data();
  const auto header_bytes = GetLe<std::uint16_t>(at + 2);
  const auto payload_bytes = GetLe<std::uint32_t>(at + 4);
  if (header_bytes < kRecordHeaderBytesV1) return cut;
  const std::uint64_t bytes = std::uint64_t{header_bytes} + payload_bytes;
  if (bytes > rest.size()) return cut;
  if (*at < static_cast<std::uint8_t>(RecordKind::kData) ||
      *at > static_cast<std::uint8_t>(RecordKind::kQuarantine)) {
    return Error{Code::kUnsupported,
                 fmt::format("record kind {}; this build reads 1 to 4: upgrade it", *at)};
  }
  header.kind = GetLe<RecordKind>(at);
  header.flags = at[1];
  std::memcpy(header.vehicle.bytes.data(), at + 8, header.vehicle.bytes.size());
  header.boot = BootId{GetLe<std::uint32_t>(at + 24), GetLe<std::uint64_t>(at + 28)};
  header.seq = GetLe<std::uint64_t>(at + 36);
  header.event_time = Micros{GetLe<std::int64_t>(at + 44)};
  header.receipt_time = Micros{GetLe<std::int64_t>(at + 52)};
  header.content_hash = GetLe<std::uint64_t>(at + 60);
  header.contract_number = GetLe<std::uint32_t>(at + 68);
  header.firmware = GetLe<std::uint16_t>(at + 72);
  header.reason = GetLe<std::uint16_t>(at + 74);
  payload = rest.subspan(header_bytes, payload_bytes);
  return static_cast<std::size_t>(bytes);
}

Status ParseStrings(ByteSpan batch, const BatchHeader& header, std::vector<std::string_view>& out) {
  out.clear();
  ByteReader reader(batch.subspan(header.header_bytes, header.string_bytes));
  for (std::uint16_t i = 0; i < header.string_count; ++i) {
    out.push_back(AsText(reader.Take(reader.Get<std::uint16_t>())));
  }
  if (!reader.ok()) return Error{Code::kCorrupt, "a string table is cut"};
  return Ok();
}

}  // namespace telltale::log
