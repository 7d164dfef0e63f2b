// log/ - durable ordered streams: own segments on one machine.
//   in      batches from gateway/ (streams safety, telemetry, sealed) and safety/ (journals)
//   out     the same records by offset, to readers in other processes
//   owns    <dir>/<stream>/shard-<n>/<segment>.seg, <dir>/durable.map, <dir>/ledger
//   thread  one owner thread per shard stages; one sync thread per shard writes; readers anywhere
//   not here: what a record means; when retention runs
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
// A commit that met a full disk is tried again after the first pause, then after twice the last
// one.
inline constexpr std::chrono::milliseconds kStallPauseMin{50};
inline constexpr std::chrono::milliseconds kStallPauseMax{2'000};
inline constexpr std::int64_t kTickActiveUs = 1'000'000;  // with data or config in the last ...
inline constexpr std::int64_t kTickActiveForUs = 600'000'000;  // ... 10 minutes
inline constexpr std::int64_t kTickIdleUs = 60'000'000;

// The owner's end of one shard. The process that opened the Log is the only writer.
class ShardWriter {
 public:
  virtual ~ShardWriter() = default;

  // Stages `batches[i]` for `stream` in order and gives them offsets; returns the number of the
  // commit that will carry everything staged so far. Not yet durable. Owner thread only.
  //   kOverloaded   over unsynced_bytes_max, or the disk is full: nothing staged; wait for a
  //                 commit, then retry
  //   kTooBig       a batch larger than a segment or than unsynced_bytes_max; nothing staged
  //   kUnavailable  the disk failed; this shard is read-only until the log is opened again
  struct Staged {
    StreamIndex stream;
    const BatchBuilder* batch;
  };
  virtual Result<CommitNumber> Append(std::span<const Staged> batches) = 0;

  // False above the high mark (unsynced_bytes_max / 2) until below the low mark (a quarter), and
  // while stalled: stop reading sockets until it is true after a commit callback. Owner thread.
  virtual bool HasRoom() const = 0;

  // Hands what is staged to the sync thread unless a commit is under way (that one takes it along
  // when it ends: group commit). Never blocks. Owner thread; call once per loop turn.
  virtual void Flush() = 0;

  // Called on the sync thread after each commit, or once with an error when the disk failed. Must
  // be quick: post to the owner's loop. Set before the first Append.
  using OnCommit = std::function<void(Result<CommitNumber>)>;
  virtual void SetOnCommit(OnCommit callback) = 0;

  // Called on the sync thread when the disk is full: with the error, once for all tries of a
  // commit; and again at its end: with Ok when the disk took that commit, or with what failed
  // then. A stall is no failure: OnCommit hears nothing of it, the staged bytes are kept and the
  // commit is tried again until there is room. Must be quick. Set before the first Append.
  using OnStall = std::function<void(const Status&)>;
  virtual void SetOnStall(OnStall /*callback*/) {}
  // The disk is full and nothing becomes durable. Any thread.
  virtual bool stalled() const { return false; }

  virtual CommitNumber durable_commit() const = 0;  // any thread
  // Blocks until all that was staged is durable. For tools, journals and tests. A stalled shard
  // tries at once, without the rest of its pause.
  //   kOverloaded   the disk is full; what was staged is kept: free some, then call again
  //   kUnavailable  the disk failed
  virtual Status SyncNow() = 0;
  virtual Offset next_offset(StreamIndex stream, PartitionId partition) const = 0;

  // Stages one tick record for every partition (of every stream) that is due: one a second while
  // the partition had data or a config record in the last 10 minutes, then one a minute. Owner
  // thread; call about every 100 ms with the clock's time (it becomes the partitions' log time when
  // it is later). A clock that is set back stops no tick: log time stands until the clock has
  // caught up.
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
  //   kOverloaded   the disk is full
  // `disk` and `clock` must outlive the log.
  static Result<std::unique_ptr<Log>> Open(Disk& disk, LogOptions options);

  virtual ShardWriter& shard(ShardId id) = 0;
  virtual std::uint16_t shards() const = 0;
  virtual std::uint16_t partitions() const = 0;

  // Ledger: which config record is in force from which offset. One synced file; outlives
  // retention. Returns after it is durable.
  //   kOverloaded  the disk is full: nothing was recorded; retry
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
  //   kInvalid      `from` has another number of partitions than the log, or no such shard; or
  //                 "expired: ...": retention removed records that `from` wants (names the first
  //                 offset kept)
  //   kCorrupt, kUnsupported
  // With an empty `from.next` it begins at the oldest record kept, whatever its offset.
  static Result<std::unique_ptr<Reader>> Open(Disk& disk, const std::string& dir,
                                              const std::string& stream, ShardId shard,
                                              const Position& from);
  // The next record in file order (per partition: offset order); nullptr at the durable end.
  //   kCorrupt      a batch below the durable end fails its check: stop this shard, name the place
  //   kUnsupported  a newer batch or an unknown record kind: likewise
  //   kInvalid      "expired: ...", as above: removed while this reader lagged
  //   kUnavailable  the disk failed: the next call tries again from the same record
  // After another error every further call gives the same error.
  virtual Result<const RecordView*> Next() = 0;
  // Position after the last record returned by Next().
  virtual const Position& position() const = 0;
  virtual std::uint16_t partitions() const = 0;
  // Blocks until there may be more to read or `timeout` is over. False, at once: this log does not
  // tell its readers; wait with a WakeClient.
  virtual bool WaitForMore(std::chrono::milliseconds /*timeout*/) { return false; }
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
// Readable for every user: the log's owner has to.
Status SavePosition(Disk& disk, const std::string& positions_dir, const std::string& consumer,
                    const std::string& stream, ShardId shard, const Position& position);
Result<Position> LoadPosition(Disk& disk, const std::string& positions_dir,
                              const std::string& consumer, const std::string& stream,
                              ShardId shard);  // kNotFound when there is none
// Records between `position` and `end`, ticks included; of a log with `shards` shards.
std::uint64_t RecordsBehind(const DurableEnd& end, const Position& position, std::uint16_t shards);

// --- Retention: whole segments, oldest first, held back by the slowest consumer. ---

// Of ReaderLag::share. From the first on the owner alarms; from the second on it stops reading
// sockets: later the records that a consumer still wants would outlive what the disk is planned
// for.
inline constexpr double kRetentionAlarmShare = 0.5;
inline constexpr double kRetentionStopShare = 0.8;

struct StreamRetention {
  std::string stream;
  Micros keep_for;                    // above 0
  std::uint64_t bytes_max = 0;        // over all shards, in equal parts; 0 = no limit
  std::vector<std::string> required;  // without a position of each, nothing is removed
};
struct RetentionOptions {
  std::string positions_dir;             // as for SavePosition
  std::vector<StreamRetention> streams;  // others are left alone
};

struct ReaderLag {
  std::string consumer;
  double share = 0;  // age of its next unread record / keep_for; 0 = nothing unread; no upper end
  std::string
      problem;  // why its position cannot be used (missing, unreadable, expired); else empty
};
// One stream in one shard, after the pass.
struct ShardRetention {
  std::string stream;
  ShardId shard;
  std::vector<Offset> oldest;  // first kept, by partition (those of other shards stay 0)
  std::uint64_t segments_kept = 0;
  std::uint64_t segments_removed = 0;
  std::uint64_t bytes_kept = 0;
  std::vector<ReaderLag> readers;  // slowest first
};
struct RetentionReport {
  std::vector<ShardRetention> shards;
  double share_max() const;  // of all readers
};

// One pass. Removes the oldest segments of a stream while the newest record in them is older than
// keep_for (or the stream takes more than bytes_max) and every consumer is past them: the required
// ones and every folder in positions_dir with a position for this stream and shard. A position that
// cannot be read holds everything. Never removes the newest segment. For the process that owns the
// log, on any thread, beside its writers; one pass at a time. Reads heads and one record by
// consumer and shard: call about once a minute.
//   kInvalid   keep_for is not above 0; nothing is removed
//   kNotFound  no log in `dir`, or no such stream; nothing is removed
//   others     of the disk; a pass that ended early has removed whole segments, oldest first
Result<RetentionReport> Retain(Disk& disk, const std::string& dir, const RetentionOptions& options,
                               Micros now_log_time);

}  // namespace telltale::log
