#include "log/kafka/kafka_shard.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace telltale::log::kafka {
namespace {

constexpr int kTurnMs = 50;
// The smallest message: a tick.
constexpr std::uint64_t kSmallestMessage = kMessageHeadBytesMax + kRecordHeaderBytesV1;

// Its queue never refuses what Admit() let pass.
Settings ProducerSettings(const Cluster& cluster, std::uint64_t unsynced_bytes_max) {
  Settings settings = {
      {"allow.auto.create.topics", "false"},
      {"enable.idempotence", "true"},
      {"enable.gapless.guarantee", "true"},
      {"acks", "all"},
      {"message.timeout.ms", "0"},  // the cluster is away: a stall, no failure
      {"message.max.bytes", std::to_string(kMessageBytesMax)},
      {"queue.buffering.max.messages", std::to_string(unsynced_bytes_max / kSmallestMessage + 1)},
      {"queue.buffering.max.kbytes", std::to_string(unsynced_bytes_max / 1024 + 1)}};
  const bool is_set = std::any_of(cluster.settings.begin(), cluster.settings.end(),
                                  [](const auto& one) { return one.first == "linger.ms"; });
  if (!is_set) settings.emplace_back("linger.ms", "2");
  return settings;
}

void* ToOpaque(CommitNumber commit, StreamIndex stream) {
  return reinterpret_cast<void*>((commit.value << kStreamBits) | stream);
}

std::size_t CarriedIn(const LogOptions& options, ShardId id) {
  return (options.partitions + options.shards - 1u - id.value) / options.shards;
}

}  // namespace

KafkaShard::KafkaShard(Parts parts)
    : id_(parts.id),
      options_(std::move(parts.options)),
      topic_names_(std::move(parts.topics)),
      tails_(std::move(parts.tails)),
      pace_(CarriedIn(options_, id_)) {
  for (const auto& of_stream : tails_) {
    auto& expected = expected_.emplace_back();
    for (std::size_t p = 0; p < of_stream.size(); ++p) {
      expected.push_back(of_stream[p].next.value);
      const bool is_carried = p % options_.shards == id_.value;
      if (is_carried && of_stream[p].last_data > Micros{}) {
        pace_.SawActivity(p / options_.shards, of_stream[p].last_data);
      }
    }
  }
  groups_.emplace_back();
}

Result<std::unique_ptr<KafkaShard>> KafkaShard::Start(const Cluster& cluster, Parts parts) {
  ASSIGN_OR_RETURN(ConfHandle conf,
                   MakeConf(cluster, ProducerSettings(cluster, parts.options.unsynced_bytes_max)));
  std::unique_ptr<KafkaShard> shard(new KafkaShard(std::move(parts)));
  rd_kafka_conf_set_opaque(conf.get(), shard.get());
  rd_kafka_conf_set_dr_msg_cb(conf.get(), OnReport);
  rd_kafka_conf_set_error_cb(conf.get(), OnError);
  ASSIGN_OR_RETURN(shard->kafka_, NewKafka(RD_KAFKA_PRODUCER, std::move(conf)));
  for (const std::string& topic : shard->topic_names_) {
    shard->topics_.emplace_back(rd_kafka_topic_new(shard->kafka_.get(), topic.c_str(), nullptr));
    if (shard->topics_.back() == nullptr) {
      return ErrorOf(rd_kafka_last_error(), "writing topic " + topic);
    }
  }
  shard->thread_ = std::thread([self = shard.get()] { self->DeliveryLoop(); });
  return shard;
}

KafkaShard::~KafkaShard() {
  stop_.store(true, std::memory_order_release);
  if (thread_.joinable()) thread_.join();
  if (kafka_ != nullptr)
    rd_kafka_purge(kafka_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
}

void KafkaShard::SetOnCommit(OnCommit callback) {
  MutexLock lock(mutex_);
  on_commit_ = std::move(callback);
}

void KafkaShard::SetOnStall(OnStall callback) {
  MutexLock lock(mutex_);
  on_stall_ = std::move(callback);
}

PartitionTail& KafkaShard::TailOf(StreamIndex stream, PartitionId partition) {
  CHECK(stream < tails_.size());
  CHECK(partition.value < options_.partitions && ShardOf(partition, options_.shards) == id_);
  return tails_[stream][partition.value];
}

Offset KafkaShard::next_offset(StreamIndex stream, PartitionId partition) const {
  return const_cast<KafkaShard*>(this)->TailOf(stream, partition).next;
}

Status KafkaShard::Admit(std::uint64_t bytes) const {
  if (failure_.has_value()) {
    return Error{Code::kUnavailable,
                 "this shard is read-only until the log is opened again: " + failure_->message};
  }
  if (bytes > 0 && stalled()) {
    return Error{Code::kOverloaded, "Kafka takes nothing; the log goes on by itself when it does"};
  }
  if (unsynced_ + bytes > options_.unsynced_bytes_max) {
    return Error{Code::kOverloaded, "too much waits for Kafka; retry after a commit"};
  }
  return Ok();
}

CommitNumber KafkaShard::LastUsed() const {
  const std::uint64_t open = first_group_ + groups_.size() - 1;
  return CommitNumber{groups_.back().is_used ? open : open - 1};
}

// Before the records are handed on: a delivery may be quicker than whoever hands them.
CommitNumber KafkaShard::Take(std::uint64_t bytes, std::uint64_t records) {
  if (unsynced_ == 0) waiting_since_ = clock_.NowMonotonic();
  unsynced_ += bytes;
  groups_.back().outstanding += records;
  groups_.back().is_used = true;
  UpdateRoom();
  return LastUsed();
}

void KafkaShard::CloseGroup() {
  if (groups_.back().is_used) groups_.emplace_back();
}

void KafkaShard::UpdateRoom() {
  if (stalled() || unsynced_ >= options_.unsynced_bytes_max / kRoomHighMarkDivisor) {
    has_room_.store(false, std::memory_order_release);
  } else if (unsynced_ < options_.unsynced_bytes_max / kRoomLowMarkDivisor) {
    has_room_.store(true, std::memory_order_release);
  }
}

Result<CommitNumber> KafkaShard::Append(std::span<const Staged> batches) {
  MessageSizes sum;
  std::uint64_t records = 0;
  for (const Staged& staged : batches) {
    const MessageSizes sizes = SizesOf(*staged.batch);
    if (sizes.largest > kMessageBytesMax) {
      return Error{Code::kTooBig, fmt::format("a record of {} bytes; at most {} fit a message",
                                              sizes.largest, kMessageBytesMax)};
    }
    if (sizes.total > options_.unsynced_bytes_max) {
      return Error{Code::kTooBig, fmt::format("a batch of {} bytes; at most {} fit", sizes.total,
                                              options_.unsynced_bytes_max)};
    }
    sum.total += sizes.total;
    records += staged.batch->count();
  }
  CommitNumber commit;
  {
    MutexLock lock(mutex_);
    RETURN_IF_ERROR(Admit(sum.total));
    if (records == 0) return LastUsed();
    commit = Take(sum.total, records);
  }
  for (const Staged& staged : batches) {
    if (staged.batch->count() == 0) continue;
    RETURN_IF_ERROR(Produce(staged.stream, *staged.batch, commit));
    if (!staged.batch->has_data() && !staged.batch->has_config()) continue;
    const PartitionId partition = staged.batch->partition();
    pace_.SawActivity(partition.value / options_.shards, TailOf(staged.stream, partition).log_time);
  }
  return commit;
}

Status KafkaShard::Produce(StreamIndex stream, const BatchBuilder& batch, CommitNumber commit) {
  PartitionTail& tail = TailOf(stream, batch.partition());
  MessageWriter writer(batch);
  std::array<rd_kafka_vu_t, 6> fields{};
  fields[0].vtype = RD_KAFKA_VTYPE_RKT;
  fields[0].u.rkt = topics_[stream].get();
  fields[1].vtype = RD_KAFKA_VTYPE_PARTITION;
  fields[1].u.i32 = batch.partition().value;
  fields[2].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  fields[2].u.i = RD_KAFKA_MSG_F_COPY;
  fields[3].vtype = RD_KAFKA_VTYPE_OPAQUE;
  fields[3].u.ptr = ToOpaque(commit, stream);
  fields[4].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
  fields[5].vtype = RD_KAFKA_VTYPE_VALUE;
  while (writer.Next(tail, value_)) {
    // 0 would mean now.
    fields[4].u.i64 = std::max<std::int64_t>(1, tail.log_time.value / 1000);
    fields[5].u.mem = {value_.data(), value_.size()};
    const ErrorHandle error(rd_kafka_produceva(kafka_.get(), fields.data(), fields.size()));
    if (error != nullptr) {
      return Fail(ErrorOf(rd_kafka_error_code(error.get()), "writing topic " + topic_names_[stream],
                          rd_kafka_error_string(error.get())));
    }
  }
  return Ok();
}

// Told by the delivery thread. Part of a batch may be in the cluster, so nothing may follow it.
Error KafkaShard::Fail(const Error& error) {
  MutexLock lock(mutex_);
  if (!failure_.has_value()) failure_ = Error{Code::kUnavailable, error.message};
  settled_.NotifyAll();
  return *failure_;
}

Status KafkaShard::Tick(Micros now_utc) {
  if (!options_.ticks) return Ok();
  pace_.MoveClock(now_utc);
  const std::size_t carried = CarriedIn(options_, id_);
  std::uint64_t due = 0;
  for (std::size_t i = 0; i < carried; ++i) due += pace_.IsDue(i) ? 1 : 0;
  if (due == 0) return Ok();
  const std::uint64_t records = due * tails_.size();
  CommitNumber commit;
  {
    MutexLock lock(mutex_);
    RETURN_IF_ERROR(Admit(records * kSmallestMessage));
    commit = Take(records * kSmallestMessage, records);
  }
  RecordHeader header;
  header.kind = RecordKind::kTick;
  header.receipt_time = now_utc;
  for (std::size_t i = 0; i < carried; ++i) {
    if (!pace_.IsDue(i)) continue;
    pace_.Ticked(i);
    tick_.Clear(PartitionId{static_cast<std::uint16_t>(i * options_.shards + id_.value)});
    tick_.Add(header, {}, {});
    for (StreamIndex stream = 0; stream < tails_.size(); ++stream) {
      RETURN_IF_ERROR(Produce(stream, tick_, commit));
    }
  }
  return Ok();
}

void KafkaShard::Flush() {
  MutexLock lock(mutex_);
  CloseGroup();
}

Status KafkaShard::SyncNow() {
  MutexLock lock(mutex_);
  CloseGroup();
  const CommitNumber wanted = LastUsed();
  const Micros begun = clock_.NowMonotonic();
  while (durable_commit() < wanted && !failure_.has_value()) {
    if (stalled() && clock_.NowMonotonic() - begun >= Micros{kLastWait.count() * 1000}) {
      return Error{Code::kOverloaded, "Kafka takes nothing; what was staged is kept"};
    }
    settled_.WaitFor(mutex_, std::chrono::milliseconds{kTurnMs});
  }
  if (failure_.has_value()) return *failure_;
  return Ok();
}

}  // namespace telltale::log::kafka
