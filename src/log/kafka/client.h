// Talking to the cluster apart from appending and reading on: questions, topics, single records.
#pragma once

#include <chrono>
#include <vector>

#include "base/ids.h"
#include "log/kafka/handles.h"
#include "log/kafka/settings.h"
#include "log/record.h"

namespace telltale::log::kafka {

// A question that is not answered within this fails: kUnavailable.
inline constexpr std::chrono::milliseconds kAnswerMax{10'000};
// Of a batch as the topics take it, and what of that one message may be. The largest record is a
// quarantined MQTT packet, sealed, or the sealed entries of one (base/limits.h: 1 MiB).
inline constexpr std::size_t kTopicMessageBytesMax = 4u << 20;
inline constexpr std::size_t kMessageBytesMax = kTopicMessageBytesMax - 4096;

// Where the cluster is and how to get in.
struct Cluster {
  std::string brokers;
  std::string topic_prefix;
  std::uint16_t replication = 3;
  Settings settings;

  std::string TopicOf(const std::string& stream) const { return topic_prefix + stream; }
  std::string LedgerTopic() const { return topic_prefix + "ledger"; }
};

// The cluster's settings and `ours` over them; logs go to spdlog. Give it to NewKafka.
Result<ConfHandle> MakeConf(const Cluster& cluster, const Settings& ours);
Result<KafkaHandle> NewKafka(rd_kafka_type_t type, ConfHandle conf);

inline constexpr int kPartitionsMaxOfTopic = 1024;

struct Place {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  friend auto operator<=>(const Place&, const Place&) = default;
};

// A topic as it should be made. Nothing is ever changed of one that exists.
struct TopicPlan {
  std::string name;
  std::uint16_t partitions = 1;
};

// Any thread.
class Client {
 public:
  explicit Client(const Cluster& cluster) : cluster_(cluster) {}  // must outlive it
  Status Start();

  // Partitions of a topic; 0 = it does not exist.
  Result<std::uint16_t> PartitionsOf(const std::string& topic);
  // Makes those that are missing and waits until each partition has a leader; checks the others.
  //   kInvalid  one has another number of partitions, is compacted, takes too small messages, or
  //             stamps messages itself
  Status EnsureTopics(const std::vector<TopicPlan>& plans);

  // First kept, next to be written, and first of log time `since` or later (next, when none is),
  // of partitions 0 .. count-1.
  //   kNotFound  no such topic
  Result<std::vector<std::int64_t>> Lows(const std::string& topic, std::uint16_t count);
  Result<std::vector<std::int64_t>> Ends(const std::string& topic, std::uint16_t count);
  Result<std::vector<std::int64_t>> Since(const std::string& topic, std::uint16_t count,
                                          Micros since);

  // Removes the records below each offset.
  Status DeleteBelow(const std::vector<Place>& places);

 private:
  Result<std::vector<std::int64_t>> Times(const std::string& topic, std::uint16_t count,
                                          std::int64_t time);
  Result<std::vector<std::int64_t>> TimesOnce(const std::string& topic, std::uint16_t count,
                                              std::int64_t time, bool& has_no_leader);
  Result<bool> AreReady(const std::vector<TopicPlan>& plans);
  Status Create(const std::vector<TopicPlan>& plans);
  Status CheckExisting(const std::vector<std::string>& topics);
  Result<EventHandle> Await(rd_kafka_queue_t& queue, std::string_view doing);

  const Cluster& cluster_;
  KafkaHandle kafka_;
};

}  // namespace telltale::log::kafka
