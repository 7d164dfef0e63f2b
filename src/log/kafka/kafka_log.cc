#include "log/kafka/kafka_log.h"

#include <fmt/format.h>

#include "log/durable_map.h"
#include "log/kafka/consumer.h"

namespace telltale::log::kafka {

Result<std::vector<PartitionTail>> ReadTails(const Cluster& cluster, Client& client,
                                             const std::string& topic, std::uint16_t partitions) {
  ASSIGN_OR_RETURN(const auto lows, client.Lows(topic, partitions));
  ASSIGN_OR_RETURN(const auto ends, client.Ends(topic, partitions));
  std::vector<PartitionTail> tails(partitions);
  std::vector<Range> last;
  for (std::uint16_t p = 0; p < partitions; ++p) {
    tails[p].next = Offset{static_cast<std::uint64_t>(ends[p])};
    if (ends[p] > lows[p]) last.push_back({{topic, p, ends[p] - 1}, ends[p]});
  }
  const auto take = [&](const rd_kafka_message_t& message) -> Status {
    RecordView view;
    PartitionTail& tail = tails[static_cast<std::size_t>(message.partition)];
    if (const Status read = DecodeRecord(ValueOf(message), view, tail.last_data); !read.ok()) {
      return Annotate(read.error(), fmt::format("topic {} partition {} offset {}", topic,
                                                message.partition, message.offset));
    }
    tail.log_time = view.log_time;
    return Ok();
  };
  RETURN_IF_ERROR(VisitRanges(cluster, last, take));
  return tails;
}

Result<std::unique_ptr<Log>> KafkaLog::Open(const Cluster& cluster, Client& client,
                                            const LogOptions& options) {
  RETURN_IF_ERROR(CheckShape({options.streams, options.partitions, options.shards}));
  std::vector<TopicPlan> plans;
  std::vector<std::string> topics;
  for (const std::string& stream : options.streams) {
    topics.push_back(cluster.TopicOf(stream));
    plans.push_back({topics.back(), options.partitions});
  }
  plans.push_back({cluster.LedgerTopic(), 1});
  RETURN_IF_ERROR(client.EnsureTopics(plans));
  std::unique_ptr<KafkaLog> log(new KafkaLog());
  log->partitions_ = options.partitions;
  ASSIGN_OR_RETURN(log->ledger_,
                   KafkaLedger::Open(cluster, client, {options.partitions, options.streams}));
  std::vector<std::vector<PartitionTail>> tails;
  for (const std::string& topic : topics) {
    ASSIGN_OR_RETURN(auto of_topic, ReadTails(cluster, client, topic, options.partitions));
    tails.push_back(std::move(of_topic));
  }
  for (std::uint16_t s = 0; s < options.shards; ++s) {
    ASSIGN_OR_RETURN(auto shard, KafkaShard::Start(cluster, {ShardId{s}, options, topics, tails}));
    log->shards_.push_back(std::move(shard));
  }
  return std::unique_ptr<Log>(std::move(log));
}

ShardWriter& KafkaLog::shard(ShardId id) {
  CHECK(id.value < shards_.size());
  return *shards_[id.value];
}

}  // namespace telltale::log::kafka
