#include "log/kafka/kafka_retention.h"

#include <fmt/format.h>

#include <algorithm>

#include "log/kafka/consumer.h"
#include "log/kafka/kafka_record.h"

namespace telltale::log::kafka {
namespace {

// One stream in one pass.
class Pass {
 public:
  Pass(const Cluster& cluster, Client& client, Disk& disk, const LogShape& shape,
       const RetentionOptions& options, const StreamRetention& stream, Micros now)
      : cluster_(cluster),
        client_(client),
        disk_(disk),
        shape_(shape),
        options_(options),
        stream_(stream),
        topic_(cluster.TopicOf(stream.stream)),
        now_(now) {}

  Status Run(std::vector<ShardRetention>& out);

 private:
  struct Consumer {
    ReaderLag lag;
    std::vector<Offset> next;  // empty: it holds everything
  };

  Result<std::vector<Consumer>> ReadConsumers(ShardId shard);
  Consumer Load(const std::string& name, ShardId shard);
  Status MeasureLag(Consumer& consumer, ShardId shard);
  std::vector<Place> Removable(ShardId shard, const std::vector<Consumer>& consumers) const;
  template <typename Visit>
  void ForCarried(ShardId shard, const Visit& visit) const {
    for (std::size_t p = shard.value; p < shape_.partitions; p += shape_.shards) visit(p);
  }

  const Cluster& cluster_;
  Client& client_;
  Disk& disk_;
  const LogShape& shape_;
  const RetentionOptions& options_;
  const StreamRetention& stream_;
  const std::string topic_;
  const Micros now_;
  // By partition.
  std::vector<std::int64_t> lows_;
  std::vector<std::int64_t> ends_;
  std::vector<std::int64_t> young_;  // the first that is not old enough to go
};

// The age of its oldest unread record.
Status Pass::MeasureLag(Consumer& consumer, ShardId shard) {
  std::vector<Range> unread;
  ForCarried(shard, [&](std::size_t p) {
    const std::int64_t at =
        consumer.next.empty() ? lows_[p] : static_cast<std::int64_t>(consumer.next[p].value);
    if (at < ends_[p]) unread.push_back({{topic_, static_cast<std::int32_t>(p), at}, at + 1});
  });
  Micros oldest = now_;
  const auto take = [&](const rd_kafka_message_t& message) -> Status {
    RecordView view;
    Micros last_data;
    RETURN_IF_ERROR(DecodeRecord(ValueOf(message), view, last_data));
    oldest = std::min(oldest, view.log_time);
    return Ok();
  };
  RETURN_IF_ERROR(VisitRanges(cluster_, unread, take));
  consumer.lag.share =
      static_cast<double>((now_ - oldest).value) / static_cast<double>(stream_.keep_for.value);
  return Ok();
}

Pass::Consumer Pass::Load(const std::string& name, ShardId shard) {
  Consumer consumer{{name, 0, {}}, {}};
  auto position = LoadPosition(disk_, options_.positions_dir, name, stream_.stream, shard);
  if (!position.ok()) {
    consumer.lag.problem = position.error().ToString();
  } else if (position->next.size() != shape_.partitions) {
    consumer.lag.problem = "its position has another number of partitions than the log";
  } else {
    consumer.next = std::move(position->next);
    ForCarried(shard, [&](std::size_t p) {
      const auto at = static_cast<std::int64_t>(consumer.next[p].value);
      if (at < lows_[p] && consumer.lag.problem.empty()) {
        consumer.lag.problem =
            fmt::format("expired: partition {} begins at {}, it wants {}", p, lows_[p], at);
      }
    });
    if (!consumer.lag.problem.empty()) consumer.next.clear();
  }
  // Nothing can be read: what it waits for may be as old as anything.
  if (const Status measured = MeasureLag(consumer, shard); !measured.ok()) {
    if (consumer.lag.problem.empty()) consumer.lag.problem = measured.error().ToString();
    consumer.lag.share = std::max(1.0, kRetentionStopShare);
    consumer.next.clear();
  }
  return consumer;
}

// The required ones, and whoever has a position here. One that cannot be read is not none.
Result<std::vector<Pass::Consumer>> Pass::ReadConsumers(ShardId shard) {
  std::vector<std::string> names = stream_.required;
  const auto listed = disk_.List(options_.positions_dir);
  if (!listed.ok() && listed.error().code != Code::kNotFound) return listed.error();
  if (listed.ok()) {
    for (const std::string& name : *listed) {
      const auto position =
          LoadPosition(disk_, options_.positions_dir, name, stream_.stream, shard);
      if (position.ok() || position.error().code != Code::kNotFound) names.push_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::vector<Consumer> consumers;
  for (const std::string& name : names) consumers.push_back(Load(name, shard));
  std::sort(consumers.begin(), consumers.end(), [](const Consumer& a, const Consumer& b) {
    return a.lag.share != b.lag.share ? a.lag.share > b.lag.share : a.lag.consumer < b.lag.consumer;
  });
  return consumers;
}

std::vector<Place> Pass::Removable(ShardId shard, const std::vector<Consumer>& consumers) const {
  std::vector<Place> places;
  ForCarried(shard, [&](std::size_t p) {
    std::int64_t below = std::min(young_[p], ends_[p] - 1);
    for (const Consumer& consumer : consumers) {
      below = std::min(below, consumer.next.empty()
                                  ? lows_[p]
                                  : static_cast<std::int64_t>(consumer.next[p].value));
    }
    if (below > lows_[p]) places.push_back({topic_, static_cast<std::int32_t>(p), below});
  });
  return places;
}

Status Pass::Run(std::vector<ShardRetention>& out) {
  ASSIGN_OR_RETURN(lows_, client_.Lows(topic_, shape_.partitions));
  ASSIGN_OR_RETURN(young_, client_.Since(topic_, shape_.partitions, now_ - stream_.keep_for));
  ASSIGN_OR_RETURN(ends_, client_.Ends(topic_, shape_.partitions));
  for (std::uint16_t s = 0; s < shape_.shards; ++s) {
    const ShardId shard{s};
    ASSIGN_OR_RETURN(const auto consumers, ReadConsumers(shard));
    const std::vector<Place> places = Removable(shard, consumers);
    RETURN_IF_ERROR(client_.DeleteBelow(places));
    for (const Place& place : places) {
      lows_[static_cast<std::size_t>(place.partition)] = place.offset;
    }
    ShardRetention report;
    report.stream = stream_.stream;
    report.shard = shard;
    report.oldest.resize(shape_.partitions);
    ForCarried(shard, [&](std::size_t p) {
      report.oldest[p] = Offset{static_cast<std::uint64_t>(lows_[p])};
    });
    for (const Consumer& consumer : consumers) report.readers.push_back(consumer.lag);
    out.push_back(std::move(report));
  }
  return Ok();
}

}  // namespace

Result<RetentionReport> RetainOnKafka(const Cluster& cluster, Client& client, Disk& disk,
                                      const LogShape& shape, const RetentionOptions& options,
                                      Micros now_log_time) {
  for (const StreamRetention& stream : options.streams) {
    if (std::count(shape.streams.begin(), shape.streams.end(), stream.stream) == 0) {
      return Error{Code::kNotFound, fmt::format("there is no stream {}", stream.stream)};
    }
    if (stream.keep_for <= Micros{}) {
      return Error{Code::kInvalid,
                   fmt::format("stream {}: keep_for must be above 0", stream.stream)};
    }
    if (stream.bytes_max != 0) {
      return Error{Code::kUnsupported, fmt::format("stream {}: a limit of bytes is not kept on "
                                                   "Kafka",
                                                   stream.stream)};
    }
  }
  RetentionReport report;
  for (const StreamRetention& stream : options.streams) {
    Pass pass(cluster, client, disk, shape, options, stream, now_log_time);
    RETURN_IF_ERROR(pass.Run(report.shards));
  }
  return report;
}

}  // namespace telltale::log::kafka
