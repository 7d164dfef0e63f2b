// log/ - durable ordered streams: own segments on one machine.
//   in      batches from gateway/ (streams safety, telemetry, sealed) and safety/ (journals)
//   out     the same records by offset, to readers in other processes
//   owns    <dir>/<stream>/shard-<n>/<segment>.seg, <dir>/durable.map, <dir>/ledger
//   thread  one owner thread per shard stages; one sync thread per shard writes; readers anywhere
//   not here: what a record means; retention
//
// A shard carries the partitions p with p mod shards == shard, of every stream, one file per
// stream. One commit of a shard writes and syncs the changed files of its streams, then raises the
// shard's commit number. An acknowledgement may leave when the number its appends returned is
// durable.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/disk.h"
#include "log/record.h"

namespace telltale::log {

struct LogOptions {
  std::string dir;
  std::vector<std::string> streams;  // {"safety", "telemetry", "sealed"} or {"journal"}
  std::uint16_t partitions = 64;
  std::uint16_t shards = 2;
  std::uint64_t segment_bytes = 64u << 20;
  std::uint64_t unsynced_bytes_max = 16u << 20;  // per shard
  bool ticks = true;                             // see Tick(); a journal has none
};

using StreamIndex = std::size_t;  // into LogOptions::streams

inline constexpr std::uint16_t kPartitionsMax = 1024;
inline constexpr std::size_t kStreamsMax = 16;
inline constexpr std::size_t kStreamNameBytesMax = 32;  // a-z 0-9 - _
// ShardWriter::HasRoom(): false from the high mark on, true again below the low mark; both are
// shares of LogOptions::unsynced_bytes_max. The owner stops reading sockets in between.
inline constexpr std::uint64_t kRoomHighMarkDivisor = 2;
inline constexpr std::uint64_t kRoomLowMarkDivisor = 4;
inline constexpr std::int64_t kTickActiveUs = 1'000'000;  // while there was data in the last ...
inline constexpr std::int64_t kTickActiveForUs = 600'000'000;  // ... 10 minutes
inline constexpr std::int64_t kTickIdleUs = 60'000'000;

// The owner's end of one shard. The process that opened the Log is the only writer.
class ShardWriter {
 public:
  virtual ~ShardWriter() = default;

  // Stages `batches[i]` for `stream` in order and gives them offsets; returns the number of the
  // commit that will carry everything staged so far. Not yet durable. Owner thread only.
  //   kOverloaded   over unsynced_bytes_max: nothing staged; wait for a commit, then retry
  //   kTooBig       a batch larger than a segment or than unsynced_bytes_max; nothing staged
  //   kUnavailable  the disk failed; this shard is read-only from now on
  struct Staged {
    StreamIndex stream;
    const BatchBuilder* batch;
  };
  virtual Result<CommitNumber> Append(std::span<const Staged> batches) = 0;

  // False above the high mark (unsynced_bytes_max / 2) until below the low mark (a quarter): stop
  // reading sockets until it is true after a commit callback. Owner thread.
  virtual bool HasRoom() const = 0;

  // Hands what is staged to the sync thread unless a commit is under way (that one takes it along
  // when it ends: group commit). Never blocks. Owner thread; call once per loop turn.
  virtual void Flush() = 0;

  // Called on the sync thread after each commit, or once with an error when the disk failed. Must
  // be quick: post to the owner's loop. Set before the first Append.
  using OnCommit = std::function<void(Result<CommitNumber>)>;
  virtual void SetOnCommit(OnCommit callback) = 0;

  virtual CommitNumber durable_commit() const = 0;  // any thread
  // Blocks until all that was staged is durable. For tools, journals and tests.
  virtual Status SyncNow() = 0;
  virtual Offset next_offset(StreamIndex stream, PartitionId partition) const = 0;

  // Stages one tick record for every partition (of every stream) that is due: one a second while
  // the partition had data in the last 10 minutes, then one a minute. Owner thread; call about
  // every 100 ms with the clock's time (it becomes the partitions' log time when it is later).
  virtual Status Tick(Micros now_utc) = 0;
};

class Log {
 public:
  virtual ~Log() = default;
  // Creates or recovers: cuts each shard's last segment after its last whole batch.
  //   kInvalid      partitions or shards differ from what the log was created with
  //   kCorrupt      a whole segment other than the last fails its check
  //   kUnsupported  a newer format
  //   kUnavailable  disk, or another process owns the log (lock file)
  // `disk` and `clock` must outlive the log.
  static Result<std::unique_ptr<Log>> Open(Disk& disk, LogOptions options);

  virtual ShardWriter& shard(ShardId id) = 0;
  virtual std::uint16_t shards() const = 0;
  virtual std::uint16_t partitions() const = 0;

  // Ledger: which config record is in force from which offset. One synced file; outlives
  // retention. Returns after it is durable.
  struct LedgerEntry {
    StreamIndex stream;
    PartitionId partition;
    Offset offset;
    ConfigSeq config_seq;
    std::string digest;  // hex SHA-256 of the config record's payload
  };
  virtual Status AppendLedger(std::span<const LedgerEntry> entries) = 0;
  virtual std::vector<LedgerEntry> ledger() const = 0;
};

// What a log was created with. kNotFound when there is none in `dir` (yet).
struct LogShape {
  std::vector<std::string> streams;
  std::uint16_t partitions = 0;
  std::uint16_t shards = 0;
};
Result<LogShape> DescribeLog(Disk& disk, const std::string& dir);

// How far one shard of one stream is durable, as its owner last said. Any process.
struct DurableEnd {
  ShardId shard;
  CommitNumber commit;
  std::uint64_t segment = 0;
  std::uint64_t byte = 0;
  std::vector<Offset> next;  // by partition (all partitions; those of other shards stay 0)
};
// One per shard. A consumer is drained when its Position::next equals these in every shard.
//   kNotFound  no log in `dir`, or no such stream
Result<std::vector<DurableEnd>> DurableEnds(Disk& disk, const std::string& dir,
                                            const std::string& stream);

// Which shard carries a partition.
inline ShardId ShardOf(PartitionId partition, std::uint16_t shards) {
  return ShardId{static_cast<std::uint16_t>(partition.value % shards)};
}

// Where a consumer is in one shard of one stream. `next` is what counts (and what Kafka knows);
// the cursor is a hint that saves scanning. Serialised into snapshots and hand-offs.
struct Position {
  std::vector<Offset> next;  // by partition (all partitions; those of other shards stay 0)
  std::uint64_t segment = 0;
  std::uint64_t byte = 0;

  std::string Encode() const;
  static Result<Position> Decode(ByteSpan bytes);  // kCorrupt
};

// Reads one shard of one stream, up to the durable end, in any process. One thread.
class Reader {
 public:
  virtual ~Reader() = default;
  //   kNotFound     the log or the stream does not exist (yet)
  //   kInvalid      `from` has another number of partitions than the log, or no such shard
  //   kCorrupt, kUnsupported
  static Result<std::unique_ptr<Reader>> Open(Disk& disk, const std::string& dir,
                                              const std::string& stream, ShardId shard,
                                              const Position& from);
  // The next record in file order (per partition: offset order); nullptr at the durable end.
  //   kCorrupt      a batch below the durable end fails its check: stop this shard, name the place
  //   kUnsupported  a newer batch or an unknown record kind: likewise
  // After an error every further call gives the same error.
  virtual Result<const RecordView*> Next() = 0;
  // Position after the last record returned by Next().
  virtual const Position& position() const = 0;
  virtual std::uint16_t partitions() const = 0;
};

// Lets a process know that something new is durable. The log's owner listens (WakeServer); a
// consumer that cannot connect falls back to its timeout.
class WakeServer {
 public:
  virtual ~WakeServer() = default;
  // Permissions 0660: readers of the owner's group may connect. The folder must exist.
  static Result<std::unique_ptr<WakeServer>> Start(const std::string& socket_path);
  virtual void WakeAll() = 0;  // any thread, never blocks
};
class WakeClient {
 public:
  explicit WakeClient(std::string socket_path) : path_(std::move(socket_path)) {}
  // Returns at a wake-up or after `timeout`, whichever is first. Reconnects by itself.
  void Wait(std::chrono::milliseconds timeout);

 private:
  struct Connection;
  std::string path_;
  std::shared_ptr<Connection> connection_;
};

// A consumer's durable place, which holds retention back: <positions>/<consumer>/<stream>-<shard>.
Status SavePosition(Disk& disk, const std::string& positions_dir, const std::string& consumer,
                    const std::string& stream, ShardId shard, const Position& position);
Result<Position> LoadPosition(Disk& disk, const std::string& positions_dir,
                              const std::string& consumer, const std::string& stream,
                              ShardId shard);  // kNotFound when there is none

}  // namespace telltale::log
