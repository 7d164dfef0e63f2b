// What the tests of this module share.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/sim_disk.h"
#include "log/log.h"

namespace telltale::log {

inline LogOptions SmallLog() {
  LogOptions options;
  options.dir = "/log";
  options.streams = {"safety", "telemetry", "sealed"};
  options.partitions = 4;
  options.shards = 2;
  options.segment_bytes = 64u << 10;
  options.unsynced_bytes_max = 1u << 20;
  return options;
}

// A record whose payload says what it is.
inline void AddRecord(BatchBuilder& batch, std::string_view payload, std::int64_t receipt_us = 1000,
                      std::string_view firmware = "1.0.0") {
  RecordHeader header;
  header.vehicle.bytes[7] = static_cast<std::uint8_t>(batch.partition().value);
  header.boot = {1, 2};
  header.seq = batch.count();
  header.event_time = Micros{receipt_us - 5};
  header.receipt_time = Micros{receipt_us};
  header.content_hash = 7;
  header.contract_number = 1;
  batch.Add(header, firmware, AsBytes(payload));
}

inline BatchBuilder BatchOf(PartitionId partition, const std::vector<std::string>& payloads,
                            std::int64_t receipt_us = 1000) {
  BatchBuilder batch(partition);
  for (const std::string& payload : payloads) AddRecord(batch, payload, receipt_us);
  return batch;
}

inline Result<CommitNumber> AppendOne(Log& log, StreamIndex stream, PartitionId partition,
                                      const std::vector<std::string>& payloads,
                                      std::int64_t receipt_us = 1000) {
  const BatchBuilder batch = BatchOf(partition, payloads, receipt_us);
  const ShardWriter::Staged staged{stream, &batch};
  return log.shard(ShardOf(partition, log.shards())).Append({&staged, 1});
}

struct ReadBack {
  std::string payload;
  std::uint64_t offset;
  RecordKind kind;
  std::int64_t log_time_us;
  friend bool operator==(const ReadBack&, const ReadBack&) = default;
};
using ByPartition = std::map<std::uint16_t, std::vector<ReadBack>>;

// Everything `reader` gives until the durable end, checking that offsets rise without holes.
inline Status ReadOn(Reader& reader, ByPartition& out) {
  while (true) {
    ASSIGN_OR_RETURN(const RecordView* record, reader.Next());
    if (record == nullptr) return Ok();
    auto& records = out[record->partition.value];
    if (!records.empty()) {
      EXPECT_EQ(record->offset.value, records.back().offset + 1);
    }
    records.push_back({std::string(AsText(record->payload)), record->offset.value,
                       record->header.kind, record->log_time.value});
  }
}

inline Result<ByPartition> ReadAll(Disk& disk, const LogOptions& options, StreamIndex stream) {
  ByPartition out;
  for (std::uint16_t s = 0; s < options.shards; ++s) {
    ASSIGN_OR_RETURN(const auto reader,
                     Reader::Open(disk, options.dir, options.streams[stream], ShardId{s}, {}));
    RETURN_IF_ERROR(ReadOn(*reader, out));
  }
  return out;
}

inline std::vector<std::string> PayloadsOf(const ByPartition& records, std::uint16_t partition) {
  std::vector<std::string> payloads;
  const auto found = records.find(partition);
  if (found == records.end()) return payloads;
  for (const ReadBack& record : found->second) payloads.push_back(record.payload);
  return payloads;
}

inline std::unique_ptr<Log> OpenOrFail(Disk& disk, const LogOptions& options) {
  auto log = Log::Open(disk, options);
  if (!log.ok()) {
    ADD_FAILURE() << log.error().ToString();
    return nullptr;
  }
  return std::move(log).value();
}

inline void FlipByte(Disk& disk, const std::string& path, std::uint64_t at) {
  auto file = disk.Open(path, OpenMode::kReadWrite);
  ASSERT_TRUE(file.ok());
  std::uint8_t byte = 0;
  ASSERT_EQ((*file)->ReadAt(at, {&byte, 1}).value(), 1u);
  byte = static_cast<std::uint8_t>(byte ^ 0x40);
  ASSERT_TRUE((*file)->WriteAt(at, {&byte, 1}).ok());
}

// Copies the durable end's place of a stream in a shard.
inline DurableEnd EndOf(Disk& disk, const LogOptions& options, StreamIndex stream, ShardId shard) {
  const auto ends = DurableEnds(disk, options.dir, options.streams[stream]);
  if (!ends.ok()) {
    ADD_FAILURE() << ends.error().ToString();
    return {};
  }
  return (*ends)[shard.value];
}

}  // namespace telltale::log
