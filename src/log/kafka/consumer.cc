#include "log/kafka/consumer.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/clock.h"

namespace telltale::log::kafka {
namespace {

constexpr std::size_t kMessagesAtOnce = 512;
constexpr std::chrono::milliseconds kTurn{100};

Settings ConsumerSettings(std::size_t bytes_max) {
  return {{"allow.auto.create.topics", "false"},
          {"enable.auto.commit", "false"},
          {"auto.offset.reset", "error"},
          {"isolation.level", "read_uncommitted"},
          {"check.crcs", "true"},
          // A partition that joins waits for the answer under way.
          {"fetch.wait.max.ms", "100"},
          {"fetch.error.backoff.ms", "100"},
          {"fetch.message.max.bytes", std::to_string(bytes_max / 4)},
          {"queued.max.messages.kbytes", std::to_string(bytes_max / 1024)}};
}

}  // namespace

Result<std::unique_ptr<Consumer>> Consumer::Start(const Cluster& cluster,
                                                  const std::vector<Place>& from,
                                                  std::size_t bytes_max) {
  std::unique_ptr<Consumer> consumer(new Consumer());
  ASSIGN_OR_RETURN(ConfHandle conf, MakeConf(cluster, ConsumerSettings(bytes_max)));
  ASSIGN_OR_RETURN(consumer->kafka_, NewKafka(RD_KAFKA_CONSUMER, std::move(conf)));
  consumer->queue_.reset(rd_kafka_queue_new(consumer->kafka_.get()));
  std::map<std::string, std::size_t> topics;
  for (const Place& place : from) {
    const auto [at, is_new] = topics.try_emplace(place.topic, consumer->running_.size());
    if (is_new) {
      rd_kafka_topic_t* const topic =
          rd_kafka_topic_new(consumer->kafka_.get(), place.topic.c_str(), nullptr);
      if (topic == nullptr) return ErrorOf(rd_kafka_last_error(), "reading topic " + place.topic);
      consumer->running_.push_back({TopicHandle(topic), {}});
    }
    Running& running = consumer->running_[at->second];
    if (rd_kafka_consume_start_queue(running.topic.get(), place.partition, place.offset,
                                     consumer->queue_.get()) != 0) {
      return ErrorOf(rd_kafka_last_error(),
                     fmt::format("reading topic {} partition {}", place.topic, place.partition));
    }
    running.partitions.push_back(place.partition);
  }
  return consumer;
}

Consumer::~Consumer() {
  current_.reset();
  for (; at_ < messages_.size(); ++at_) rd_kafka_message_destroy(messages_[at_]);
  for (const Running& running : running_) {
    for (const std::int32_t partition : running.partitions) {
      rd_kafka_consume_stop(running.topic.get(), partition);
    }
  }
  running_.clear();
  queue_.reset();
}

bool Consumer::WaitForMore(std::chrono::milliseconds wait) {
  if (has_queued()) return true;
  rd_kafka_poll(kafka_.get(), 0);  // its errors and logs
  messages_.resize(kMessagesAtOnce);
  at_ = 0;
  const auto got = rd_kafka_consume_batch_queue(queue_.get(), static_cast<int>(wait.count()),
                                                messages_.data(), messages_.size());
  messages_.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return has_queued();
}

const rd_kafka_message_t* Consumer::Next(std::chrono::milliseconds wait) {
  current_.reset();
  if (!has_queued() && !WaitForMore(wait)) return nullptr;
  current_.reset(messages_[at_++]);
  return current_.get();
}

Status VisitRanges(const Cluster& cluster, const std::vector<Range>& ranges,
                   const std::function<Status(const rd_kafka_message_t&)>& visit) {
  std::map<std::pair<std::string, std::int32_t>, Range> open;
  std::vector<Place> from;
  for (const Range& range : ranges) {
    if (range.from.offset >= range.upto) continue;
    open.emplace(std::pair(range.from.topic, range.from.partition), range);
    from.push_back(range.from);
  }
  if (from.empty()) return Ok();
  constexpr std::size_t kBytesMax = 256u << 10;
  ASSIGN_OR_RETURN(const auto consumer, Consumer::Start(cluster, from, kBytesMax));
  const SystemClock clock;
  const Micros patience{kAnswerMax.count() * 1000};
  for (Micros deadline = clock.NowMonotonic() + patience; !open.empty();) {
    const rd_kafka_message_t* const message = consumer->Next(kTurn);
    if (message == nullptr) {
      if (clock.NowMonotonic() < deadline) continue;
      return Error{Code::kUnavailable,
                   fmt::format("topic {} partition {}: Kafka does not deliver",
                               open.begin()->first.first, open.begin()->first.second)};
    }
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      if (message->rkt == nullptr || IsPassing(message->err)) continue;
      return ErrorOf(message->err,
                     fmt::format("reading topic {} partition {}", rd_kafka_topic_name(message->rkt),
                                 message->partition));
    }
    deadline = clock.NowMonotonic() + patience;
    const auto found =
        open.find(std::pair(std::string(rd_kafka_topic_name(message->rkt)), message->partition));
    if (found == open.end()) continue;  // behind its range
    if (message->offset < found->second.upto) RETURN_IF_ERROR(visit(*message));
    if (message->offset + 1 >= found->second.upto) open.erase(found);
  }
  return Ok();
}

}  // namespace telltale::log::kafka
