// For tests: a shard of a log that keeps what is appended and is durable when it is told to be.
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include "base/check.h"
#include "gateway/streams.h"
#include "log/batch.h"
#include "log/log.h"

namespace telltale::gateway {

struct StoredRecord {
  log::RecordHeader header;
  PartitionId partition;
  std::string firmware;
  std::string payload;
  CommitNumber commit;
};

// Reads a builder's records back through the log's own format.
inline std::vector<StoredRecord> RecordsOf(const log::BatchBuilder& batch, CommitNumber commit) {
  std::string bytes;
  log::PartitionTail tail;
  log::BatchCodec::Encode(batch, commit, tail, bytes);
  std::span<std::uint8_t> whole(reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size());
  log::SealBatch(whole, 1);
  const auto header = log::ParseBatch(whole, 1);
  CHECK(header.ok());
  std::vector<std::string_view> firmwares;
  CHECK(log::ParseStrings(whole, *header, firmwares).ok());
  ByteSpan rest = ByteSpan(whole).subspan(header->header_bytes + header->string_bytes);
  std::vector<StoredRecord> records;
  for (std::uint32_t i = 0; i < header->count; ++i) {
    StoredRecord record;
    ByteSpan payload;
    const auto used = log::ParseRecord(rest, record.header, payload);
    CHECK(used.ok());
    record.partition = batch.partition();
    record.payload = AsText(payload);
    record.commit = commit;
    const std::size_t firmware = record.header.firmware;
    record.firmware = firmware < firmwares.size() ? firmwares[firmware] : std::string_view();
    records.push_back(std::move(record));
    rest = rest.subspan(*used);
  }
  return records;
}

class FakeShardWriter final : public log::ShardWriter {
 public:
  Result<CommitNumber> Append(std::span<const Staged> batches) override {
    if (overloaded_appends > 0) {
      --overloaded_appends;
      return Error{Code::kOverloaded, "full"};
    }
    if (is_disk_gone) return Error{Code::kUnavailable, "gone"};
    ++appends;
    for (const Staged& staged : batches) {
      for (StoredRecord& record : RecordsOf(*staged.batch, CommitNumber{durable_ + 1})) {
        next_[{staged.stream, record.partition}].value++;
        records[staged.stream].push_back(std::move(record));
      }
    }
    return CommitNumber{durable_ + 1};
  }
  bool HasRoom() const override { return has_room; }
  void Flush() override {}
  void SetOnCommit(OnCommit callback) override { on_commit_ = std::move(callback); }
  CommitNumber durable_commit() const override { return CommitNumber{durable_}; }
  Status SyncNow() override {
    ++durable_;
    if (on_commit_) on_commit_(CommitNumber{durable_});
    return Ok();
  }
  Offset next_offset(log::StreamIndex stream, PartitionId partition) const override {
    const auto found = next_.find({stream, partition});
    return found == next_.end() ? Offset{} : found->second;
  }
  Status Tick(Micros) override { return Ok(); }

  int overloaded_appends = 0;
  bool is_disk_gone = false;
  bool has_room = true;
  int appends = 0;
  std::array<std::vector<StoredRecord>, kStreamCount> records;

 private:
  std::uint64_t durable_ = 0;
  OnCommit on_commit_;
  std::map<std::pair<log::StreamIndex, PartitionId>, Offset> next_;
};

}  // namespace telltale::gateway
