// The streams of an installation on Kafka.
#pragma once

#include "base/mutex.h"
#include "log/kafka/client.h"
#include "log/streams.h"

namespace telltale::log::kafka {

class KafkaStreams final : public Streams {
 public:
  struct Options {
    Cluster cluster;
    std::uint16_t shards = 2;  // of this installation; the cluster knows none
  };
  // `disk`, where consumers' positions lie, must outlive it. What it hands out must not.
  KafkaStreams(Disk& disk, Options options) : disk_(disk), options_(std::move(options)) {}

  //   kInvalid  besides those of Log::Open: a topic that is not as it must be (client.h)
  Result<std::unique_ptr<Log>> Open(LogOptions options) override;
  Result<std::unique_ptr<Reader>> OpenReader(const std::string& stream, ShardId shard,
                                             const Position& from) override;
  Result<LogShape> Describe() override;
  Result<std::vector<DurableEnd>> Ends(const std::string& stream) override;
  Result<std::vector<Log::LedgerEntry>> Ledger() override;
  Result<RetentionReport> Retention(const RetentionOptions& options, Micros now_log_time) override;

 private:
  Result<Client*> Asker();

  Disk& disk_;
  const Options options_;
  Mutex mutex_;
  std::unique_ptr<Client> client_ GUARDED_BY(mutex_);  // made when first needed, then kept
  std::optional<LogShape> shape_ GUARDED_BY(mutex_);   // likewise: it never changes
};

}  // namespace telltale::log::kafka
