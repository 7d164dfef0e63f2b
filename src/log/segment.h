// One segment file: its head, its name, and the writer that fills one after the other. Bytes:
// docs/formats/segment.md.
#pragma once

#include "log/batch.h"
#include "log/durable_map.h"

namespace telltale::log {

inline constexpr std::uint32_t kSegmentHeadBytesMax = 1u << 20;
inline constexpr std::uint64_t kSegmentBytesMax = 1ull << 32;  // a batch's length is 32 bits

// Which files: one stream's in one shard.
struct StreamFiles {
  std::string folder;  // <dir>/<stream>/shard-<n>
  std::string stream;
  ShardId shard;
  std::uint16_t shards = 1;
  std::uint16_t partitions = 1;
  std::size_t carried = 1;

  StreamFiles() = default;
  StreamFiles(const std::string& dir, const std::string& stream_name, ShardId shard_id,
              const LogShape& shape);
  std::string PathOf(std::uint64_t segment) const;
  // "stream safety shard 0 segment 3 byte 4096"
  std::string NameOf(Place place) const;
};

struct SegmentHead {
  std::uint32_t head_bytes = 0;
  std::uint64_t segment = 0;
  std::uint64_t generation = 0;
  std::uint64_t segment_bytes = 0;
  CommitNumber last_commit;          // before this segment
  std::vector<PartitionTail> tails;  // by carried partition, before this segment

  std::string Encode(const StreamFiles& files) const;
};

//   kCorrupt      broken, or of another stream, shard or shape
//   kUnsupported  needs a newer reader
Result<SegmentHead> ReadSegmentHead(const File& file, const StreamFiles& files,
                                    std::uint64_t segment);
// Numbers of the segments in the folder, rising. kNotFound without folder.
Result<std::vector<std::uint64_t>> ListSegments(Disk& disk, const StreamFiles& files);

// Writes whole batches behind each other and rolls to a new segment when one does not fit. One
// thread. After kOverloaded (the disk is full) the same call may be made again with the same bytes:
// it goes on where it stopped. After any other error nothing more may be written; so a sync that
// meets a full disk is kUnavailable (what it left in the page cache cannot be trusted).
class SegmentWriter {
 public:
  // At the end of an existing segment, or at the start of the first (`head.segment` == 0).
  struct Start {
    SegmentHead head;
    std::uint64_t byte = 0;
    CommitNumber last_commit;
    bool ended = false;  // the end-of-segment batch is written: roll first
    std::vector<PartitionTail> tails;
    std::unique_ptr<File> file;
  };
  SegmentWriter(Disk& disk, StreamFiles files, std::uint64_t segment_bytes, Start start);

  // Makes sure that there is a segment to write to. Call once before Write.
  Status Begin();
  // `batches` as BatchCodec made them; seals them in place. Full segments are synced on the way.
  Status Write(std::string& batches);
  // Everything written so far.
  Status Sync();

  Place end() const { return Place{head_.segment, byte_}; }
  const std::vector<PartitionTail>& tails() const { return tails_; }
  // Largest batch a segment of `segment_bytes` takes.
  static std::uint64_t BatchBytesMax(const StreamFiles& files, std::uint64_t segment_bytes);

 private:
  Status WriteOut(std::string& batches);
  Status Roll();
  Status Create(std::uint64_t segment);
  Status Fill(File& file, const SegmentHead& head);
  Status RemoveHalfMade();

  Disk& disk_;
  const StreamFiles files_;
  const std::uint64_t segment_bytes_;
  SegmentHead head_;
  std::unique_ptr<File> file_;
  std::uint64_t byte_;
  CommitNumber last_commit_;
  bool ended_;
  bool dirty_ = false;
  std::vector<PartitionTail> tails_;
  // Of the batches being written: [0, written_to_) lies in the file; [written_to_, sealed_to_) is
  // sealed for it and counted in byte_, tails_ and last_commit_. Both 0 between two calls that
  // succeeded.
  std::size_t written_to_ = 0;
  std::size_t sealed_to_ = 0;
  std::string half_made_;  // path of a segment that did not come to be; empty = none
};

// Opens one stream's files of a shard: finds the end, cuts what is torn, syncs.
//   kCorrupt  below `durable`, or a segment other than the newest
Result<SegmentWriter::Start> RecoverStream(Disk& disk, const StreamFiles& files, Place durable);

// Moves `tails` over a parsed batch; false when the batch does not continue them or names a
// partition that is not carried.
bool ContinueTails(ByteSpan batch, const BatchHeader& header, const StreamFiles& files,
                   std::vector<PartitionTail>& tails);

}  // namespace telltale::log
