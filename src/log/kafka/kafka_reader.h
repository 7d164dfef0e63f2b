// The reading end of one shard of one stream on Kafka. One thread.
#pragma once

#include "log/kafka/consumer.h"
#include "log/log.h"

namespace telltale::log::kafka {

// Fetched ahead by one reader.
inline constexpr std::size_t kReadAheadBytes = 16u << 20;
// Records that were there when the reader was opened are waited for, this long at a time: until
// they have come, "nothing is here yet" would read as "nothing is there". Later Next() never waits.
inline constexpr std::chrono::milliseconds kCatchUpWait{500};

class KafkaReader final : public Reader {
 public:
  // As Reader::Open. `client` is for this call alone.
  static Result<std::unique_ptr<Reader>> Open(const Cluster& cluster, Client& client,
                                              const std::string& stream, ShardId shard,
                                              std::uint16_t shards, const Position& from);

  // nullptr: nothing more has come. Whether it is the end is for Streams::Ends() to say.
  Result<const RecordView*> Next() override;
  const Position& position() const override { return position_; }
  std::uint16_t partitions() const override {
    return static_cast<std::uint16_t>(position_.next.size());
  }
  bool WaitForMore(std::chrono::milliseconds timeout) override;

 private:
  KafkaReader(const Cluster& cluster, std::string topic)
      : cluster_(cluster), topic_(std::move(topic)) {}
  Status Place(Client& client, ShardId shard, std::uint16_t shards, const Position& from);
  Result<bool> Take(const rd_kafka_message_t& message);
  Status TakeError(const rd_kafka_message_t& message);
  Error WhyNotThere(std::int32_t partition, const std::string& what);
  Error Explain(std::int32_t partition, std::string_view what);

  const Cluster cluster_;
  const std::string topic_;
  Position position_;
  std::vector<std::int64_t> ends_;       // by partition, when it was opened; 0 = not carried
  std::uint64_t known_to_be_there_ = 0;  // of these, not yet read
  std::unique_ptr<Consumer> consumer_;
  std::optional<Error> failure_;
  // A partition that stopped while the cluster could not be asked why, and what it did.
  std::optional<std::pair<std::int32_t, std::string>> unexplained_;
  RecordView view_;
};

}  // namespace telltale::log::kafka
