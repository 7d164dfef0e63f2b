// The ledger's topic: what a log was made with, and which config record is in force from where.
#pragma once

#include "base/mutex.h"
#include "log/kafka/client.h"
#include "log/kafka/kafka_record.h"

namespace telltale::log::kafka {

struct LedgerContent {
  std::optional<Shape> shape;
  std::vector<Log::LedgerEntry> entries;
};
// All there is. An empty one when there is no such topic.
//   kCorrupt, kUnsupported, kUnavailable
Result<LedgerContent> ReadLedger(const Cluster& cluster, Client& client);

// Any thread.
class KafkaLedger {
 public:
  // The topic exists; a shape is written when it has none.
  //   kInvalid  the log was made with other streams
  static Result<std::unique_ptr<KafkaLedger>> Open(const Cluster& cluster, Client& client,
                                                   const Shape& shape);
  // Durable when it returns. After a failure the entries may be there all the same; appending them
  // again does no harm.
  //   kInvalid      an entry names a stream or partition the log does not have
  //   kUnavailable  the cluster did not take them in time
  Status Append(std::span<const Log::LedgerEntry> entries);
  std::vector<Log::LedgerEntry> entries() const;

 private:
  explicit KafkaLedger(Shape shape) : shape_(std::move(shape)) {}
  Status Write(const std::string& value) REQUIRES(mutex_);

  const Shape shape_;
  std::string topic_;
  mutable Mutex mutex_;
  KafkaHandle kafka_ GUARDED_BY(mutex_);
  std::vector<Log::LedgerEntry> entries_ GUARDED_BY(mutex_);
};

}  // namespace telltale::log::kafka
