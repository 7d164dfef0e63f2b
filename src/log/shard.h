// One shard of a log: the owner thread stages, the sync thread commits.
#pragma once

#include <atomic>
#include <thread>

#include "base/mutex.h"
#include "log/crew.h"
#include "log/segment.h"
#include "log/tick_pace.h"

namespace telltale::log {

class Shard final : public ShardWriter {
 public:
  struct Parts {
    ShardId id;
    LogOptions options;
    std::vector<SegmentWriter> writers;  // by stream, begun
    CommitNumber last_commit;            // everything up to it is durable
  };
  // `map` must outlive this object.
  Shard(Parts parts, DurableMap& map);
  // Ends the commit under way (a stalled one gets one more try); what was never flushed is dropped.
  ~Shard() override;

  Result<CommitNumber> Append(std::span<const Staged> batches) override;
  bool HasRoom() const override { return has_room_.load(std::memory_order_acquire); }
  void Flush() override;
  void SetOnCommit(OnCommit callback) override;
  void SetOnStall(OnStall callback) override;
  bool stalled() const override { return stalled_.load(std::memory_order_acquire); }
  CommitNumber durable_commit() const override {
    return CommitNumber{durable_commit_.load(std::memory_order_acquire)};
  }
  Status SyncNow() override;
  Offset next_offset(StreamIndex stream, PartitionId partition) const override;
  Status Tick(Micros now_utc) override;

  // What the sync thread publishes; for the first publication at open.
  DurableState State() const;

 private:
  struct Staging {
    std::vector<std::string> bytes;  // by stream
    std::uint64_t total = 0;
    CommitNumber commit;
  };

  PartitionTail& TailOf(StreamIndex stream, PartitionId partition);
  std::uint64_t Unsynced() const REQUIRES(mutex_) { return front_.total + back_.total; }
  Status Admit(std::uint64_t bytes) REQUIRES(mutex_);
  void Hand() REQUIRES(mutex_);  // front to back, wakes the sync thread
  void UpdateRoom() REQUIRES(mutex_);
  void SyncLoop();
  Status Commit(DurableState& state);
  Status TryCommit(DurableState& state);
  bool PauseAfterFull(const Error& error, std::chrono::milliseconds pause);
  void EndStall(const Status& outcome);

  const ShardId id_;
  const LogOptions options_;
  const std::size_t carried_;
  const std::uint64_t batch_bytes_max_;
  DurableMap& map_;

  // Owner thread.
  std::vector<std::vector<PartitionTail>> tails_;  // by stream, then carried partition
  TickPace pace_;                                  // by carried partition, over all streams
  std::vector<log::Tick> due_;                     // scratch

  // Sync thread; during a commit a stream's writer belongs to one thread of the crew.
  std::vector<SegmentWriter> writers_;
  std::vector<Status> written_;        // by stream
  std::vector<std::size_t> to_write_;  // streams of the commit under way that are not synced yet
  const std::function<void(std::size_t)> write_stream_;
  Crew crew_;

  mutable Mutex mutex_;
  CondVar handed_;                    // to the sync thread: back_ is full, stop, or try now
  CondVar committed_;                 // to SyncNow
  Staging front_ GUARDED_BY(mutex_);  // the owner stages here
  Staging back_;                      // the sync thread's while busy_, else empty
  bool busy_ GUARDED_BY(mutex_) = false;
  bool flush_wanted_ GUARDED_BY(mutex_) = false;
  bool stop_ GUARDED_BY(mutex_) = false;
  bool retry_now_ GUARDED_BY(mutex_) = false;  // SyncNow cuts the pause of a stall short
  std::uint64_t tries_begun_ GUARDED_BY(mutex_) = 0;
  std::uint64_t tries_full_ GUARDED_BY(mutex_) = 0;  // the newest that met a full disk
  std::optional<Error> failure_ GUARDED_BY(mutex_);
  OnCommit on_commit_ GUARDED_BY(mutex_);
  OnStall on_stall_ GUARDED_BY(mutex_);

  std::atomic<std::uint64_t> durable_commit_;
  std::atomic<bool> has_room_{true};
  std::atomic<bool> stalled_{false};
  std::thread thread_;  // last: uses all of the above
};

}  // namespace telltale::log
