// Messages of some partitions, from given offsets on, in one queue. No group, nothing committed.
#pragma once

#include <functional>
#include <vector>

#include "log/kafka/client.h"

namespace telltale::log::kafka {

// One thread.
class Consumer {
 public:
  // `bytes_max`: fetched ahead at most, by partition and in all.
  //   kInvalid, kNotFound, kUnavailable
  static Result<std::unique_ptr<Consumer>> Start(const Cluster& cluster,
                                                 const std::vector<Place>& from,
                                                 std::size_t bytes_max);
  ~Consumer();
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

  // The next message, within `wait`; nullptr when none came. It may carry an error (`err`).
  const rd_kafka_message_t* Next(std::chrono::milliseconds wait);
  bool has_queued() const { return at_ < messages_.size(); }
  // Fills the queue at hand if it is empty.
  bool WaitForMore(std::chrono::milliseconds wait);

 private:
  Consumer() = default;
  struct Running {
    TopicHandle topic;
    std::vector<std::int32_t> partitions;
  };

  KafkaHandle kafka_;
  QueueHandle queue_;
  std::vector<Running> running_;
  MessageHandle current_;
  std::vector<rd_kafka_message_t*> messages_;  // owned from at_ on
  std::size_t at_ = 0;
};

// Gives the messages from each place up to `upto` (exclusive) to `visit`, in each partition's
// order, until all were given.
//   kUnavailable  the cluster did not deliver in time
//   others        of `visit`, which ends it
struct Range {
  Place from;
  std::int64_t upto = 0;
};
Status VisitRanges(const Cluster& cluster, const std::vector<Range>& ranges,
                   const std::function<Status(const rd_kafka_message_t&)>& visit);

inline ByteSpan ValueOf(const rd_kafka_message_t& message) {
  return {static_cast<const std::uint8_t*>(message.payload), message.len};
}

}  // namespace telltale::log::kafka
