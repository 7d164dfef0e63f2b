#include "log/kafka/kafka_ledger.h"

#include <fmt/format.h>

#include <algorithm>

#include "log/kafka/consumer.h"

namespace telltale::log::kafka {
namespace {

constexpr int kTurnMs = 100;

struct Delivery {
  bool is_done = false;
  rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR_NO_ERROR;
};

void OnReport(rd_kafka_t* /*kafka*/, const rd_kafka_message_t* message, void* /*self*/) {
  auto* const delivery = static_cast<Delivery*>(message->_private);
  delivery->is_done = true;
  delivery->err = message->err;
}

}  // namespace

Result<LedgerContent> ReadLedger(const Cluster& cluster, Client& client) {
  LedgerContent content;
  const std::string topic = cluster.LedgerTopic();
  ASSIGN_OR_RETURN(const std::uint16_t partitions, client.PartitionsOf(topic));
  if (partitions == 0) return content;
  ASSIGN_OR_RETURN(const auto lows, client.Lows(topic, 1));
  ASSIGN_OR_RETURN(const auto ends, client.Ends(topic, 1));
  const auto take = [&](const rd_kafka_message_t& message) -> Status {
    auto read = DecodeLedgerMessage(ValueOf(message));
    if (!read.ok()) {
      return Annotate(read.error(), fmt::format("topic {} offset {}", topic, message.offset));
    }
    if (read->shape && !content.shape) content.shape = std::move(read->shape);
    content.entries.insert(content.entries.end(), read->entries.begin(), read->entries.end());
    return Ok();
  };
  RETURN_IF_ERROR(VisitRanges(cluster, {{{topic, 0, lows[0]}, ends[0]}}, take));
  return content;
}

Result<std::unique_ptr<KafkaLedger>> KafkaLedger::Open(const Cluster& cluster, Client& client,
                                                       const Shape& shape) {
  ASSIGN_OR_RETURN(LedgerContent content, ReadLedger(cluster, client));
  if (content.shape && *content.shape != shape) {
    return Error{Code::kInvalid, fmt::format("the log of topics {}* was made with other streams or "
                                             "another number of partitions ({})",
                                             cluster.topic_prefix, content.shape->partitions)};
  }
  ASSIGN_OR_RETURN(ConfHandle conf,
                   MakeConf(cluster, {{"allow.auto.create.topics", "false"},
                                      {"acks", "all"},
                                      {"linger.ms", "0"},
                                      {"message.max.bytes", std::to_string(kMessageBytesMax)},
                                      {"message.timeout.ms", std::to_string(kAnswerMax.count())}}));
  rd_kafka_conf_set_dr_msg_cb(conf.get(), OnReport);
  std::unique_ptr<KafkaLedger> ledger(new KafkaLedger(shape));
  ledger->topic_ = cluster.LedgerTopic();
  MutexLock lock(ledger->mutex_);
  ASSIGN_OR_RETURN(ledger->kafka_, NewKafka(RD_KAFKA_PRODUCER, std::move(conf)));
  if (!content.shape) RETURN_IF_ERROR(ledger->Write(EncodeShape(shape)));
  ledger->entries_ = std::move(content.entries);
  return ledger;
}

Status KafkaLedger::Write(const std::string& value) {
  Delivery delivery;
  const TopicHandle topic(rd_kafka_topic_new(kafka_.get(), topic_.c_str(), nullptr));
  if (topic == nullptr) return ErrorOf(rd_kafka_last_error(), "writing the ledger");
  // Copied: librdkafka only reads it.
  if (rd_kafka_produce(topic.get(), 0, RD_KAFKA_MSG_F_COPY, const_cast<char*>(value.data()),
                       value.size(), nullptr, 0, &delivery) != 0) {
    return ErrorOf(rd_kafka_last_error(), "writing the ledger");
  }
  // It always ends: librdkafka gives up after message.timeout.ms.
  while (!delivery.is_done) rd_kafka_poll(kafka_.get(), kTurnMs);
  if (delivery.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return ErrorOf(delivery.err, "writing the ledger");
  }
  return Ok();
}

Status KafkaLedger::Append(std::span<const Log::LedgerEntry> entries) {
  if (entries.empty()) return Ok();
  for (const Log::LedgerEntry& entry : entries) {
    if (entry.stream >= shape_.streams.size() || entry.partition.value >= shape_.partitions) {
      return Error{Code::kInvalid, "a ledger entry names a stream or partition the log has not"};
    }
  }
  MutexLock lock(mutex_);
  RETURN_IF_ERROR(Write(EncodeLedger(entries)));
  entries_.insert(entries_.end(), entries.begin(), entries.end());
  return Ok();
}

std::vector<Log::LedgerEntry> KafkaLedger::entries() const {
  MutexLock lock(mutex_);
  return entries_;
}

}  // namespace telltale::log::kafka
