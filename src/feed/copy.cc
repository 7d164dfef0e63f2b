#include "feed/copy.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "contract/config_wire.h"
#include "log/retention.h"
#include "seal/seal.h"

namespace telltale::feed {
namespace {

// The sequence number of a config record; 0 when it is none that can be read, which its readers
// will say.
ConfigSeq SeqOf(ByteSpan payload) {
  const auto record = contract::ParseConfig(payload);
  return ConfigSeq{record.ok() ? record->config_seq() : 0};
}

}  // namespace

ShardCopy::ShardCopy(Parts parts, ShardId shard, std::vector<std::string> streams,
                     std::string positions_dir)
    : parts_(parts),
      shard_(shard),
      streams_(std::move(streams)),
      positions_dir_(std::move(positions_dir)),
      readers_(streams_.size()),
      builders_(streams_.size()),
      records_(parts_.counters.Get("records_copied")),
      turns_(parts_.counters.Get("turns")) {
  for (auto& of_stream : builders_) {
    for (std::uint16_t p = 0; p < parts_.copy.partitions(); ++p) {
      of_stream.emplace_back(PartitionId{p});
    }
  }
}

Status ShardCopy::Open() {
  for (log::StreamIndex stream = 0; stream < streams_.size(); ++stream) {
    log::Position end;
    end.next.resize(parts_.copy.partitions());
    for (std::size_t p = shard_.value; p < end.next.size(); p += parts_.copy.shards()) {
      end.next[p] = writer().next_offset(stream, PartitionId{static_cast<std::uint16_t>(p)});
    }
    ASSIGN_OR_RETURN(readers_[stream], parts_.source.OpenReader(streams_[stream], shard_, end));
  }
  return Ok();
}

Status ShardCopy::Take(log::StreamIndex stream, const log::RecordView& record) {
  log::BatchBuilder& builder = builders_[stream][record.partition.value];
  const Offset next{writer().next_offset(stream, record.partition).value + builder.count()};
  if (record.offset != next) {
    return Error{Code::kCorrupt, fmt::format("stream {} partition {} goes on at offset {}, the "
                                             "copy ends at {}",
                                             streams_[stream], record.partition.value,
                                             record.offset.value, next.value)};
  }
  log::RecordHeader header = record.header;
  // A tick's time is all it says; of the others log time follows from receipt.
  if (header.kind == log::RecordKind::kTick) header.receipt_time = record.log_time;
  builder.Add(header, record.firmware, record.payload);
  log_time_ = std::max(log_time_, record.log_time);
  bytes_ += log::kRecordHeaderBytesV1 + record.payload.size();
  if (header.kind == log::RecordKind::kConfig) {
    ledger_.push_back({stream, record.partition, record.offset, SeqOf(record.payload),
                       HexEncode(seal::Sha256(AsText(record.payload)))});
  }
  return Ok();
}

// True when there was something.
Result<bool> ShardCopy::StageStream(log::StreamIndex stream) {
  std::size_t taken = 0;
  while (taken < kTurnRecordsMax && bytes_ < kTurnBytesMax) {
    ASSIGN_OR_RETURN(const log::RecordView* record, readers_[stream]->Next());
    if (record == nullptr) break;
    RETURN_IF_ERROR(Take(stream, *record));
    ++taken;
  }
  return taken > 0;
}

// The ledger first: what it names is in the source for good, and is copied again after a crash.
Status ShardCopy::WriteStaged() {
  if (!ledger_.empty()) {
    const auto known = parts_.copy.ledger();
    std::erase_if(ledger_, [&](const log::Log::LedgerEntry& entry) {
      return std::any_of(known.begin(), known.end(), [&](const log::Log::LedgerEntry& other) {
        return other.stream == entry.stream && other.partition == entry.partition &&
               other.offset == entry.offset;
      });
    });
    if (!ledger_.empty()) RETURN_IF_ERROR(parts_.copy.AppendLedger(ledger_));
    ledger_.clear();
  }
  if (!is_appended_) {
    staged_.clear();
    for (log::StreamIndex stream = 0; stream < streams_.size(); ++stream) {
      for (const log::BatchBuilder& builder : builders_[stream]) {
        if (builder.count() > 0) staged_.push_back({stream, &builder});
      }
    }
    ASSIGN_OR_RETURN(const CommitNumber commit, writer().Append(staged_));
    (void)commit;  // SyncNow() waits for all of them
    is_appended_ = true;
  }
  RETURN_IF_ERROR(writer().SyncNow());
  is_appended_ = false;
  for (const log::ShardWriter::Staged& staged : staged_) {
    records_.Add(staged.batch->count());
    builders_[staged.stream][staged.batch->partition().value].Clear(staged.batch->partition());
  }
  staged_.clear();
  bytes_ = 0;
  turns_.Add();
  return Ok();
}

Result<bool> ShardCopy::Step() {
  bool any = bytes_ > 0;  // a turn that met a full disk
  if (!any) {
    for (log::StreamIndex stream = 0; stream < streams_.size(); ++stream) {
      ASSIGN_OR_RETURN(const bool some, StageStream(stream));
      any = any || some;
    }
  }
  if (!any) return false;
  RETURN_IF_ERROR(WriteStaged());
  for (log::StreamIndex stream = 0; stream < streams_.size(); ++stream) {
    RETURN_IF_ERROR(log::SavePosition(parts_.disk, positions_dir_, std::string(kConsumer),
                                      streams_[stream], shard_, readers_[stream]->position()));
  }
  return true;
}

// One stream in turn: each gets records or ticks once a second.
void ShardCopy::WaitForMore(std::chrono::milliseconds timeout) {
  next_to_wait_for_ = (next_to_wait_for_ + 1) % streams_.size();
  readers_[next_to_wait_for_]->WaitForMore(timeout);
}

}  // namespace telltale::feed
