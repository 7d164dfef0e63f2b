// The contract on a real Kafka, and what is true of Kafka alone.
#include "log/kafka/consumer.h"
#include "log/kafka/kafka_testing.h"

namespace telltale::log::kafka {
namespace {

const ContractPlace kKafka{"Kafka", MakeKafkaHome};

}  // namespace
}  // namespace telltale::log::kafka

namespace telltale::log {
namespace {

INSTANTIATE_TEST_SUITE_P(On, LogContractTest, testing::Values(kafka::kKafka), NameOf);

}  // namespace
}  // namespace telltale::log

namespace telltale::log::kafka {
namespace {

class KafkaTest : public testing::Test {
 protected:
  void SetUp() override {
    if (cluster_.brokers.empty()) GTEST_SKIP() << "TELLTALE_KAFKA_BROKER is not set";
    ASSERT_TRUE(client_.Start().ok());
  }
  static LogOptions Options() {
    LogOptions options = SmallLog();
    options.ticks = false;
    return options;
  }
  std::unique_ptr<Log> Open() {
    auto log = streams_.Open(Options());
    if (!log.ok()) ADD_FAILURE() << log.error().ToString();
    return log.ok() ? std::move(log).value() : nullptr;
  }

  const Cluster cluster_ = TestCluster();
  SimDisk disk_;
  Client client_{cluster_};
  KafkaStreams streams_{disk_, {.cluster = cluster_, .shards = SmallLog().shards}};
};

TEST_F(KafkaTest, AnotherWriterIsNoticedAndTheShardEnds) {
  const auto log = Open();
  const auto other = Open();
  ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {"mine"}).ok());
  ASSERT_TRUE(log->shard(ShardId{0}).SyncNow().ok());
  // It opened when the partition was empty.
  ASSERT_TRUE(AppendOne(*other, 0, PartitionId{0}, {"theirs"}).ok());
  const Status synced = other->shard(ShardId{0}).SyncNow();
  ASSERT_FALSE(synced.ok());
  EXPECT_EQ(synced.error().code, Code::kUnavailable);
  EXPECT_NE(synced.error().message.find("somebody else writes"), std::string::npos);
  EXPECT_EQ(AppendOne(*other, 0, PartitionId{0}, {"more"}).error().code, Code::kUnavailable);
  EXPECT_TRUE(AppendOne(*other, 0, PartitionId{1}, {"another shard"}).ok());
}

TEST_F(KafkaTest, RecordsThatSomebodyElseRemovedAreExpired) {
  const auto log = Open();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {"r"}).ok());
  ASSERT_TRUE(log->shard(ShardId{0}).SyncNow().ok());
  ASSERT_TRUE(client_.DeleteBelow({{cluster_.TopicOf("safety"), 0, 5}}).ok());
  Position position;
  position.next.resize(4);
  position.next[0] = Offset{2};
  const auto reader = streams_.OpenReader("safety", ShardId{0}, position);
  ASSERT_FALSE(reader.ok());
  EXPECT_TRUE(IsExpired(reader.error())) << reader.error().ToString();
  EXPECT_NE(reader.error().message.find("first kept is 5"), std::string::npos);
}

TEST_F(KafkaTest, APositionBeyondTheEndSaysThatTheClusterLostRecords) {
  const auto log = Open();
  Position position;
  position.next.resize(4);
  position.next[2] = Offset{7};
  const auto reader = streams_.OpenReader("safety", ShardId{0}, position);
  ASSERT_FALSE(reader.ok());
  EXPECT_EQ(reader.error().code, Code::kCorrupt);
  EXPECT_NE(reader.error().message.find("lost acknowledged records"), std::string::npos);
}

// As somebody else makes one.
void MakeTopic(const Cluster& cluster, const std::string& name, int partitions,
               const Settings& settings) {
  auto conf = MakeConf(cluster, {});
  ASSERT_TRUE(conf.ok());
  const auto kafka = NewKafka(RD_KAFKA_PRODUCER, std::move(conf).value());
  ASSERT_TRUE(kafka.ok());
  const NewTopicHandle topic(rd_kafka_NewTopic_new(name.c_str(), partitions, 1, nullptr, 0));
  for (const auto& [key, value] : settings) {
    rd_kafka_NewTopic_set_config(topic.get(), key.c_str(), value.c_str());
  }
  const QueueHandle queue(rd_kafka_queue_new(kafka->get()));
  rd_kafka_NewTopic_t* raw = topic.get();
  rd_kafka_CreateTopics(kafka->get(), &raw, 1, nullptr, queue.get());
  const EventHandle event(rd_kafka_queue_poll(queue.get(), 20'000));
  ASSERT_NE(event, nullptr);
  ASSERT_EQ(rd_kafka_event_error(event.get()), RD_KAFKA_RESP_ERR_NO_ERROR);
}

TEST_F(KafkaTest, ATopicThatWouldLoseOrRefuseRecordsIsRefusedByName) {
  const Settings whole{{"max.message.bytes", std::to_string(kTopicMessageBytesMax)}};
  const std::vector<std::pair<Settings, std::string>> cases = {
      {{{"cleanup.policy", "compact"}}, "cleanup.policy=compact"},
      {{{"max.message.bytes", "1000000"}}, "max.message.bytes=1000000"},
      {{{"message.timestamp.type", "LogAppendTime"}}, "message.timestamp.type=LogAppendTime"}};
  for (const auto& [settings, said] : cases) {
    Cluster cluster = TestCluster();
    Settings all = settings;
    if (settings[0].first != whole[0].first) all.push_back(whole[0]);
    MakeTopic(cluster, cluster.TopicOf("telemetry"), 4, all);
    KafkaStreams streams(disk_, {.cluster = cluster, .shards = 2});
    const auto log = streams.Open(Options());
    ASSERT_FALSE(log.ok()) << said;
    EXPECT_EQ(log.error().code, Code::kInvalid);
    EXPECT_NE(log.error().message.find(cluster.TopicOf("telemetry") + " has " + said),
              std::string::npos)
        << log.error().message;
  }
}

TEST_F(KafkaTest, ATopicWithRecordsIsUsedAsItIs) {
  MakeTopic(cluster_, cluster_.TopicOf("safety"), 4,
            {{"max.message.bytes", std::to_string(kTopicMessageBytesMax)}});
  const auto log = Open();
  ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {"r"}).ok());
  ASSERT_TRUE(log->shard(ShardId{0}).SyncNow().ok());
  const auto again = Open();
  EXPECT_EQ(again->shard(ShardId{0}).next_offset(0, PartitionId{0}), Offset{1});
}

TEST_F(KafkaTest, AnEmptiedPartitionGoesOnAtItsOffset) {
  {
    const auto log = Open();
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(AppendOne(*log, 0, PartitionId{0}, {"r"}).ok());
    ASSERT_TRUE(log->shard(ShardId{0}).SyncNow().ok());
  }
  ASSERT_TRUE(client_.DeleteBelow({{cluster_.TopicOf("safety"), 0, 4}}).ok());
  const auto log = Open();
  EXPECT_EQ(log->shard(ShardId{0}).next_offset(0, PartitionId{0}), Offset{4});
  EXPECT_EQ(streams_.OpenReader("safety", ShardId{0}, {}).value()->Next().value(), nullptr);
}

TEST_F(KafkaTest, AMessageThatIsNotOursIsNamed) {
  {
    const auto log = Open();
  }
  auto conf = MakeConf(cluster_, {});
  ASSERT_TRUE(conf.ok());
  const auto kafka = NewKafka(RD_KAFKA_PRODUCER, std::move(conf).value());
  ASSERT_TRUE(kafka.ok());
  std::string words = "hello";
  const TopicHandle topic(
      rd_kafka_topic_new(kafka->get(), cluster_.TopicOf("safety").c_str(), nullptr));
  ASSERT_NE(topic, nullptr);
  ASSERT_EQ(rd_kafka_produce(topic.get(), 2, RD_KAFKA_MSG_F_COPY, words.data(), words.size(),
                             nullptr, 0, nullptr),
            0);
  ASSERT_EQ(rd_kafka_flush(kafka->get(), 10'000), RD_KAFKA_RESP_ERR_NO_ERROR);
  const auto reader = streams_.OpenReader("safety", ShardId{0}, {});
  ASSERT_TRUE(reader.ok());
  const auto record = (*reader)->Next();
  ASSERT_FALSE(record.ok());
  EXPECT_EQ(record.error().code, Code::kCorrupt);
  EXPECT_NE(record.error().message.find("safety partition 2 offset 0"), std::string::npos)
      << record.error().message;
  EXPECT_EQ(streams_.Open(Options()).error().code, Code::kCorrupt);
}

TEST_F(KafkaTest, ALimitOfBytesIsRefused) {
  const auto log = Open();
  const auto report =
      streams_.Retention({"/positions", {{"safety", Micros::Seconds(1), 1u << 20, {}}}}, Micros{1});
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code, Code::kUnsupported);
}

TEST(KafkaClusterTest, ABrokerThatIsNotThereIsUnavailable) {
  SimDisk disk;
  KafkaStreams streams(disk, {.cluster = {.brokers = "127.0.0.1:1",
                                          .topic_prefix = "t.",
                                          .replication = 1,
                                          .settings = {}},
                              .shards = 1});
  EXPECT_EQ(streams.Ends("safety").error().code, Code::kUnavailable);
}

}  // namespace
}  // namespace telltale::log::kafka
