#include "log/kafka/client.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/clock.h"

namespace telltale::log::kafka {
namespace {

using std::chrono::milliseconds;

constexpr int kAnswerMs = static_cast<int>(kAnswerMax.count());
constexpr int kTurnMs = 50;
constexpr std::size_t kErrorWords = 512;
// Where removal becomes physical: whole files only, so a file ends after this time at the latest.
constexpr std::string_view kFileMs = "43200000";  // 12 h

void Log(const rd_kafka_t* /*kafka*/, int level, const char* facility, const char* words) {
  // syslog's levels. What it warns of in settings: those of one file go to writers and readers
  // alike, and a guarantee that is asked for on purpose is called experimental.
  const bool is_settings = std::string_view(facility) == "CONFWARN";
  const auto to = is_settings  ? spdlog::level::debug
                  : level <= 3 ? spdlog::level::err
                  : level == 4 ? spdlog::level::warn
                  : level <= 6 ? spdlog::level::info
                               : spdlog::level::debug;
  spdlog::log(to, "kafka: {}: {}", facility, words);
}

bool LacksLeader(rd_kafka_resp_err_t err) {
  return err == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION ||
         err == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE ||
         err == RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH ||
         err == RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH;
}

bool IsPast(Micros deadline) { return SystemClock().NowMonotonic() >= deadline; }
Micros Deadline() { return SystemClock().NowMonotonic() + Micros{kAnswerMax.count() * 1000}; }

// The settings of a topic that we make.
std::vector<std::pair<std::string, std::string>> TopicSettings(std::uint16_t replication) {
  return {{"cleanup.policy", "delete"},
          {"retention.ms", "-1"},     // removal is ours: Streams::Retention()
          {"retention.bytes", "-1"},  // likewise
          {"segment.ms", std::string(kFileMs)},
          {"min.insync.replicas", std::to_string(std::max(1, replication - 1))},
          {"unclean.leader.election.enable", "false"},
          {"max.message.bytes", std::to_string(kTopicMessageBytesMax)},
          {"message.timestamp.type", "CreateTime"},
          // Log time is what it is, whatever the brokers' clocks say.
          {"message.timestamp.before.max.ms", std::to_string(INT64_MAX)},
          {"message.timestamp.after.max.ms", std::to_string(INT64_MAX)}};
}

Status CheckSetting(const std::string& topic, std::string_view name, std::string_view value) {
  const auto refuse = [&](std::string_view why) {
    return Error{Code::kInvalid, fmt::format("topic {} has {}={}: {}", topic, name, value, why)};
  };
  const auto warn = [&](std::string_view why) {
    spdlog::warn("kafka: topic {} has {}={}: {}", topic, name, value, why);
  };
  if (name == "cleanup.policy" && value != "delete") {
    return refuse("records would be lost; set cleanup.policy=delete");
  }
  if (name == "message.timestamp.type" && value != "CreateTime") {
    return refuse("retention goes by log time; set message.timestamp.type=CreateTime");
  }
  if (name == "max.message.bytes" &&
      std::strtoull(std::string(value).c_str(), nullptr, 10) < kTopicMessageBytesMax) {
    return refuse(fmt::format("records up to {} bytes come", kTopicMessageBytesMax));
  }
  if ((name == "retention.ms" || name == "retention.bytes") && value != "-1") {
    warn("Kafka removes records that were not read; set -1, Telltale removes them itself");
  }
  if (name == "unclean.leader.election.enable" && value != "false") {
    warn("acknowledged records can be lost; set false");
  }
  return Ok();
}

OffsetsHandle OffsetsFor(const std::string& topic, std::uint16_t count, std::int64_t offset) {
  OffsetsHandle offsets(rd_kafka_topic_partition_list_new(count));
  for (std::uint16_t p = 0; p < count; ++p) {
    rd_kafka_topic_partition_list_add(offsets.get(), topic.c_str(), p)->offset = offset;
  }
  return offsets;
}

}  // namespace

Result<ConfHandle> MakeConf(const Cluster& cluster, const Settings& ours) {
  ConfHandle conf(rd_kafka_conf_new());
  std::array<char, kErrorWords> words{};
  const auto set = [&](const std::string& key, const std::string& value) -> Status {
    if (rd_kafka_conf_set(conf.get(), key.c_str(), value.c_str(), words.data(), words.size()) ==
        RD_KAFKA_CONF_OK) {
      return Ok();
    }
    return Error{Code::kInvalid, "librdkafka refuses the value of " + key};
  };
  // Before the settings file, which may say otherwise.
  RETURN_IF_ERROR(set("client.id", "telltale"));
  RETURN_IF_ERROR(set("reconnect.backoff.max.ms", "1000"));
  // Else a request waits up to 40 ms for the acknowledgement of the segment before it.
  RETURN_IF_ERROR(set("socket.nagle.disable", "true"));
  for (const auto& [key, value] : cluster.settings) RETURN_IF_ERROR(set(key, value));
  RETURN_IF_ERROR(set("bootstrap.servers", cluster.brokers));
  for (const auto& [key, value] : ours) RETURN_IF_ERROR(set(key, value));
  rd_kafka_conf_set_log_cb(conf.get(), Log);
  return conf;
}

Result<KafkaHandle> NewKafka(rd_kafka_type_t type, ConfHandle conf) {
  std::array<char, kErrorWords> words{};
  KafkaHandle kafka(rd_kafka_new(type, conf.get(), words.data(), words.size()));
  if (kafka == nullptr) {
    return Error{Code::kInvalid, fmt::format("librdkafka does not start: {}", words.data())};
  }
  (void)conf.release();  // it is the new object's
  return kafka;
}

Status Client::Start() {
  ASSIGN_OR_RETURN(ConfHandle conf, MakeConf(cluster_, {{"allow.auto.create.topics", "false"}}));
  ASSIGN_OR_RETURN(kafka_, NewKafka(RD_KAFKA_PRODUCER, std::move(conf)));
  return Ok();
}

Result<std::uint16_t> Client::PartitionsOf(const std::string& topic) {
  const TopicHandle handle(rd_kafka_topic_new(kafka_.get(), topic.c_str(), nullptr));
  const rd_kafka_metadata_t* raw = nullptr;
  const auto err = rd_kafka_metadata(kafka_.get(), 0, handle.get(), &raw, kAnswerMs);
  if (err != RD_KAFKA_RESP_ERR_NO_ERROR) return ErrorOf(err, "asking Kafka for " + topic);
  const MetadataHandle metadata(raw);
  if (metadata->topic_cnt != 1) return std::uint16_t{0};
  const rd_kafka_metadata_topic& one = metadata->topics[0];
  if (one.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) return std::uint16_t{0};
  if (one.err != RD_KAFKA_RESP_ERR_NO_ERROR && one.err != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) {
    return ErrorOf(one.err, "asking Kafka for " + topic);
  }
  if (one.partition_cnt > kPartitionsMaxOfTopic) {
    return Error{Code::kInvalid,
                 fmt::format("topic {} has {} partitions", topic, one.partition_cnt)};
  }
  return static_cast<std::uint16_t>(one.partition_cnt);
}

Result<EventHandle> Client::Await(rd_kafka_queue_t& queue, std::string_view doing) {
  EventHandle event(rd_kafka_queue_poll(&queue, kAnswerMs + kTurnMs));
  if (event == nullptr) return Error{Code::kUnavailable, fmt::format("{}: no answer", doing)};
  const auto err = rd_kafka_event_error(event.get());
  if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return ErrorOf(err, doing, rd_kafka_event_error_string(event.get()));
  }
  return event;
}

Status Client::Create(const std::vector<TopicPlan>& plans) {
  std::vector<NewTopicHandle> owned;
  std::vector<rd_kafka_NewTopic_t*> topics;
  std::array<char, kErrorWords> words{};
  for (const TopicPlan& plan : plans) {
    owned.emplace_back(rd_kafka_NewTopic_new(plan.name.c_str(), plan.partitions,
                                             cluster_.replication, words.data(), words.size()));
    if (owned.back() == nullptr) {
      return Error{Code::kInvalid, fmt::format("topic {}: {}", plan.name, words.data())};
    }
    for (const auto& [key, value] : TopicSettings(cluster_.replication)) {
      rd_kafka_NewTopic_set_config(owned.back().get(), key.c_str(), value.c_str());
    }
    topics.push_back(owned.back().get());
  }
  const QueueHandle queue(rd_kafka_queue_new(kafka_.get()));
  const OptionsHandle options(
      rd_kafka_AdminOptions_new(kafka_.get(), RD_KAFKA_ADMIN_OP_CREATETOPICS));
  rd_kafka_AdminOptions_set_request_timeout(options.get(), kAnswerMs, nullptr, 0);
  rd_kafka_CreateTopics(kafka_.get(), topics.data(), topics.size(), options.get(), queue.get());
  ASSIGN_OR_RETURN(const EventHandle event, Await(*queue, "making topics"));
  std::size_t count = 0;
  const auto* const results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto err = rd_kafka_topic_result_error(results[i]);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR || err == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
      continue;
    }
    const char* const said = rd_kafka_topic_result_error_string(results[i]);
    return ErrorOf(err, fmt::format("making topic {}", rd_kafka_topic_result_name(results[i])),
                   said == nullptr ? "" : said);
  }
  return Ok();
}

Status Client::CheckExisting(const std::vector<std::string>& topics) {
  const QueueHandle queue(rd_kafka_queue_new(kafka_.get()));
  const OptionsHandle options(
      rd_kafka_AdminOptions_new(kafka_.get(), RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS));
  rd_kafka_AdminOptions_set_request_timeout(options.get(), kAnswerMs, nullptr, 0);
  std::vector<ResourceHandle> owned;
  std::vector<rd_kafka_ConfigResource_t*> resources;
  for (const std::string& topic : topics) {
    owned.emplace_back(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
    resources.push_back(owned.back().get());
  }
  rd_kafka_DescribeConfigs(kafka_.get(), resources.data(), resources.size(), options.get(),
                           queue.get());
  ASSIGN_OR_RETURN(const EventHandle event, Await(*queue, "reading the topics' settings"));
  std::size_t count = 0;
  const auto* const results = rd_kafka_DescribeConfigs_result_resources(
      rd_kafka_event_DescribeConfigs_result(event.get()), &count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string topic = rd_kafka_ConfigResource_name(results[i]);
    if (const auto err = rd_kafka_ConfigResource_error(results[i]);
        err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return ErrorOf(err, "reading the settings of topic " + topic);
    }
    std::size_t entries = 0;
    const auto* const configs = rd_kafka_ConfigResource_configs(results[i], &entries);
    for (std::size_t e = 0; e < entries; ++e) {
      const char* const value = rd_kafka_ConfigEntry_value(configs[e]);
      RETURN_IF_ERROR(CheckSetting(topic, rd_kafka_ConfigEntry_name(configs[e]),
                                   value == nullptr ? "" : value));
    }
  }
  return Ok();
}

// Every partition has a leader that answers.
Result<bool> Client::AreReady(const std::vector<TopicPlan>& plans) {
  for (const TopicPlan& plan : plans) {
    ASSIGN_OR_RETURN(const std::uint16_t partitions, PartitionsOf(plan.name));
    if (partitions != plan.partitions) return false;
    const auto ends = Ends(plan.name, plan.partitions);
    if (ends.ok()) continue;
    if (ends.error().code == Code::kNotFound || ends.error().code == Code::kUnavailable) {
      return false;
    }
    return ends.error();
  }
  return true;
}

Status Client::EnsureTopics(const std::vector<TopicPlan>& plans) {
  std::vector<TopicPlan> missing;
  std::vector<std::string> existing;
  for (const TopicPlan& plan : plans) {
    ASSIGN_OR_RETURN(const std::uint16_t partitions, PartitionsOf(plan.name));
    if (partitions == 0) {
      missing.push_back(plan);
      continue;
    }
    if (partitions != plan.partitions) {
      return Error{Code::kInvalid,
                   fmt::format("topic {} has {} partitions, this installation {} (log.partitions); "
                               "the number is fixed when the topic is made",
                               plan.name, partitions, plan.partitions)};
    }
    existing.push_back(plan.name);
  }
  if (!existing.empty()) RETURN_IF_ERROR(CheckExisting(existing));
  if (missing.empty()) return Ok();
  RETURN_IF_ERROR(Create(missing));
  const Micros deadline = Deadline();
  while (true) {
    ASSIGN_OR_RETURN(const bool are_ready, AreReady(missing));
    if (are_ready) return Ok();
    if (IsPast(deadline)) {
      return Error{Code::kUnavailable, "the topics were made and have no leaders yet"};
    }
    rd_kafka_poll(kafka_.get(), kTurnMs);
  }
}

// A broker that has just come back is asked again: it leads in a moment.
Result<std::vector<std::int64_t>> Client::Times(const std::string& topic, std::uint16_t count,
                                                std::int64_t time) {
  const Micros deadline = Deadline();
  while (true) {
    bool has_no_leader = false;
    auto found = TimesOnce(topic, count, time, has_no_leader);
    if (found.ok() || !has_no_leader || IsPast(deadline)) return found;
    rd_kafka_poll(kafka_.get(), kTurnMs);
    // Asking for the topic makes librdkafka look for the leaders anew.
    RETURN_IF_ERROR(PartitionsOf(topic));
  }
}

Result<std::vector<std::int64_t>> Client::TimesOnce(const std::string& topic, std::uint16_t count,
                                                    std::int64_t time, bool& has_no_leader) {
  const OffsetsHandle offsets = OffsetsFor(topic, count, time);
  const std::string doing = "asking Kafka for the offsets of " + topic;
  const auto err = rd_kafka_offsets_for_times(kafka_.get(), offsets.get(), kAnswerMs);
  has_no_leader = LacksLeader(err);
  if (err != RD_KAFKA_RESP_ERR_NO_ERROR) return ErrorOf(err, doing);
  std::vector<std::int64_t> found(count);
  for (int i = 0; i < offsets->cnt; ++i) {
    const rd_kafka_topic_partition_t& one = offsets->elems[i];
    has_no_leader = LacksLeader(one.err);
    if (one.err != RD_KAFKA_RESP_ERR_NO_ERROR) return ErrorOf(one.err, doing);
    if (one.partition >= 0 && one.partition < count) {
      found[static_cast<std::size_t>(one.partition)] = one.offset;
    }
  }
  return found;
}

Result<std::vector<std::int64_t>> Client::Lows(const std::string& topic, std::uint16_t count) {
  return Times(topic, count, RD_KAFKA_OFFSET_BEGINNING);
}

Result<std::vector<std::int64_t>> Client::Ends(const std::string& topic, std::uint16_t count) {
  return Times(topic, count, RD_KAFKA_OFFSET_END);
}

Result<std::vector<std::int64_t>> Client::Since(const std::string& topic, std::uint16_t count,
                                                Micros since) {
  ASSIGN_OR_RETURN(auto found, Times(topic, count, std::max<std::int64_t>(0, since.value / 1000)));
  ASSIGN_OR_RETURN(const auto ends, Ends(topic, count));
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i] < 0) found[i] = ends[i];
  }
  return found;
}

Status Client::DeleteBelow(const std::vector<Place>& places) {
  if (places.empty()) return Ok();
  const OffsetsHandle offsets(rd_kafka_topic_partition_list_new(static_cast<int>(places.size())));
  for (const Place& place : places) {
    rd_kafka_topic_partition_list_add(offsets.get(), place.topic.c_str(), place.partition)->offset =
        place.offset;
  }
  const DeleteRecordsHandle request(rd_kafka_DeleteRecords_new(offsets.get()));
  const QueueHandle queue(rd_kafka_queue_new(kafka_.get()));
  const OptionsHandle options(
      rd_kafka_AdminOptions_new(kafka_.get(), RD_KAFKA_ADMIN_OP_DELETERECORDS));
  rd_kafka_AdminOptions_set_request_timeout(options.get(), kAnswerMs, nullptr, 0);
  rd_kafka_DeleteRecords_t* raw = request.get();
  rd_kafka_DeleteRecords(kafka_.get(), &raw, 1, options.get(), queue.get());
  ASSIGN_OR_RETURN(const EventHandle event, Await(*queue, "removing old records"));
  const auto* const results =
      rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event.get()));
  for (int i = 0; i < results->cnt; ++i) {
    const rd_kafka_topic_partition_t& one = results->elems[i];
    if (one.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return ErrorOf(one.err, fmt::format("removing old records of topic {}", one.topic));
    }
  }
  return Ok();
}

}  // namespace telltale::log::kafka
