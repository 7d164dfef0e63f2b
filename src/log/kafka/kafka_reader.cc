#include "log/kafka/kafka_reader.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "log/kafka/kafka_record.h"

namespace telltale::log::kafka {
namespace {

Error Expired(const std::string& topic, std::size_t partition, std::uint64_t wanted,
              std::int64_t kept) {
  return Error{Code::kInvalid,
               fmt::format("expired: topic {} partition {} offset {} was removed by retention; the "
                           "first kept is {}",
                           topic, partition, wanted, kept)};
}

// Kafka lost records that a reader has seen.
Error BeyondEnd(const std::string& topic, std::size_t partition, std::uint64_t wanted,
                std::int64_t end) {
  return Error{Code::kCorrupt,
               fmt::format("topic {} partition {} ends at offset {}, and a reader was at {}: the "
                           "cluster lost acknowledged records, or it is another log's position",
                           topic, partition, end, wanted)};
}

}  // namespace

Result<std::unique_ptr<Reader>> KafkaReader::Open(const Cluster& cluster, Client& client,
                                                  const std::string& stream, ShardId shard,
                                                  std::uint16_t shards, const Position& from) {
  if (shard.value >= shards) {
    return Error{Code::kInvalid, fmt::format("there is no shard {}, only {}", shard.value, shards)};
  }
  std::unique_ptr<KafkaReader> reader(new KafkaReader(cluster, cluster.TopicOf(stream)));
  RETURN_IF_ERROR(reader->Place(client, shard, shards, from));
  return std::unique_ptr<Reader>(std::move(reader));
}

Status KafkaReader::Place(Client& client, ShardId shard, std::uint16_t shards,
                          const Position& from) {
  ASSIGN_OR_RETURN(const std::uint16_t partitions, client.PartitionsOf(topic_));
  if (partitions == 0) return Error{Code::kNotFound, "there is no topic " + topic_ + " yet"};
  if (!from.next.empty() && from.next.size() != partitions) {
    return Error{Code::kInvalid,
                 fmt::format("the position has {} partitions and the log {}; it is another log's",
                             from.next.size(), partitions)};
  }
  ASSIGN_OR_RETURN(const auto lows, client.Lows(topic_, partitions));
  ASSIGN_OR_RETURN(const auto ends, client.Ends(topic_, partitions));
  position_.next.resize(partitions);
  ends_.resize(partitions);
  std::vector<kafka::Place> places;
  for (std::size_t p = shard.value; p < partitions; p += shards) {
    Offset& next = position_.next[p];
    next = from.next.empty() ? Offset{static_cast<std::uint64_t>(lows[p])} : from.next[p];
    const auto at = static_cast<std::int64_t>(next.value);
    if (at < lows[p]) return Expired(topic_, p, next.value, lows[p]);
    if (at > ends[p]) return BeyondEnd(topic_, p, next.value, ends[p]);
    ends_[p] = ends[p];
    known_to_be_there_ += static_cast<std::uint64_t>(ends[p] - at);
    places.push_back({topic_, static_cast<std::int32_t>(p), at});
  }
  ASSIGN_OR_RETURN(consumer_, Consumer::Start(cluster_, places, kReadAheadBytes));
  return Ok();
}

Result<const RecordView*> KafkaReader::Next() {
  if (failure_) return *failure_;
  if (unexplained_) return WhyNotThere(unexplained_->first, std::string(unexplained_->second));
  while (true) {
    const auto wait = known_to_be_there_ > 0 ? kCatchUpWait : std::chrono::milliseconds{0};
    const rd_kafka_message_t* const message = consumer_->Next(wait);
    if (message == nullptr) return nullptr;
    const auto taken = Take(*message);
    if (!taken.ok()) {
      if (!unexplained_) failure_ = taken.error();
      return taken.error();
    }
    if (*taken) return &view_;
  }
}

// False: it is none to give.
Result<bool> KafkaReader::Take(const rd_kafka_message_t& message) {
  if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    RETURN_IF_ERROR(TakeError(message));
    return false;
  }
  const auto partition = static_cast<std::size_t>(message.partition);
  Offset& next = position_.next[partition];
  const auto wanted = static_cast<std::int64_t>(next.value);
  if (message.offset < wanted) return false;
  if (message.offset > wanted) {
    return WhyNotThere(message.partition, fmt::format("goes on at offset {}", message.offset));
  }
  Micros last_data;
  if (const Status read = DecodeRecord(ValueOf(message), view_, last_data); !read.ok()) {
    return Annotate(read.error(), fmt::format("topic {} partition {} offset {}", topic_, partition,
                                              message.offset));
  }
  view_.header.firmware = 0;
  view_.partition = PartitionId{static_cast<std::uint16_t>(partition)};
  view_.offset = next;
  ++next.value;
  if (wanted < ends_[partition]) --known_to_be_there_;
  return true;
}

Status KafkaReader::TakeError(const rd_kafka_message_t& message) {
  const auto err = message.err;
  if (err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET || err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
    return WhyNotThere(message.partition, "refuses the offset");
  }
  const Error error = ErrorOf(err, "reading topic " + topic_);
  // The cluster is away or a leader moves: librdkafka goes on by itself, from the same record.
  if (IsPassing(err)) {
    spdlog::debug("kafka: {}", error.message);
    return Ok();
  }
  // A topic that is being made elsewhere, or one that somebody removed: not to be read on.
  if (error.code == Code::kNotFound) return Error{Code::kCorrupt, error.message};
  return error;
}

// The record at the position is not there. While the cluster cannot say why, every call asks again.
Error KafkaReader::WhyNotThere(std::int32_t partition, const std::string& what) {
  unexplained_.emplace(partition, what);
  const Error error = Explain(partition, what);
  if (error.code != Code::kUnavailable) {
    unexplained_.reset();
    failure_ = error;
  }
  return error;
}

// Removed, or lost, or never there.
Error KafkaReader::Explain(std::int32_t partition, std::string_view what) {
  const auto at = static_cast<std::size_t>(partition);
  const std::uint64_t wanted = position_.next[at].value;
  Client client(cluster_);
  if (const Status started = client.Start(); !started.ok()) return started.error();
  const auto lows = client.Lows(topic_, partitions());
  if (!lows.ok()) return lows.error();
  const auto ends = client.Ends(topic_, partitions());
  if (!ends.ok()) return ends.error();
  const auto next = static_cast<std::int64_t>(wanted);
  if (next < (*lows)[at]) return Expired(topic_, at, wanted, (*lows)[at]);
  if (next > (*ends)[at]) return BeyondEnd(topic_, at, wanted, (*ends)[at]);
  return Error{Code::kCorrupt, fmt::format("topic {} partition {} {} where {} is next", topic_,
                                           partition, what, wanted)};
}

bool KafkaReader::WaitForMore(std::chrono::milliseconds timeout) {
  if (!failure_) consumer_->WaitForMore(timeout);
  return true;
}

}  // namespace telltale::log::kafka
