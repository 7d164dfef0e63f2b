// Which segments go, and who holds them: docs/formats/segment.md, "What retention removes".
#include "log/retention.h"

#include <fmt/format.h>

#include <algorithm>

#include "log/segment.h"

namespace telltale::log {
namespace {

struct Kept {
  std::uint64_t segment = 0;
  std::uint64_t bytes = 0;
  SegmentHead head;
};

// One stream in one shard, in one pass.
class Pass {
 public:
  Pass(Disk& disk, const std::string& dir, const RetentionOptions& options,
       const StreamRetention& stream, StreamFiles files, Micros now)
      : disk_(disk),
        dir_(dir),
        options_(options),
        stream_(stream),
        files_(std::move(files)),
        now_(now) {}

  // `next` is the durable end by carried partition.
  Result<ShardRetention> Run(Place end, std::span<const Offset> next);

 private:
  struct Consumer {
    ReaderLag lag;
    Position position;  // without `next`: it holds everything
  };

  Status ReadSegments(std::uint64_t last);
  Result<std::vector<Consumer>> ReadConsumers();
  Consumer Load(const std::string& name);
  bool MayGo(std::size_t index, std::uint64_t bytes_kept,
             const std::vector<Consumer>& consumers) const;
  template <typename NextOf>
  bool IsPast(const Position& position, const NextOf& next_of) const;
  void MeasureLag(Consumer& consumer);
  double ShareOf(Micros log_time) const;

  Disk& disk_;
  const std::string& dir_;
  const RetentionOptions& options_;
  const StreamRetention& stream_;
  const StreamFiles files_;
  const Micros now_;
  std::span<const Offset> end_next_;
  std::vector<Kept> segments_;
};

// Only up to the segment of the published end: what follows may still be made or be gone again.
Status Pass::ReadSegments(std::uint64_t last) {
  ASSIGN_OR_RETURN(const auto numbers, ListSegments(disk_, files_));
  for (const std::uint64_t number : numbers) {
    if (number > last) break;
    ASSIGN_OR_RETURN(const auto file, disk_.Open(files_.PathOf(number), OpenMode::kRead));
    Kept kept;
    kept.segment = number;
    ASSIGN_OR_RETURN(kept.head, ReadSegmentHead(*file, files_, number));
    ASSIGN_OR_RETURN(kept.bytes, file->Size());
    segments_.push_back(std::move(kept));
  }
  return Ok();
}

double Pass::ShareOf(Micros log_time) const {
  const double age = static_cast<double>((now_ - log_time).value);
  return std::max(0.0, age / static_cast<double>(stream_.keep_for.value));
}

// From its next unread record in the files' order: a log time that is as old as its oldest, within
// what partitions differ at the moment of a commit.
void Pass::MeasureLag(Consumer& consumer) {
  const auto share_at = [this](const Position& from) -> Result<double> {
    ASSIGN_OR_RETURN(const auto reader,
                     Reader::Open(disk_, dir_, stream_.stream, files_.shard, from));
    ASSIGN_OR_RETURN(const RecordView* record, reader->Next());
    return record == nullptr ? 0.0 : ShareOf(record->log_time);
  };
  if (IsPast(consumer.position, [this](std::size_t i) { return end_next_[i]; })) return;
  if (consumer.lag.problem.empty()) {
    const auto share = share_at(consumer.position);
    if (share.ok()) {
      consumer.lag.share = *share;
      return;
    }
    consumer.lag.problem = share.error().ToString();
    consumer.position = {};
  }
  const auto oldest = share_at({});
  // Nothing can be read: what it waits for may be as old as anything.
  consumer.lag.share = oldest.ok() ? *oldest : std::max(1.0, kRetentionStopShare);
}

Pass::Consumer Pass::Load(const std::string& name) {
  Consumer consumer{{name, 0, {}}, {}};
  auto position = LoadPosition(disk_, options_.positions_dir, name, stream_.stream, files_.shard);
  if (!position.ok()) {
    consumer.lag.problem = position.error().ToString();
  } else if (position->next.size() != files_.partitions) {
    consumer.lag.problem = "its position has another number of partitions than the log";
  } else {
    consumer.position = std::move(position).value();
  }
  MeasureLag(consumer);
  return consumer;
}

// The required ones, and whoever has a position here. One that cannot be read is not none.
Result<std::vector<Pass::Consumer>> Pass::ReadConsumers() {
  std::vector<std::string> names = stream_.required;
  const auto listed = disk_.List(options_.positions_dir);
  if (!listed.ok() && listed.error().code != Code::kNotFound) return listed.error();
  if (listed.ok()) {
    for (const std::string& name : *listed) {
      const auto position =
          LoadPosition(disk_, options_.positions_dir, name, stream_.stream, files_.shard);
      if (position.ok() || position.error().code != Code::kNotFound) names.push_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::vector<Consumer> consumers;
  for (const std::string& name : names) consumers.push_back(Load(name));
  return consumers;
}

// Everything below next_of(carried index) is consumed.
template <typename NextOf>
bool Pass::IsPast(const Position& position, const NextOf& next_of) const {
  if (position.next.empty()) return false;
  for (std::size_t i = 0; i < files_.carried; ++i) {
    const PartitionId partition = CarriedPartition(i, files_.shard, files_.shards);
    if (position.next[partition.value] < next_of(i)) return false;
  }
  return true;
}

bool Pass::MayGo(std::size_t index, std::uint64_t bytes_kept,
                 const std::vector<Consumer>& consumers) const {
  const SegmentHead& next = segments_[index + 1].head;
  Micros newest = next.tails.front().log_time;
  for (const PartitionTail& tail : next.tails) newest = std::max(newest, tail.log_time);
  const bool is_old = now_ - newest > stream_.keep_for;
  const bool is_too_much = stream_.bytes_max != 0 && bytes_kept > stream_.bytes_max / files_.shards;
  if (!is_old && !is_too_much) return false;
  return std::all_of(consumers.begin(), consumers.end(), [&](const Consumer& consumer) {
    return IsPast(consumer.position, [&](std::size_t i) { return next.tails[i].next; });
  });
}

Result<ShardRetention> Pass::Run(Place end, std::span<const Offset> next) {
  end_next_ = next;
  ShardRetention report;
  report.stream = stream_.stream;
  report.shard = files_.shard;
  report.oldest.resize(files_.partitions);
  if (end == Place{}) return report;  // nothing is known before the owner has opened the log
  RETURN_IF_ERROR(ReadSegments(end.segment));
  if (segments_.empty()) {
    return Error{Code::kCorrupt, files_.NameOf(end) + ": no segment is there"};
  }
  ASSIGN_OR_RETURN(const auto consumers, ReadConsumers());
  for (const Kept& kept : segments_) report.bytes_kept += kept.bytes;
  std::size_t first = 0;
  while (first + 1 < segments_.size() && MayGo(first, report.bytes_kept, consumers)) {
    RETURN_IF_ERROR(disk_.Remove(files_.PathOf(segments_[first].segment)));
    // One by one: a crash must never bring an older one back behind a hole.
    RETURN_IF_ERROR(disk_.SyncFolder(files_.folder));
    report.bytes_kept -= segments_[first].bytes;
    ++first;
  }
  report.segments_removed = first;
  report.segments_kept = segments_.size() - first;
  for (std::size_t i = 0; i < files_.carried; ++i) {
    report.oldest[CarriedPartition(i, files_.shard, files_.shards).value] =
        segments_[first].head.tails[i].next;
  }
  for (const Consumer& consumer : consumers) report.readers.push_back(consumer.lag);
  std::sort(report.readers.begin(), report.readers.end(), [](const auto& a, const auto& b) {
    return a.share != b.share ? a.share > b.share : a.consumer < b.consumer;
  });
  return report;
}

}  // namespace

bool IsExpired(const Error& error) {
  // As Reader says it, perhaps behind what was being done.
  return error.code == Code::kInvalid && error.message.find("expired: ") != std::string::npos;
}

double RetentionReport::share_max() const {
  double share = 0;
  for (const ShardRetention& shard : shards) {
    if (!shard.readers.empty()) share = std::max(share, shard.readers.front().share);
  }
  return share;
}

Result<RetentionReport> Retain(Disk& disk, const std::string& dir, const RetentionOptions& options,
                               Micros now_log_time) {
  ASSIGN_OR_RETURN(const DurableMap map, DurableMap::Open(disk, dir, OpenMode::kRead));
  const LogShape& shape = map.shape();
  for (const StreamRetention& stream : options.streams) {
    if (std::count(shape.streams.begin(), shape.streams.end(), stream.stream) == 0) {
      return Error{Code::kNotFound, fmt::format("{} has no stream {}", dir, stream.stream)};
    }
    if (stream.keep_for <= Micros{}) {
      return Error{Code::kInvalid,
                   fmt::format("stream {}: keep_for must be above 0", stream.stream)};
    }
  }
  RetentionReport report;
  for (const StreamRetention& stream : options.streams) {
    const auto found = std::find(shape.streams.begin(), shape.streams.end(), stream.stream);
    const auto index = static_cast<StreamIndex>(found - shape.streams.begin());
    for (std::uint16_t s = 0; s < shape.shards; ++s) {
      ASSIGN_OR_RETURN(const auto state, map.Read(ShardId{s}));
      const std::size_t carried = CarriedBy(ShardId{s}, shape);
      const Place end = state.has_value() ? state->ends[index] : Place{};
      const auto next = state.has_value() ? std::span(state->next).subspan(index * carried, carried)
                                          : std::span<const Offset>();
      const StreamFiles files(dir, stream.stream, ShardId{s}, shape);
      ASSIGN_OR_RETURN(auto shard,
                       Pass(disk, dir, options, stream, files, now_log_time).Run(end, next));
      report.shards.push_back(std::move(shard));
    }
  }
  return report;
}

}  // namespace telltale::log
