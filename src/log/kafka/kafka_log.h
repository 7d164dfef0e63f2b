// The writing end of all streams on Kafka.
#pragma once

#include "log/kafka/kafka_ledger.h"
#include "log/kafka/kafka_shard.h"

namespace telltale::log::kafka {

// Where each partition of a topic ends, by partition; reads the last record of each.
//   kNotFound, kCorrupt, kUnsupported, kUnavailable
Result<std::vector<PartitionTail>> ReadTails(const Cluster& cluster, Client& client,
                                             const std::string& topic, std::uint16_t partitions);

class KafkaLog final : public Log {
 public:
  // As Log::Open. Makes the topics that are missing. `cluster` must outlive it.
  static Result<std::unique_ptr<Log>> Open(const Cluster& cluster, Client& client,
                                           const LogOptions& options);

  ShardWriter& shard(ShardId id) override;
  std::uint16_t shards() const override { return static_cast<std::uint16_t>(shards_.size()); }
  std::uint16_t partitions() const override { return partitions_; }
  Status AppendLedger(std::span<const LedgerEntry> entries) override {
    return ledger_->Append(entries);
  }
  std::vector<LedgerEntry> ledger() const override { return ledger_->entries(); }

 private:
  KafkaLog() = default;
  std::uint16_t partitions_ = 0;
  std::unique_ptr<KafkaLedger> ledger_;
  std::vector<std::unique_ptr<KafkaShard>> shards_;
};

}  // namespace telltale::log::kafka
