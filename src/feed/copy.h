// feed/ - the streams as segments of this machine, where they live on Kafka: for telltale-lake and
// telltale-vault, which are linked with no Kafka, and for `telltale doctor`.
//   in      streams safety, telemetry, sealed by log::Streams
//   out     the same records at the same offsets in paths.log(); who waits there is woken
//   owns    that log (its lock); <data>/positions/lake-feed
//   thread  one a shard, and one for retention
//   not here: what a record means
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/counters.h"
#include "log/streams.h"

namespace telltale::feed {

inline constexpr std::size_t kTurnRecordsMax = 4096;
inline constexpr std::size_t kTurnBytesMax = 4u << 20;
inline constexpr std::string_view kConsumer = "lake-feed";

// One shard of the copy. One thread.
//
// The copy has no position of its own: where it goes on is where its segments end, so nothing is
// copied twice or left out, however it died.
class ShardCopy {
 public:
  struct Parts {
    log::Streams& source;
    log::Log& copy;
    Disk& disk;
    Counters& counters;
  };
  // `parts` must outlive it. `streams` are the names as the copy numbers them.
  ShardCopy(Parts parts, ShardId shard, std::vector<std::string> streams,
            std::string positions_dir);

  // Opens the source where the copy ends.
  //   kNotFound         there is no source yet: try again later
  //   log::IsExpired()  what the copy wants next is gone from the source
  Status Open();

  // Copies what is there of each stream, up to the limits above, and returns with it durable. True
  // when there was something.
  //   kOverloaded  the disk is full: nothing is lost; call again later
  //   kCorrupt     the source's offsets do not go on where the copy ends, or it cannot be read
  //   kUnavailable the source or the copy's disk failed: end the process, it goes on where it was
  Result<bool> Step();

  // The latest of what was copied since Open().
  Micros log_time() const { return log_time_; }

  // Blocks until the source may have more, `timeout` at most.
  void WaitForMore(std::chrono::milliseconds timeout);

 private:
  Result<bool> StageStream(log::StreamIndex stream);
  Status Take(log::StreamIndex stream, const log::RecordView& record);
  Status WriteStaged();
  log::ShardWriter& writer() { return parts_.copy.shard(shard_); }

  Parts parts_;
  const ShardId shard_;
  const std::vector<std::string> streams_;
  const std::string positions_dir_;
  std::vector<std::unique_ptr<log::Reader>> readers_;  // by stream

  // Of the turn under way, by stream and partition; kept for their memory.
  std::vector<std::vector<log::BatchBuilder>> builders_;
  std::vector<log::ShardWriter::Staged> staged_;
  std::vector<log::Log::LedgerEntry> ledger_;
  bool is_appended_ = false;  // staged in the copy's log, not yet durable
  std::size_t bytes_ = 0;
  Micros log_time_;
  std::size_t next_to_wait_for_ = 0;
  Counter& records_;
  Counter& turns_;
};

}  // namespace telltale::feed
