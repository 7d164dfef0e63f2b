#include "log/kafka/kafka_streams.h"

#include "log/kafka/kafka_log.h"
#include "log/kafka/kafka_reader.h"
#include "log/kafka/kafka_retention.h"

namespace telltale::log::kafka {

Result<Client*> KafkaStreams::Asker() {
  MutexLock lock(mutex_);
  if (client_ == nullptr) {
    auto client = std::make_unique<Client>(options_.cluster);
    RETURN_IF_ERROR(client->Start());
    client_ = std::move(client);
  }
  return client_.get();
}

Result<std::unique_ptr<Log>> KafkaStreams::Open(LogOptions options) {
  ASSIGN_OR_RETURN(Client* const client, Asker());
  return KafkaLog::Open(options_.cluster, *client, options);
}

Result<std::unique_ptr<Reader>> KafkaStreams::OpenReader(const std::string& stream, ShardId shard,
                                                         const Position& from) {
  ASSIGN_OR_RETURN(Client* const client, Asker());
  return KafkaReader::Open(options_.cluster, *client, stream, shard, options_.shards, from);
}

Result<LogShape> KafkaStreams::Describe() {
  ASSIGN_OR_RETURN(Client* const client, Asker());
  {
    MutexLock lock(mutex_);
    if (shape_) return *shape_;
  }
  ASSIGN_OR_RETURN(const LedgerContent content, ReadLedger(options_.cluster, *client));
  if (!content.shape) {
    return Error{Code::kNotFound, "there is no log of topics " + options_.cluster.topic_prefix +
                                      "* yet; the gateway makes it"};
  }
  MutexLock lock(mutex_);
  shape_ = LogShape{content.shape->streams, content.shape->partitions, options_.shards};
  return *shape_;
}

Result<std::vector<DurableEnd>> KafkaStreams::Ends(const std::string& stream) {
  ASSIGN_OR_RETURN(Client* const client, Asker());
  const std::string topic = options_.cluster.TopicOf(stream);
  ASSIGN_OR_RETURN(const std::uint16_t partitions, client->PartitionsOf(topic));
  if (partitions == 0) return Error{Code::kNotFound, "there is no topic " + topic + " yet"};
  ASSIGN_OR_RETURN(const auto offsets, client->Ends(topic, partitions));
  std::vector<DurableEnd> ends;
  for (std::uint16_t s = 0; s < options_.shards; ++s) {
    DurableEnd end{.shard = ShardId{s}, .commit = {}, .next = {}};
    end.next.resize(partitions);
    for (std::size_t p = s; p < partitions; p += options_.shards) {
      end.next[p] = Offset{static_cast<std::uint64_t>(offsets[p])};
    }
    ends.push_back(std::move(end));
  }
  return ends;
}

Result<std::vector<Log::LedgerEntry>> KafkaStreams::Ledger() {
  ASSIGN_OR_RETURN(Client* const client, Asker());
  ASSIGN_OR_RETURN(LedgerContent content, ReadLedger(options_.cluster, *client));
  if (!content.shape) {
    return Error{Code::kNotFound, "there is no ledger of topics " + options_.cluster.topic_prefix +
                                      "* yet; the gateway makes it"};
  }
  return std::move(content.entries);
}

Result<RetentionReport> KafkaStreams::Retention(const RetentionOptions& options,
                                                Micros now_log_time) {
  ASSIGN_OR_RETURN(Client* const client, Asker());
  ASSIGN_OR_RETURN(const LogShape shape, Describe());
  return RetainOnKafka(options_.cluster, *client, disk_, shape, options, now_log_time);
}

}  // namespace telltale::log::kafka
