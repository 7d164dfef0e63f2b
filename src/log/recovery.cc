// Opening one stream's files after any kind of end: docs/formats/segment.md, "What the owner does".
#include <fmt/format.h>

#include <algorithm>

#include "log/segment.h"

namespace telltale::log {
namespace {

constexpr std::size_t kPieceBytes = 256u << 10;
constexpr std::size_t kBlockBytes = 4096;

bool IsZero(ByteSpan bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t b) { return b == 0; });
}

// Walks the batches of the newest segment. Grows its memory only as far as the file is long.
class Scan {
 public:
  Scan(const File& file, std::uint64_t file_bytes) : file_(file), file_bytes_(file_bytes) {}

  // The whole batch at `at`; empty when there is none.
  Result<ByteSpan> BatchAt(std::uint64_t at) {
    ASSIGN_OR_RETURN(const ByteSpan head, Load(at, kBatchHeaderBytes));
    if (head.size() < kBatchHeaderBytes) return ByteSpan();
    const std::uint32_t length = BatchLength(head);
    if (length == 0 || at + length > file_bytes_) return ByteSpan();
    ASSIGN_OR_RETURN(const ByteSpan batch, Load(at, length));
    return batch.size() < length ? ByteSpan() : batch;
  }

 private:
  Result<ByteSpan> Load(std::uint64_t at, std::size_t need) {
    if (at < from_ || at + need > from_ + size_) {
      const std::uint64_t piece = std::min<std::uint64_t>(kPieceBytes, file_bytes_);
      const std::size_t size = std::max(need, static_cast<std::size_t>(piece));
      if (buffer_.size() < size) buffer_.resize(size);
      ASSIGN_OR_RETURN(size_, file_.ReadAt(at, buffer_));
      from_ = at;
    }
    const std::size_t skip = static_cast<std::size_t>(at - from_);
    return ByteSpan(buffer_).subspan(skip, std::min(need, size_ - skip));
  }

  const File& file_;
  const std::uint64_t file_bytes_;
  std::vector<std::uint8_t> buffer_;
  std::uint64_t from_ = 0;
  std::size_t size_ = 0;
};

Status ZeroFrom(File& file, std::uint64_t at) {
  ASSIGN_OR_RETURN(const std::uint64_t file_bytes, file.Size());
  std::vector<std::uint8_t> piece(
      static_cast<std::size_t>(std::min<std::uint64_t>(kPieceBytes, file_bytes)));
  while (true) {
    ASSIGN_OR_RETURN(const std::size_t got, file.ReadAt(at, piece));
    for (std::size_t i = 0; i < got; i += kBlockBytes) {
      const std::size_t size = std::min(kBlockBytes, got - i);
      const std::span<std::uint8_t> block = std::span(piece).subspan(i, size);
      if (IsZero(block)) continue;
      std::fill(block.begin(), block.end(), std::uint8_t{0});
      RETURN_IF_ERROR(file.WriteAt(at + i, block));
    }
    at += got;
    if (got == 0 || at >= file_bytes) return Ok();
  }
}

// What lies above the published end was perhaps never synced, or its sync failed and the page cache
// alone has it: written again, the sync that follows covers it.
Status Rewrite(File& file, std::uint64_t from, std::uint64_t to) {
  std::vector<std::uint8_t> piece(
      static_cast<std::size_t>(std::min<std::uint64_t>(kPieceBytes, to - from)));
  while (from < to) {
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), to - from));
    ASSIGN_OR_RETURN(const std::size_t got, file.ReadAt(from, std::span(piece).first(want)));
    if (got == 0) return Error{Code::kUnavailable, "a segment became shorter while it was opened"};
    RETURN_IF_ERROR(file.WriteAt(from, std::span(piece).first(got)));
    from += got;
  }
  return Ok();
}

Status ScanNewest(const StreamFiles& files, SegmentWriter::Start& start) {
  ASSIGN_OR_RETURN(const std::uint64_t file_bytes, start.file->Size());
  Scan scan(*start.file, file_bytes);
  start.byte = start.head.head_bytes;
  start.last_commit = start.head.last_commit;
  start.tails = start.head.tails;
  std::vector<PartitionTail> moved;
  while (!start.ended) {
    ASSIGN_OR_RETURN(const ByteSpan batch, scan.BatchAt(start.byte));
    if (batch.empty()) break;
    const auto header = ParseBatch(batch, start.head.generation);
    if (!header.ok() && header.error().code == Code::kUnsupported) {
      return Annotate(header.error(), files.NameOf({start.head.segment, start.byte}));
    }
    if (!header.ok()) break;
    moved = start.tails;  // a tick batch may turn out wrong half way
    if (!ContinueTails(batch, *header, files, moved)) break;
    start.tails.swap(moved);
    start.last_commit = std::max(start.last_commit, header->commit);
    start.byte += header->length;
    start.ended = header->kind == BatchKind::kEndOfSegment;
  }
  return Ok();
}

// Opens the newest segment whose head is whole; removes one that was never used.
Result<SegmentWriter::Start> OpenNewest(Disk& disk, const StreamFiles& files,
                                        std::vector<std::uint64_t>& segments, Place durable) {
  SegmentWriter::Start start;
  for (bool removed = false; !segments.empty(); removed = true) {
    const std::uint64_t newest = segments.back();
    ASSIGN_OR_RETURN(start.file, disk.Open(files.PathOf(newest), OpenMode::kReadWrite));
    auto head = ReadSegmentHead(*start.file, files, newest);
    if (head.ok()) {
      start.head = std::move(head).value();
      return start;
    }
    if (head.error().code != Code::kCorrupt || removed || newest <= durable.segment) {
      return head.error();
    }
    start.file.reset();
    RETURN_IF_ERROR(disk.Remove(files.PathOf(newest)));
    RETURN_IF_ERROR(disk.SyncFolder(files.folder));
    segments.pop_back();
  }
  start.file.reset();
  return start;
}

// Older segments were complete before a newer one existed: their heads must be whole.
Status CheckOlder(Disk& disk, const StreamFiles& files,
                  const std::vector<std::uint64_t>& segments) {
  for (std::size_t i = 0; i + 1 < segments.size(); ++i) {
    if (segments[i] + 1 != segments[i + 1]) {
      return Error{Code::kCorrupt, files.NameOf({segments[i] + 1, 0}) + ": the file is missing"};
    }
    ASSIGN_OR_RETURN(const auto file, disk.Open(files.PathOf(segments[i]), OpenMode::kRead));
    RETURN_IF_ERROR(ReadSegmentHead(*file, files, segments[i]));
  }
  return Ok();
}

}  // namespace

Result<SegmentWriter::Start> RecoverStream(Disk& disk, const StreamFiles& files, Place durable) {
  ASSIGN_OR_RETURN(auto segments, ListSegments(disk, files));
  ASSIGN_OR_RETURN(SegmentWriter::Start start, OpenNewest(disk, files, segments, durable));
  RETURN_IF_ERROR(CheckOlder(disk, files, segments));
  if (!segments.empty()) RETURN_IF_ERROR(ScanNewest(files, start));
  const Place end{start.head.segment, start.byte};
  if (end < durable) {
    return Error{Code::kCorrupt,
                 fmt::format("{}: records up to byte {} of segment {} were durable and are gone or "
                             "broken; restore this file",
                             files.NameOf(end), durable.byte, durable.segment)};
  }
  if (segments.empty()) return start;
  const bool is_published = durable.segment == start.head.segment;
  RETURN_IF_ERROR(Rewrite(*start.file, is_published ? durable.byte : 0, start.byte));
  RETURN_IF_ERROR(ZeroFrom(*start.file, start.byte));
  RETURN_IF_ERROR(start.file->Preallocate(start.head.segment_bytes));
  RETURN_IF_ERROR(start.file->Sync());
  return start;
}

}  // namespace telltale::log
