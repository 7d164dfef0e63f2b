// The reading side: docs/formats/segment.md, "What a reader does".
#include <fmt/format.h>

#include <algorithm>

#include "log/segment.h"

namespace telltale::log {
namespace {

constexpr std::size_t kPieceBytes = 256u << 10;

class FileReader final : public Reader {
 public:
  FileReader(Disk& disk, DurableMap map, StreamFiles files, StreamIndex stream)
      : disk_(disk), map_(std::move(map)), files_(std::move(files)), stream_(stream) {}

  // Places the reader at `from`.
  Status Begin(const Position& from);

  Result<const RecordView*> Next() override;
  const Position& position() const override { return position_; }
  std::uint16_t partitions() const override { return files_.partitions; }

 private:
  enum class Step { kBatch, kEnd };

  Status OpenSegment(std::uint64_t segment);
  Status SeekByOffsets();
  Result<std::vector<std::uint64_t>> DurableSegments();
  Status CheckNotExpired() const;
  Error MissingNext(std::uint64_t segment);
  Status SeekOnceOr(const Error& error);
  void StartOver();
  Result<Step> NextBatch();
  Result<bool> RefreshEnd();
  Result<ByteSpan> BatchHere();
  Result<ByteSpan> Load(std::uint64_t at, std::size_t need);
  Status Enter(ByteSpan batch);
  Result<bool> TakeRecord();
  Result<bool> TakeTick();
  bool Deliver(PartitionId partition, Offset offset);
  Place Here() const { return Place{position_.segment, position_.byte}; }
  Error Corrupt(std::string_view what) const {
    return Error{Code::kCorrupt, files_.NameOf(Here()) + ": " + std::string(what)};
  }

  Disk& disk_;
  DurableMap map_;
  const StreamFiles files_;
  const StreamIndex stream_;
  Position position_;
  Place end_;                 // durable, as last seen
  bool sought_ = false;       // by offsets; until then whatever looks broken may be a bad hint
  bool from_oldest_ = false;  // until it is placed: it may begin wherever the log does
  std::optional<Error> failure_;

  std::unique_ptr<File> file_;
  SegmentHead head_;
  std::uint64_t file_bytes_ = 0;
  std::vector<std::uint8_t> buffer_;
  std::uint64_t buffer_from_ = 0;
  std::size_t buffer_size_ = 0;

  // The batch being read; `batch_` points into buffer_.
  ByteSpan batch_;
  BatchHeader batch_header_;
  std::vector<std::string_view> strings_;
  std::uint32_t index_ = 0;
  std::size_t record_at_ = 0;
  Micros log_time_;
  RecordView view_;
};

Status FileReader::Begin(const Position& from) {
  if (!from.next.empty() && from.next.size() != files_.partitions) {
    return Error{Code::kInvalid,
                 fmt::format("the position has {} partitions and the log {}; it is another log's",
                             from.next.size(), files_.partitions)};
  }
  position_ = from;
  from_oldest_ = from.next.empty();
  position_.next.resize(files_.partitions);
  RETURN_IF_ERROR(RefreshEnd());
  if (from.segment != 0 && Here() <= end_) {
    const Status opened = OpenSegment(from.segment);
    if (opened.ok() && from.byte >= head_.head_bytes) {
      position_.byte = from.byte;
      return Ok();
    }
    if (!opened.ok() && opened.error().code == Code::kUnsupported) return opened;
  }
  if (end_ == Place{}) return Ok();  // nothing known yet: placed by the first NextBatch
  return SeekByOffsets();
}

Status FileReader::OpenSegment(std::uint64_t segment) {
  ASSIGN_OR_RETURN(auto file, disk_.Open(files_.PathOf(segment), OpenMode::kRead));
  ASSIGN_OR_RETURN(SegmentHead head, ReadSegmentHead(*file, files_, segment));
  ASSIGN_OR_RETURN(file_bytes_, file->Size());
  file_ = std::move(file);
  head_ = std::move(head);
  buffer_size_ = 0;
  position_.segment = segment;
  position_.byte = head_.head_bytes;
  return Ok();
}

Result<std::vector<std::uint64_t>> FileReader::DurableSegments() {
  ASSIGN_OR_RETURN(auto segments, ListSegments(disk_, files_));
  std::erase_if(segments, [&](std::uint64_t segment) { return segment > end_.segment; });
  if (segments.empty()) return Corrupt("no segment is there");
  return segments;
}

// The segment open is the oldest kept: nothing that is wanted may lie before it.
Status FileReader::CheckNotExpired() const {
  for (std::size_t i = 0; i < files_.carried; ++i) {
    const PartitionId partition = CarriedPartition(i, files_.shard, files_.shards);
    const Offset wanted = position_.next[partition.value];
    const Offset kept = head_.tails[i].next;
    if (wanted >= kept) continue;
    return Error{
        Code::kInvalid,
        fmt::format("expired: stream {} shard {} partition {} offset {} was removed by "
                    "retention; the first kept is {}",
                    files_.stream, files_.shard.value, partition.value, wanted.value, kept.value)};
  }
  return Ok();
}

// Why the segment that should follow is not there.
Error FileReader::MissingNext(std::uint64_t segment) {
  const auto segments = DurableSegments();
  if (!segments.ok()) return segments.error();
  if (segments->front() > segment) {
    const Status opened = OpenSegment(segments->front());
    if (!opened.ok()) return opened.error();
    if (const Status expired = CheckNotExpired(); !expired.ok()) return expired.error();
  }
  return Corrupt(fmt::format("segment {} is missing", segment));
}

// The newest segment that begins at or below every wanted offset. Without one retention has removed
// what is wanted; a reader that wants no offset yet begins with the oldest kept.
Status FileReader::SeekByOffsets() {
  sought_ = true;
  ASSIGN_OR_RETURN(const auto segments, DurableSegments());
  const auto begins_in_time = [&] {
    for (std::size_t i = 0; i < files_.carried; ++i) {
      const PartitionId partition = CarriedPartition(i, files_.shard, files_.shards);
      if (head_.tails[i].next > position_.next[partition.value]) return false;
    }
    return true;
  };
  for (std::size_t i = segments.size(); i-- > 0;) {
    const Status opened = OpenSegment(segments[i]);
    // Removed since the list was made: the one before, still open here, is the oldest kept.
    if (!opened.ok() && opened.error().code == Code::kNotFound && i + 1 < segments.size()) break;
    RETURN_IF_ERROR(opened);
    if (begins_in_time()) break;
  }
  if (!from_oldest_) return CheckNotExpired();
  from_oldest_ = false;
  for (std::size_t i = 0; i < files_.carried; ++i) {
    Offset& next = position_.next[CarriedPartition(i, files_.shard, files_.shards).value];
    next = std::max(next, head_.tails[i].next);
  }
  return Ok();
}

// A position's segment and byte are a hint. If following it fails, the offsets decide; if they were
// asked already, the file is broken.
Status FileReader::SeekOnceOr(const Error& error) {
  if (sought_ || error.code != Code::kCorrupt) return error;
  batch_header_.count = 0;
  return SeekByOffsets();
}

// The next call finds its place by offsets, as after a restart: the disk may have failed half-way
// through anything here.
void FileReader::StartOver() {
  file_.reset();
  buffer_size_ = 0;
  batch_header_.count = 0;
  index_ = 0;
  position_.segment = 0;
  position_.byte = 0;
}

Result<bool> FileReader::RefreshEnd() {
  ASSIGN_OR_RETURN(const Place end, map_.ReadEnd(files_.shard, stream_));
  if (end <= end_) return false;
  end_ = end;
  return true;
}

Result<const RecordView*> FileReader::Next() {
  if (failure_.has_value()) return *failure_;
  const auto fail = [this](const Error& error) {
    if (error.code == Code::kUnavailable) {
      StartOver();
    } else {
      failure_ = error;
    }
    return error;
  };
  while (true) {
    while (index_ < batch_header_.count) {
      const auto wanted = batch_header_.kind == BatchKind::kTicks ? TakeTick() : TakeRecord();
      if (wanted.ok() && *wanted) return &view_;
      if (wanted.ok()) continue;
      const Status sought = SeekOnceOr(wanted.error());
      if (!sought.ok()) return fail(sought.error());
    }
    const auto step = NextBatch();
    if (!step.ok()) return fail(step.error());
    if (*step == Step::kEnd) return static_cast<const RecordView*>(nullptr);
  }
}

Result<FileReader::Step> FileReader::NextBatch() {
  batch_header_.count = 0;
  index_ = 0;
  while (true) {
    if (file_ == nullptr || Here() >= end_) {
      ASSIGN_OR_RETURN(const bool moved, RefreshEnd());
      if (end_ == Place{} || (file_ != nullptr && !moved && Here() >= end_)) return Step::kEnd;
      if (file_ == nullptr) RETURN_IF_ERROR(SeekByOffsets());
      continue;
    }
    const auto batch = BatchHere();
    const Status entered = batch.ok() ? Enter(*batch) : Status(batch.error());
    if (!entered.ok()) {
      RETURN_IF_ERROR(SeekOnceOr(entered.error()));
      continue;
    }
    if (batch_header_.kind != BatchKind::kEndOfSegment) return Step::kBatch;
    const std::uint64_t segment = position_.segment + 1;
    if (segment > end_.segment) return Corrupt("the segment ends before the durable end");
    const Status opened = OpenSegment(segment);
    if (!opened.ok() && opened.error().code == Code::kNotFound) return MissingNext(segment);
    if (!opened.ok()) return opened.error();
    buffer_from_ = 0;
  }
}

Result<ByteSpan> FileReader::BatchHere() {
  const std::uint64_t at = position_.byte;
  ASSIGN_OR_RETURN(const ByteSpan head, Load(at, kBatchHeaderBytes));
  const std::uint32_t length = head.size() < kBatchHeaderBytes ? 0 : BatchLength(head);
  if (length == 0) return Corrupt("no batch is here");
  ASSIGN_OR_RETURN(const ByteSpan batch, Load(at, length));
  if (batch.size() < length) return Corrupt("a batch is cut");
  return batch;
}

// Up to `need` bytes at `at`, fewer at the durable end or the end of the file.
Result<ByteSpan> FileReader::Load(std::uint64_t at, std::size_t need) {
  const std::uint64_t limit =
      position_.segment == end_.segment ? std::min(end_.byte, file_bytes_) : file_bytes_;
  if (at >= limit) return ByteSpan();
  need = static_cast<std::size_t>(std::min<std::uint64_t>(need, limit - at));
  if (at < buffer_from_ || at + need > buffer_from_ + buffer_size_) {
    const auto size =
        static_cast<std::size_t>(std::min<std::uint64_t>(std::max(need, kPieceBytes), limit - at));
    if (buffer_.size() < size) {
      buffer_.resize(std::max(
          size, static_cast<std::size_t>(std::min<std::uint64_t>(kPieceBytes, file_bytes_))));
    }
    buffer_size_ = 0;
    ASSIGN_OR_RETURN(buffer_size_, file_->ReadAt(at, std::span(buffer_).first(size)));
    buffer_from_ = at;
  }
  const auto skip = static_cast<std::size_t>(at - buffer_from_);
  if (skip >= buffer_size_) return ByteSpan();
  return ByteSpan(buffer_).subspan(skip, std::min(need, buffer_size_ - skip));
}

// Checks the batch at the position and, if it is one of records, makes it the one being read.
Status FileReader::Enter(ByteSpan batch) {
  const auto header = ParseBatch(batch, head_.generation);
  if (!header.ok()) return Annotate(header.error(), files_.NameOf(Here()));
  if (header->kind == BatchKind::kRecords) {
    const PartitionId partition = header->partition;
    if (partition.value >= files_.partitions || ShardOf(partition, files_.shards) != files_.shard) {
      return Corrupt("a batch of a partition that is not carried here");
    }
    if (header->base_offset > position_.next[partition.value]) {
      return Corrupt(fmt::format("partition {} goes on at offset {} and {} is next",
                                 partition.value, header->base_offset.value,
                                 position_.next[partition.value].value));
    }
  }
  RETURN_IF_ERROR(ParseStrings(batch, *header, strings_));
  batch_ = batch;
  batch_header_ = *header;
  record_at_ = header->header_bytes + std::size_t{header->string_bytes};
  log_time_ = header->log_time_before;
  if (header->kind == BatchKind::kEndOfSegment) batch_header_.count = 0;
  return Ok();
}

// True when the record is one to hand out; moves the position behind it.
bool FileReader::Deliver(PartitionId partition, Offset offset) {
  if (++index_ == batch_header_.count) position_.byte += batch_header_.length;
  Offset& next = position_.next[partition.value];
  if (offset < next) return false;
  next = Offset{offset.value + 1};
  view_.partition = partition;
  view_.offset = offset;
  return true;
}

Result<bool> FileReader::TakeRecord() {
  const auto taken = ParseRecord(batch_.subspan(record_at_), view_.header, view_.payload);
  const Offset offset{batch_header_.base_offset.value + index_};
  if (!taken.ok()) {
    return Annotate(taken.error(), fmt::format("{} partition {} offset {}", files_.NameOf(Here()),
                                               batch_header_.partition.value, offset.value));
  }
  record_at_ += *taken;
  log_time_ = std::max(log_time_, view_.header.receipt_time);
  view_.log_time = log_time_;
  const std::uint16_t firmware = view_.header.firmware;
  view_.firmware = firmware < strings_.size() ? strings_[firmware] : std::string_view();
  return Deliver(batch_header_.partition, offset);
}

Result<bool> FileReader::TakeTick() {
  const Tick tick = ReadTick(batch_, batch_header_, index_);
  if (tick.partition.value >= files_.partitions ||
      ShardOf(tick.partition, files_.shards) != files_.shard) {
    return Corrupt("a tick of a partition that is not carried here");
  }
  if (tick.offset > position_.next[tick.partition.value]) {
    return Corrupt(fmt::format("partition {} goes on at offset {} and {} is next",
                               tick.partition.value, tick.offset.value,
                               position_.next[tick.partition.value].value));
  }
  view_.header = RecordHeader{};
  view_.header.kind = RecordKind::kTick;
  view_.header.receipt_time = batch_header_.log_time_last;
  view_.log_time = tick.log_time;
  view_.firmware = {};
  view_.payload = {};
  return Deliver(tick.partition, tick.offset);
}

}  // namespace

Result<std::unique_ptr<Reader>> Reader::Open(Disk& disk, const std::string& dir,
                                             const std::string& stream, ShardId shard,
                                             const Position& from) {
  ASSIGN_OR_RETURN(DurableMap map, DurableMap::Open(disk, dir, OpenMode::kRead));
  const LogShape shape = map.shape();
  const auto found = std::find(shape.streams.begin(), shape.streams.end(), stream);
  if (found == shape.streams.end()) {
    return Error{Code::kNotFound, fmt::format("{} has no stream {}", dir, stream)};
  }
  if (shard.value >= shape.shards) {
    return Error{Code::kInvalid, fmt::format("there is no shard {}", shard.value)};
  }
  auto reader =
      std::make_unique<FileReader>(disk, std::move(map), StreamFiles(dir, stream, shard, shape),
                                   static_cast<StreamIndex>(found - shape.streams.begin()));
  RETURN_IF_ERROR(reader->Begin(from));
  return std::unique_ptr<Reader>(std::move(reader));
}

}  // namespace telltale::log
