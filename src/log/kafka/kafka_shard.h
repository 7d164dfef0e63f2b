// One shard's writing end on Kafka: the owner thread hands records to a producer of its own, the
// delivery thread learns where they lie and raises the commit number.
#pragma once

#include <atomic>
#include <deque>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/mutex.h"
#include "log/kafka/client.h"
#include "log/kafka/kafka_record.h"
#include "log/log.h"
#include "log/tick_pace.h"

namespace telltale::log::kafka {

// Without a delivery for this long, or at once when no broker can be reached, a shard is stalled.
inline constexpr std::chrono::milliseconds kStallAfter{5'000};
// What SyncNow() of a stalled shard still waits, and a shard that ends.
inline constexpr std::chrono::milliseconds kLastWait{2'000};

// A message's opaque: its commit number, and its stream in the lowest bits.
inline constexpr std::uint64_t kStreamBits = 4;
static_assert(kStreamsMax <= 1u << kStreamBits);

class KafkaShard final : public ShardWriter {
 public:
  struct Parts {
    ShardId id;
    LogOptions options;
    std::vector<std::string> topics;                // by stream
    std::vector<std::vector<PartitionTail>> tails;  // by stream, then partition (all)
  };
  static Result<std::unique_ptr<KafkaShard>> Start(const Cluster& cluster, Parts parts);
  // Waits a little for what is on its way. What the cluster has not taken then is dropped.
  ~KafkaShard() override;

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

 private:
  // Records staged between two calls of Flush(). Durable when all of them are.
  struct Group {
    std::uint64_t outstanding = 0;
    bool is_used = false;
  };
  // Deliveries of one turn of the delivery thread, by commit.
  struct Delivered {
    std::uint64_t commit = 0;
    std::uint64_t records = 0;
    std::uint64_t bytes = 0;
  };

  explicit KafkaShard(Parts parts);
  PartitionTail& TailOf(StreamIndex stream, PartitionId partition);
  Status Admit(std::uint64_t bytes) const REQUIRES(mutex_);
  CommitNumber Take(std::uint64_t bytes, std::uint64_t records) REQUIRES(mutex_);
  CommitNumber LastUsed() const REQUIRES(mutex_);
  void CloseGroup() REQUIRES(mutex_);
  void UpdateRoom() REQUIRES(mutex_);
  Status Produce(StreamIndex stream, const BatchBuilder& batch, CommitNumber commit);
  Error Fail(const Error& error);

  // Delivery thread.
  static void OnReport(rd_kafka_t* kafka, const rd_kafka_message_t* message, void* self);
  static void OnError(rd_kafka_t* kafka, int err, const char* reason, void* self);
  void TakeReport(const rd_kafka_message_t& message);
  void TakeError(rd_kafka_resp_err_t err, const char* reason);
  void DeliveryLoop();
  void Settle();
  bool SettleCommits() REQUIRES(mutex_);
  std::optional<Status> SettleStall(bool any_delivered) REQUIRES(mutex_);

  const ShardId id_;
  const LogOptions options_;
  const std::vector<std::string> topic_names_;
  const SystemClock clock_;
  KafkaHandle kafka_;
  std::vector<TopicHandle> topics_;  // by stream

  // Owner thread.
  std::vector<std::vector<PartitionTail>> tails_;  // by stream, then partition (all)
  TickPace pace_;
  BatchBuilder tick_;
  std::string value_;

  // Delivery thread.
  std::vector<std::vector<std::uint64_t>> expected_;  // next to be delivered, likewise
  std::vector<Delivered> delivered_;
  std::optional<Error> broken_;  // of this turn
  std::string down_reason_;      // no broker can be reached; "" = not known to be so
  std::string last_reason_;
  Micros delivered_at_;

  mutable Mutex mutex_;
  CondVar settled_;
  std::deque<Group> groups_ GUARDED_BY(mutex_);  // the last one is open
  std::uint64_t first_group_ GUARDED_BY(mutex_) = 1;
  std::uint64_t unsynced_ GUARDED_BY(mutex_) = 0;
  Micros waiting_since_ GUARDED_BY(mutex_);  // when something became outstanding
  std::optional<Error> failure_ GUARDED_BY(mutex_);
  bool is_failure_told_ GUARDED_BY(mutex_) = false;
  OnCommit on_commit_ GUARDED_BY(mutex_);
  OnStall on_stall_ GUARDED_BY(mutex_);

  std::atomic<std::uint64_t> durable_commit_{0};
  std::atomic<bool> has_room_{true};
  std::atomic<bool> stalled_{false};
  std::atomic<bool> stop_{false};
  std::thread thread_;  // last: uses all of the above
};

}  // namespace telltale::log::kafka
