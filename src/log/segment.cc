#include "log/segment.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/checksum.h"
#include "base/format_version.h"

namespace telltale::log {
namespace {

constexpr std::string_view kMagic = "TLTSEG\r\n";
constexpr auto kVersion = static_cast<std::uint16_t>(VersionOf(Format::kSegment).written);
constexpr auto kMinReader = static_cast<std::uint16_t>(VersionOf(Format::kSegment).min_reader);
constexpr std::size_t kCheckedFrom = 12;
constexpr std::size_t kFrozenBytes = 20;  // same meaning in every version
constexpr std::size_t kHeadAlignment = 4096;
constexpr std::size_t kTailBytes = 24;
constexpr std::string_view kSuffix = ".seg";
constexpr std::size_t kNameDigits = 20;

std::size_t HeadBytes(const StreamFiles& files) {
  const std::size_t bytes = 68 + files.stream.size() + files.carried * kTailBytes + 4;
  return (bytes + kHeadAlignment - 1) / kHeadAlignment * kHeadAlignment;
}

// A failed sync may have dropped what it was to write: trying again would report it durable.
Status FinalIfFull(Status status) {
  if (status.ok() || status.error().code != Code::kOverloaded) return status;
  return Error{Code::kUnavailable, status.error().message};
}

}  // namespace

StreamFiles::StreamFiles(const std::string& dir, const std::string& stream_name, ShardId shard_id,
                         const LogShape& shape)
    : folder(fmt::format("{}/{}/shard-{}", dir, stream_name, shard_id.value)),
      stream(stream_name),
      shard(shard_id),
      shards(shape.shards),
      partitions(shape.partitions),
      carried(CarriedBy(shard_id, shape)) {}

std::string StreamFiles::PathOf(std::uint64_t segment) const {
  return fmt::format("{}/{:020}{}", folder, segment, kSuffix);
}

std::string StreamFiles::NameOf(Place place) const {
  return fmt::format("stream {} shard {} segment {} byte {}", stream, shard.value, place.segment,
                     place.byte);
}

std::string SegmentHead::Encode(const StreamFiles& files) const {
  std::string out(kMagic);
  PutLe(out, std::uint32_t{0});  // CRC, below
  PutLe(out, static_cast<std::uint32_t>(HeadBytes(files)));
  PutLe(out, kVersion);
  PutLe(out, kMinReader);
  PutLe(out, files.shard.value);
  PutLe(out, files.shards);
  PutLe(out, files.partitions);
  PutLe(out, static_cast<std::uint16_t>(tails.size()));
  PutLe(out, std::uint32_t{0});
  PutLe(out, segment);
  PutLe(out, generation);
  PutLe(out, segment_bytes);
  PutLe(out, last_commit.value);
  PutBlob(out, files.stream);
  for (const PartitionTail& tail : tails) {
    PutLe(out, tail.next.value);
    PutLe(out, tail.log_time.value);
    PutLe(out, tail.last_data.value);
  }
  PutLe(out, std::uint32_t{0});  // reserved for the ledger
  out.resize(HeadBytes(files));
  const std::uint32_t crc = Crc32c(AsBytes(out).subspan(kCheckedFrom));
  std::memcpy(out.data() + 8, &crc, sizeof crc);
  return out;
}

Result<SegmentHead> ReadSegmentHead(const File& file, const StreamFiles& files,
                                    std::uint64_t segment) {
  const std::string place = files.NameOf(Place{segment, 0});
  const Error corrupt{Code::kCorrupt, place + ": the head is broken"};
  std::uint8_t frozen[kFrozenBytes];
  ASSIGN_OR_RETURN(std::size_t got, file.ReadAt(0, frozen));
  if (got < kFrozenBytes || AsText(ByteSpan(frozen).first(kMagic.size())) != kMagic) return corrupt;
  const auto crc = GetLe<std::uint32_t>(frozen + 8);
  const auto head_bytes = GetLe<std::uint32_t>(frozen + 12);
  if (head_bytes < kHeadAlignment || head_bytes > kSegmentHeadBytesMax) return corrupt;
  std::string bytes(head_bytes, '\0');
  ASSIGN_OR_RETURN(got,
                   file.ReadAt(0, {reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()}));
  if (got < head_bytes || Crc32c(AsBytes(bytes).subspan(kCheckedFrom)) != crc) return corrupt;
  RETURN_IF_ERROR(CheckReadable(Format::kSegment, place, GetLe<std::uint16_t>(frozen + 16),
                                GetLe<std::uint16_t>(frozen + 18)));

  ByteReader reader(std::string_view(bytes).substr(kFrozenBytes));
  const auto shard = reader.Get<std::uint16_t>();
  const auto shards = reader.Get<std::uint16_t>();
  const auto partitions = reader.Get<std::uint16_t>();
  const auto carried = reader.Get<std::uint16_t>();
  reader.Get<std::uint32_t>();
  SegmentHead head;
  head.head_bytes = head_bytes;
  head.segment = reader.Get<std::uint64_t>();
  head.generation = reader.Get<std::uint64_t>();
  head.segment_bytes = reader.Get<std::uint64_t>();
  head.last_commit = CommitNumber{reader.Get<std::uint64_t>()};
  const bool is_ours = AsText(reader.TakeBlob()) == files.stream && shard == files.shard.value &&
                       shards == files.shards && partitions == files.partitions &&
                       carried == files.carried && head.segment == segment;
  if (!is_ours) return Error{Code::kCorrupt, place + ": the file belongs elsewhere"};
  for (std::size_t i = 0; i < carried; ++i) {
    PartitionTail tail;
    tail.next = Offset{reader.Get<std::uint64_t>()};
    tail.log_time = Micros{reader.Get<std::int64_t>()};
    tail.last_data = Micros{reader.Get<std::int64_t>()};
    head.tails.push_back(tail);
  }
  if (!reader.ok() || head.segment_bytes > kSegmentBytesMax) return corrupt;
  return head;
}

Result<std::vector<std::uint64_t>> ListSegments(Disk& disk, const StreamFiles& files) {
  ASSIGN_OR_RETURN(const auto names, disk.List(files.folder));
  std::vector<std::uint64_t> segments;
  for (const std::string& name : names) {
    if (name.size() != kNameDigits + kSuffix.size() || !name.ends_with(kSuffix)) continue;
    std::uint64_t segment = 0;
    const auto parsed = std::from_chars(name.data(), name.data() + kNameDigits, segment);
    if (parsed.ec == std::errc() && parsed.ptr == name.data() + kNameDigits && segment > 0) {
      segments.push_back(segment);
    }
  }
  return segments;  // List() sorts, and the names are as long as each other
}

bool ContinueTails(ByteSpan batch, const BatchHeader& header, const StreamFiles& files,
                   std::vector<PartitionTail>& tails) {
  const auto tail_of = [&](PartitionId partition) -> PartitionTail* {
    if (partition.value >= files.partitions || partition.value % files.shards != files.shard.value)
      return nullptr;
    return &tails[CarriedIndex(partition, files.shards)];
  };
  if (header.kind == BatchKind::kRecords) {
    PartitionTail* tail = tail_of(header.partition);
    if (tail == nullptr || tail->next != header.base_offset) return false;
    tail->next.value += header.count;
    tail->log_time = std::max(tail->log_time, header.log_time_last);
    if (header.has_data) tail->last_data = tail->log_time;
    return true;
  }
  if (header.kind == BatchKind::kTicks) {
    for (std::uint32_t i = 0; i < header.count; ++i) {
      const Tick tick = ReadTick(batch, header, i);
      PartitionTail* tail = tail_of(tick.partition);
      if (tail == nullptr || tail->next != tick.offset) return false;
      ++tail->next.value;
      tail->log_time = std::max(tail->log_time, tick.log_time);
    }
  }
  return true;
}

SegmentWriter::SegmentWriter(Disk& disk, StreamFiles files, std::uint64_t segment_bytes,
                             Start start)
    : disk_(disk),
      files_(std::move(files)),
      segment_bytes_(segment_bytes),
      head_(std::move(start.head)),
      file_(std::move(start.file)),
      byte_(start.byte),
      last_commit_(start.last_commit),
      ended_(start.ended),
      tails_(std::move(start.tails)) {
  tails_.resize(files_.carried);
}

std::uint64_t SegmentWriter::BatchBytesMax(const StreamFiles& files, std::uint64_t segment_bytes) {
  const std::uint64_t taken = HeadBytes(files) + kBatchHeaderBytes;  // the end-of-segment batch
  return segment_bytes > taken ? segment_bytes - taken : 0;
}

Status SegmentWriter::Begin() {
  if (head_.segment == 0) return Create(1);
  if (ended_) return Create(head_.segment + 1);
  return Ok();
}

Status SegmentWriter::Create(std::uint64_t segment) {
  SegmentHead head;
  head.head_bytes = static_cast<std::uint32_t>(HeadBytes(files_));
  head.segment = segment;
  head.generation = head_.generation + 1;
  head.segment_bytes = segment_bytes_;
  head.last_commit = last_commit_;
  head.tails = tails_;
  RETURN_IF_ERROR(RemoveHalfMade());
  const std::string path = files_.PathOf(segment);
  ASSIGN_OR_RETURN(auto file, disk_.Open(path, OpenMode::kCreate));
  half_made_ = path;
  const Status filled = Fill(*file, head);
  if (!filled.ok()) {
    file.reset();
    // Now, so that it takes no room from others; if this fails, the next try does it.
    if (filled.error().code == Code::kOverloaded) (void)RemoveHalfMade();
    return filled;
  }
  RETURN_IF_ERROR(FinalIfFull(disk_.SyncFolder(files_.folder)));
  half_made_.clear();
  file_ = std::move(file);
  byte_ = head.head_bytes;
  head_ = std::move(head);
  ended_ = false;
  dirty_ = false;
  return Ok();
}

Status SegmentWriter::Fill(File& file, const SegmentHead& head) {
  RETURN_IF_ERROR(file.Preallocate(segment_bytes_));
  RETURN_IF_ERROR(file.WriteAt(0, AsBytes(head.Encode(files_))));
  // A full disk may be met again here: the next try makes another file.
  return file.Sync();
}

// A segment of this number holds no batch: nothing is lost with it. A crash that brings it back
// leaves recovery a newest segment without a whole head, or an empty one.
Status SegmentWriter::RemoveHalfMade() {
  if (half_made_.empty()) return Ok();
  const Status removed = disk_.Remove(half_made_);
  if (!removed.ok() && removed.error().code != Code::kNotFound) return removed;
  half_made_.clear();
  return Ok();
}

// Does the same again if it is called again after kOverloaded.
Status SegmentWriter::Roll() {
  std::string end = BatchCodec::EncodeEndOfSegment(last_commit_);
  SealBatch({reinterpret_cast<std::uint8_t*>(end.data()), end.size()}, head_.generation);
  RETURN_IF_ERROR(file_->WriteAt(byte_, AsBytes(end)));
  // Before the next segment exists, so that a newer segment means: this one is whole.
  RETURN_IF_ERROR(FinalIfFull(file_->Sync()));
  return Create(head_.segment + 1);
}

// The same bytes to the same place, however often.
Status SegmentWriter::WriteOut(std::string& batches) {
  const std::size_t size = sealed_to_ - written_to_;
  if (size == 0) return Ok();
  dirty_ = true;
  RETURN_IF_ERROR(file_->WriteAt(byte_ - size, AsBytes(batches).subspan(written_to_, size)));
  written_to_ = sealed_to_;
  return Ok();
}

Status SegmentWriter::Write(std::string& batches) {
  auto* bytes = reinterpret_cast<std::uint8_t*>(batches.data());
  CHECK(sealed_to_ <= batches.size());
  while (sealed_to_ < batches.size()) {
    const std::size_t at = sealed_to_;
    const std::uint32_t length = BatchLength({bytes + at, kBatchHeaderBytes});
    CHECK(length != 0 && at + length <= batches.size());
    if (byte_ + length + kBatchHeaderBytes > head_.segment_bytes) {
      RETURN_IF_ERROR(WriteOut(batches));
      RETURN_IF_ERROR(Roll());
    }
    SealBatch({bytes + at, length}, head_.generation);
    const ByteSpan batch{bytes + at, length};
    const BatchHeader header = ReadOwnHeader(batch);
    CHECK(ContinueTails(batch, header, files_, tails_));
    last_commit_ = header.commit;
    byte_ += length;
    sealed_to_ += length;
  }
  RETURN_IF_ERROR(WriteOut(batches));
  written_to_ = 0;
  sealed_to_ = 0;
  return Ok();
}

Status SegmentWriter::Sync() {
  if (!dirty_) return Ok();
  RETURN_IF_ERROR(FinalIfFull(file_->Sync()));
  dirty_ = false;
  return Ok();
}

}  // namespace telltale::log
