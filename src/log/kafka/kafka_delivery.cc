// The delivery thread of a shard: what the cluster said of the records handed to it.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <array>

#include "log/kafka/kafka_shard.h"

namespace telltale::log::kafka {
namespace {

constexpr int kTurnMs = 50;

}  // namespace

void KafkaShard::OnReport(rd_kafka_t* /*kafka*/, const rd_kafka_message_t* message, void* self) {
  static_cast<KafkaShard*>(self)->TakeReport(*message);
}

void KafkaShard::OnError(rd_kafka_t* /*kafka*/, int err, const char* reason, void* self) {
  static_cast<KafkaShard*>(self)->TakeError(static_cast<rd_kafka_resp_err_t>(err), reason);
}

void KafkaShard::TakeReport(const rd_kafka_message_t& message) {
  const auto opaque = reinterpret_cast<std::uint64_t>(message._private);
  const std::size_t stream = opaque & ((1u << kStreamBits) - 1);
  if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    if (!broken_) broken_ = ErrorOf(message.err, "writing topic " + topic_names_[stream]);
    return;
  }
  std::uint64_t& expected = expected_[stream][static_cast<std::size_t>(message.partition)];
  // The offset is not known when the broker had it already from a try whose answer was lost; then
  // the next one tells. A second copy of a try moves what follows too: no ledger may name it.
  if (message.offset >= 0 && static_cast<std::uint64_t>(message.offset) != expected) {
    if (!broken_) {
      broken_ =
          Error{Code::kUnavailable,
                fmt::format("topic {} partition {} took a record at offset {} where {} was "
                            "next: somebody else writes to it; see that one gateway runs and "
                            "start it again",
                            topic_names_[stream], message.partition, message.offset, expected)};
    }
    return;
  }
  ++expected;
  const std::uint64_t commit = opaque >> kStreamBits;
  if (delivered_.empty() || delivered_.back().commit != commit) {
    delivered_.push_back({commit, 0, 0});
  }
  ++delivered_.back().records;
  delivered_.back().bytes += message.len;
}

void KafkaShard::TakeError(rd_kafka_resp_err_t err, const char* reason) {
  last_reason_ = reason;
  if (err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) down_reason_ = reason;
  if (err != RD_KAFKA_RESP_ERR__FATAL) return;
  std::array<char, 512> words{};
  const auto fatal = rd_kafka_fatal_error(kafka_.get(), words.data(), words.size());
  if (!broken_) broken_ = ErrorOf(fatal, "writing to Kafka", words.data());
}

void KafkaShard::DeliveryLoop() {
  delivered_at_ = clock_.NowMonotonic();
  while (!stop_.load(std::memory_order_acquire)) {
    rd_kafka_poll(kafka_.get(), kTurnMs);
    Settle();
  }
  if (stalled()) return;
  rd_kafka_flush(kafka_.get(), static_cast<int>(kLastWait.count()));
  Settle();
}

// True when the durable commit moved.
bool KafkaShard::SettleCommits() {
  for (const Delivered& one : delivered_) {
    groups_[one.commit - first_group_].outstanding -= one.records;
    unsynced_ -= one.bytes;
  }
  const std::uint64_t before = first_group_;
  while (groups_.front().is_used && groups_.front().outstanding == 0) {
    groups_.pop_front();
    ++first_group_;
    if (groups_.empty()) groups_.emplace_back();
  }
  durable_commit_.store(first_group_ - 1, std::memory_order_release);
  return first_group_ != before;
}

// What OnStall is to hear, if anything.
std::optional<Status> KafkaShard::SettleStall(bool any_delivered) {
  const Micros now = clock_.NowMonotonic();
  if (any_delivered || unsynced_ == 0) {
    delivered_at_ = now;
    down_reason_.clear();
  }
  if (stalled()) {
    if (!any_delivered && !failure_.has_value()) return {};
    stalled_.store(false, std::memory_order_release);
    return failure_.has_value() ? Status(*failure_) : Ok();
  }
  if (unsynced_ == 0 || failure_.has_value()) return {};
  const Micros since = std::max(delivered_at_, waiting_since_);
  if (down_reason_.empty() && now - since < Micros{kStallAfter.count() * 1000}) return {};
  stalled_.store(true, std::memory_order_release);
  const std::string& reason = down_reason_.empty() ? last_reason_ : down_reason_;
  return Status(Error{Code::kOverloaded,
                      fmt::format("Kafka takes nothing{}{}", reason.empty() ? "" : ": ", reason)});
}

void KafkaShard::Settle() {
  OnCommit on_commit;
  OnStall on_stall;
  std::optional<Status> stall;
  Result<CommitNumber> commit = CommitNumber{};
  {
    MutexLock lock(mutex_);
    if (broken_ && !failure_.has_value() && !stop_) {
      failure_ = Error{Code::kUnavailable, broken_->message};
    }
    const bool has_moved = !failure_.has_value() && SettleCommits();
    stall = SettleStall(!delivered_.empty());
    UpdateRoom();
    if (stall) on_stall = on_stall_;
    if (failure_.has_value() && !is_failure_told_) {
      is_failure_told_ = true;
      on_commit = on_commit_;
      commit = *failure_;
    } else if (has_moved) {
      on_commit = on_commit_;
      commit = durable_commit();
    }
    settled_.NotifyAll();
  }
  delivered_.clear();
  if (on_stall) on_stall(*stall);
  if (on_commit) on_commit(commit);
}

}  // namespace telltale::log::kafka
