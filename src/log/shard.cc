#include "log/shard.h"

#include <fmt/format.h>

#include <algorithm>

namespace telltale::log {
namespace {

// By the stream with the longest head: its segments have the least room.
std::uint64_t BatchBytesMax(const LogOptions& options, ShardId id, const LogShape& shape) {
  std::uint64_t bytes = options.unsynced_bytes_max;
  for (const std::string& stream : options.streams) {
    bytes = std::min(bytes, SegmentWriter::BatchBytesMax(StreamFiles("", stream, id, shape),
                                                         options.segment_bytes));
  }
  return bytes;
}

}  // namespace

Shard::Shard(Parts parts, DurableMap& map)
    : id_(parts.id),
      options_(std::move(parts.options)),
      carried_(CarriedBy(id_, map.shape())),
      batch_bytes_max_(BatchBytesMax(options_, id_, map.shape())),
      map_(map),
      pace_(carried_),
      writers_(std::move(parts.writers)),
      written_(writers_.size()),
      write_stream_([this](std::size_t i) {
        written_[i] = writers_[i].Write(back_.bytes[i]);
        if (written_[i].ok()) written_[i] = writers_[i].Sync();
      }),
      crew_(writers_.size() - 1),
      durable_commit_(parts.last_commit.value) {
  for (const SegmentWriter& writer : writers_) {
    tails_.push_back(writer.tails());
    for (std::size_t i = 0; i < carried_; ++i) {
      const Micros data = writer.tails()[i].last_data;
      if (data > Micros{}) pace_.SawActivity(i, data);
    }
  }
  due_.reserve(carried_);
  to_write_.reserve(writers_.size());
  front_.bytes.resize(writers_.size());
  back_.bytes.resize(writers_.size());
  front_.commit = CommitNumber{parts.last_commit.value + 1};
  thread_ = std::thread([this] { SyncLoop(); });
}

Shard::~Shard() {
  {
    MutexLock lock(mutex_);
    stop_ = true;
    handed_.NotifyAll();
  }
  thread_.join();
}

void Shard::SetOnCommit(OnCommit callback) {
  MutexLock lock(mutex_);
  on_commit_ = std::move(callback);
}

void Shard::SetOnStall(OnStall callback) {
  MutexLock lock(mutex_);
  on_stall_ = std::move(callback);
}

PartitionTail& Shard::TailOf(StreamIndex stream, PartitionId partition) {
  CHECK(stream < tails_.size());
  CHECK(partition.value < options_.partitions && ShardOf(partition, options_.shards) == id_);
  return tails_[stream][CarriedIndex(partition, options_.shards)];
}

Offset Shard::next_offset(StreamIndex stream, PartitionId partition) const {
  return const_cast<Shard*>(this)->TailOf(stream, partition).next;
}

Status Shard::Admit(std::uint64_t bytes) {
  if (failure_.has_value()) {
    return Error{Code::kUnavailable,
                 "this shard is read-only after a disk error: " + failure_->message};
  }
  if (bytes > 0 && stalled()) {
    return Error{Code::kOverloaded, "the disk is full; free some, the log goes on by itself"};
  }
  if (Unsynced() + bytes > options_.unsynced_bytes_max) {
    return Error{Code::kOverloaded, "too much waits for the disk; retry after a commit"};
  }
  return Ok();
}

Result<CommitNumber> Shard::Append(std::span<const Staged> batches) {
  std::uint64_t total = 0;
  for (const Staged& staged : batches) {
    if (staged.batch->count() == 0) continue;
    const std::uint64_t bytes = BatchCodec::EncodedBytes(*staged.batch);
    if (bytes > batch_bytes_max_) {
      return Error{Code::kTooBig,
                   fmt::format("a batch of {} bytes; at most {} fit", bytes, batch_bytes_max_)};
    }
    total += bytes;
  }
  MutexLock lock(mutex_);
  RETURN_IF_ERROR(Admit(total));
  for (const Staged& staged : batches) {
    if (staged.batch->count() == 0) continue;
    const PartitionId partition = staged.batch->partition();
    PartitionTail& tail = TailOf(staged.stream, partition);
    BatchCodec::Encode(*staged.batch, front_.commit, tail, front_.bytes[staged.stream]);
    if (staged.batch->has_data() || staged.batch->has_config()) {
      pace_.SawActivity(CarriedIndex(partition, options_.shards), tail.log_time);
    }
  }
  front_.total += total;
  UpdateRoom();
  if (front_.total > 0) return front_.commit;
  return busy_ ? back_.commit : durable_commit();
}

Status Shard::Tick(Micros now_utc) {
  if (!options_.ticks) return Ok();
  pace_.MoveClock(now_utc);
  std::size_t due = 0;
  for (std::size_t i = 0; i < carried_; ++i) due += pace_.IsDue(i) ? 1 : 0;
  if (due == 0) return Ok();

  MutexLock lock(mutex_);
  const std::uint64_t total = BatchCodec::EncodedTickBytes(due) * tails_.size();
  RETURN_IF_ERROR(Admit(total));
  for (StreamIndex stream = 0; stream < tails_.size(); ++stream) {
    due_.clear();
    for (std::size_t i = 0; i < carried_; ++i) {
      if (!pace_.IsDue(i)) continue;
      PartitionTail& tail = tails_[stream][i];
      tail.log_time = std::max(tail.log_time, now_utc);
      due_.push_back({CarriedPartition(i, id_, options_.shards), tail.next, tail.log_time});
      ++tail.next.value;
    }
    BatchCodec::EncodeTicks(due_, front_.commit, now_utc, front_.bytes[stream]);
  }
  front_.total += total;
  UpdateRoom();
  for (std::size_t i = 0; i < carried_; ++i) {
    if (pace_.IsDue(i)) pace_.Ticked(i);
  }
  return Ok();
}

void Shard::Flush() {
  MutexLock lock(mutex_);
  if (front_.total == 0 || failure_.has_value()) return;
  if (busy_) {
    flush_wanted_ = true;
  } else {
    Hand();
  }
}

void Shard::Hand() {
  std::swap(front_, back_);
  front_.commit = CommitNumber{back_.commit.value + 1};
  busy_ = true;
  flush_wanted_ = false;
  handed_.NotifyOne();
}

void Shard::UpdateRoom() {
  const std::uint64_t unsynced = Unsynced();
  if (stalled() || unsynced >= options_.unsynced_bytes_max / kRoomHighMarkDivisor) {
    has_room_.store(false, std::memory_order_release);
  } else if (unsynced < options_.unsynced_bytes_max / kRoomLowMarkDivisor) {
    has_room_.store(true, std::memory_order_release);
  }
}

Status Shard::SyncNow() {
  MutexLock lock(mutex_);
  const CommitNumber wanted =
      front_.total > 0 ? front_.commit : (busy_ ? back_.commit : durable_commit());
  // A try that is under way may have met the full disk before the caller freed some: the next one
  // counts.
  const std::uint64_t begun = tries_begun_;
  while (durable_commit() < wanted && !failure_.has_value()) {
    if (tries_full_ > begun) {
      return Error{Code::kOverloaded, "the disk is full; what was staged is kept for a later try"};
    }
    if (busy_ && !retry_now_ && stalled()) {
      retry_now_ = true;
      handed_.NotifyOne();
    }
    if (front_.total > 0 && front_.commit <= wanted) {
      if (busy_) {
        flush_wanted_ = true;
      } else {
        Hand();
      }
    }
    committed_.Wait(mutex_);
  }
  if (failure_.has_value()) return *failure_;
  return Ok();
}

DurableState Shard::State() const {
  DurableState state;
  state.commit = durable_commit();
  for (const SegmentWriter& writer : writers_) {
    state.ends.push_back(writer.end());
    for (const PartitionTail& tail : writer.tails()) state.next.push_back(tail.next);
  }
  return state;
}

void Shard::SyncLoop() {
  DurableState state = State();
  while (true) {
    {
      MutexLock lock(mutex_);
      while (!busy_ && !stop_) handed_.Wait(mutex_);
      if (!busy_) return;
    }
    const Status written = Commit(state);
    OnCommit callback;
    CommitNumber number;
    {
      MutexLock lock(mutex_);
      number = back_.commit;
      if (written.ok()) {
        durable_commit_.store(number.value, std::memory_order_release);
      } else {
        failure_ = written.error();
        for (std::string& bytes : front_.bytes) bytes.clear();  // never to be written
        front_.total = 0;
      }
      for (std::string& bytes : back_.bytes) bytes.clear();
      back_.total = 0;
      busy_ = false;
      UpdateRoom();
      if (written.ok() && flush_wanted_ && front_.total > 0 && !stop_) Hand();
      committed_.NotifyAll();
      // The disk is full and the owner gives up: that is no failure of the disk.
      if (written.ok() || written.error().code != Code::kOverloaded) callback = on_commit_;
    }
    if (callback) callback(written.ok() ? Result<CommitNumber>(number) : written.error());
    if (!written.ok()) return;
  }
}

// One commit, however many tries it takes while the disk is full. kOverloaded only when the owner
// stopped waiting.
Status Shard::Commit(DurableState& state) {
  to_write_.clear();
  for (std::size_t i = 0; i < writers_.size(); ++i) {
    if (!back_.bytes[i].empty()) to_write_.push_back(i);
  }
  auto pause = kStallPauseMin;
  bool is_last = false;
  while (true) {
    {
      MutexLock lock(mutex_);
      ++tries_begun_;
      retry_now_ = false;
    }
    const Status tried = TryCommit(state);
    if (tried.ok() || tried.error().code != Code::kOverloaded) {
      EndStall(tried);
      return tried;
    }
    if (is_last) return tried;
    is_last = !PauseAfterFull(tried.error(), pause);
    pause = std::min(pause * 2, kStallPauseMax);
  }
}

// A try goes on where the one before met the full disk: a stream that is synced is not touched
// again, and the others' writers know how far they are.
Status Shard::TryCommit(DurableState& state) {
  crew_.Run(to_write_, write_stream_);
  std::erase_if(to_write_, [this](std::size_t i) { return written_[i].ok(); });
  for (const std::size_t i : to_write_) {
    if (written_[i].error().code != Code::kOverloaded) return written_[i];
  }
  if (!to_write_.empty()) return written_[to_write_.front()];
  state.commit = back_.commit;
  std::size_t at = 0;
  for (std::size_t i = 0; i < writers_.size(); ++i) {
    state.ends[i] = writers_[i].end();
    for (const PartitionTail& tail : writers_[i].tails()) state.next[at++] = tail.next;
  }
  return map_.Write(id_, state);
}

// False when the owner has stopped: one more try, then an end.
bool Shard::PauseAfterFull(const Error& error, std::chrono::milliseconds pause) {
  OnStall callback;
  {
    MutexLock lock(mutex_);
    if (!stalled_.exchange(true, std::memory_order_acq_rel)) callback = on_stall_;
    tries_full_ = tries_begun_;
    UpdateRoom();
    committed_.NotifyAll();
  }
  if (callback) callback(error);
  MutexLock lock(mutex_);
  // Woken early for no reason: one try more, no harm.
  if (!retry_now_ && !stop_) handed_.WaitFor(mutex_, pause);
  return !stop_;
}

void Shard::EndStall(const Status& outcome) {
  if (!stalled()) return;
  OnStall callback;
  {
    MutexLock lock(mutex_);
    stalled_.store(false, std::memory_order_release);
    callback = on_stall_;
  }
  if (callback) callback(outcome);
}

}  // namespace telltale::log
