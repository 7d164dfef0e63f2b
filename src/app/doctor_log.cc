#include "app/doctor_log.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/checksum.h"
#include "base/format_version.h"

namespace telltale::app {
namespace {

constexpr std::string_view kLedgerMagic = "TLTLEDG\n";
constexpr std::size_t kLedgerHeadBytes = 16;
constexpr std::size_t kLedgerBlockHeadBytes = 8;
constexpr std::uint64_t kLedgerBytesMax = 256u << 20;

bool ReadLedgerBody(ByteSpan body, const log::LogShape& shape,
                    std::vector<log::Log::LedgerEntry>& out) {
  ByteReader reader(body);
  const auto count = reader.Get<std::uint32_t>();
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
    log::Log::LedgerEntry entry;
    entry.stream = reader.Get<std::uint16_t>();
    entry.partition = PartitionId{reader.Get<std::uint16_t>()};
    entry.offset = Offset{reader.Get<std::uint64_t>()};
    entry.config_seq = ConfigSeq{reader.Get<std::uint64_t>()};
    entry.digest = AsText(reader.TakeBlob());
    if (entry.stream >= shape.streams.size() || entry.partition.value >= shape.partitions) {
      return false;
    }
    out.push_back(std::move(entry));
  }
  return reader.ok() && reader.remaining() == 0;
}

}  // namespace

FindingKind KindOf(const Error& error) {
  switch (error.code) {
    case Code::kCorrupt:
    case Code::kInvalid:
    case Code::kTooBig:
      return FindingKind::kFileBroken;
    case Code::kRefused:
      return FindingKind::kNotAllowed;
    case Code::kUnsupported:
      return FindingKind::kNewerFormat;
    default:
      return FindingKind::kReadFailed;
  }
}

Result<LogView> LogView::Open(Disk& disk, const std::string& dir) {
  ASSIGN_OR_RETURN(log::DurableMap map, log::DurableMap::Open(disk, dir, OpenMode::kRead));
  LogView view(disk, dir, std::move(map));
  for (std::uint16_t shard = 0; shard < view.shape().shards; ++shard) {
    ASSIGN_OR_RETURN(auto bound, view.map_.Read(ShardId{shard}));
    view.bounds_.push_back(std::move(bound));
  }
  return view;
}

std::uint64_t LogView::records_below_bound(ShardId shard) const {
  std::uint64_t records = 0;
  if (!bound(shard)) return records;
  for (const Offset next : bound(shard)->next) records += next.value;
  return records;
}

std::optional<log::StreamIndex> LogView::IndexOf(std::string_view stream) const {
  const auto& streams = shape().streams;
  const auto found = std::find(streams.begin(), streams.end(), stream);
  if (found == streams.end()) return std::nullopt;
  return static_cast<log::StreamIndex>(found - streams.begin());
}

Result<std::vector<Offset>> LogView::EndsNow(log::StreamIndex stream) const {
  std::vector<Offset> ends(shape().partitions);
  for (std::uint16_t s = 0; s < shape().shards; ++s) {
    ASSIGN_OR_RETURN(const auto state, map_.Read(ShardId{s}));
    if (!state) continue;
    const std::size_t carried = log::CarriedBy(ShardId{s}, shape());
    for (std::size_t i = 0; i < carried; ++i) {
      const PartitionId partition = log::CarriedPartition(i, ShardId{s}, shape().shards);
      ends[partition.value] = state->next[stream * carried + i];
    }
  }
  return ends;
}

Result<LogView::FirstKept> LogView::FindFirstKept(log::StreamIndex stream, ShardId shard) const {
  const log::StreamFiles files(dir_, shape().streams[stream], shard, shape());
  FirstKept first;
  first.tails.resize(files.carried);
  ASSIGN_OR_RETURN(const auto segments, log::ListSegments(*disk_, files));
  if (segments.empty()) return first;
  const std::string path = files.PathOf(segments.front());
  ASSIGN_OR_RETURN(const auto file, disk_->Open(path, OpenMode::kRead));
  const auto head = log::ReadSegmentHead(*file, files, segments.front());
  if (!head.ok()) return Annotate(head.error(), path);
  first.segment = segments.front();
  first.head_bytes = head->head_bytes;
  first.tails = head->tails;
  return first;
}

Status LogView::Scan(log::StreamIndex stream, ShardId shard, const FirstKept& first,
                     const Visit& visit) const {
  if (!bound(shard) || bound(shard)->ends[stream] == log::Place{}) return Ok();
  const log::Place end = bound(shard)->ends[stream];
  const std::size_t carried = first.tails.size();
  log::Position from;
  from.next.resize(shape().partitions);
  from.segment = first.segment;
  from.byte = first.head_bytes;
  for (std::size_t i = 0; i < carried; ++i) {
    from.next[log::CarriedPartition(i, shard, shape().shards).value] = first.tails[i].next;
  }
  ASSIGN_OR_RETURN(const auto reader,
                   log::Reader::Open(*disk_, dir_, shape().streams[stream], shard, from));
  // The reader itself goes to the end as it is now: what lies behind the bound is left out.
  while (log::Place{reader->position().segment, reader->position().byte} < end) {
    ASSIGN_OR_RETURN(const log::RecordView* record, reader->Next());
    if (record == nullptr) break;
    const std::size_t index = log::CarriedIndex(record->partition, shape().shards);
    if (record->offset < bound(shard)->next[stream * carried + index]) visit(*record);
  }
  return CheckWhole(stream, shard, reader->position());
}

Status LogView::CheckWhole(log::StreamIndex stream, ShardId shard, const log::Position& at) const {
  const std::size_t carried = log::CarriedBy(shard, shape());
  for (std::size_t i = 0; i < carried; ++i) {
    const PartitionId partition = log::CarriedPartition(i, shard, shape().shards);
    const Offset expected = bound(shard)->next[stream * carried + i];
    if (at.next[partition.value] >= expected) continue;
    return Error{Code::kCorrupt,
                 fmt::format("stream {} partition {} ends at offset {}, durable.map says {}",
                             shape().streams[stream], partition.value,
                             at.next[partition.value].value, expected.value)};
  }
  return Ok();
}

// As log/ledger.h opens it (docs/formats/ledger.md), but nothing is made or cut.
Result<LogView::Ledger> LogView::ReadLedger() const {
  const std::string path = dir_ + "/ledger";
  ASSIGN_OR_RETURN(const std::string content, ReadWholeFile(*disk_, path, kLedgerBytesMax));
  ByteReader head(std::string_view(content).substr(0, kLedgerHeadBytes));
  const bool is_ledger = AsText(head.Take(kLedgerMagic.size())) == kLedgerMagic;
  const auto version = head.Get<std::uint16_t>();
  const auto minimum = head.Get<std::uint16_t>();
  head.Get<std::uint32_t>();
  if (!is_ledger || !head.ok()) return Error{Code::kCorrupt, path + ": a broken head"};
  RETURN_IF_ERROR(CheckReadable(Format::kLedger, path, version, minimum));
  Ledger ledger;
  std::uint64_t at = kLedgerHeadBytes;
  while (at + kLedgerBlockHeadBytes <= content.size()) {
    const auto crc = GetLe<std::uint32_t>(content.data() + at);
    const auto length = GetLe<std::uint32_t>(content.data() + at + 4);
    const std::uint64_t block_end = at + kLedgerBlockHeadBytes + length;
    if (length == 0 || block_end > content.size()) break;
    const ByteSpan checked = AsBytes(content).subspan(at + 4, 4 + std::size_t{length});
    const bool is_whole = Crc32c(checked) == crc;
    if (!is_whole && block_end == content.size()) break;
    if (!is_whole || !ReadLedgerBody(checked.subspan(4), shape(), ledger.entries)) {
      return Error{Code::kCorrupt, fmt::format("{} byte {}: a block is broken", path, at)};
    }
    at = block_end;
  }
  ledger.has_torn_tail = at != content.size();
  return ledger;
}

}  // namespace telltale::app
