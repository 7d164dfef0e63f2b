#include "log/log.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/file_lock.h"
#include "log/ledger.h"
#include "log/shard.h"

namespace telltale::log {
namespace {

class FileLog final : public Log {
 public:
  static Result<std::unique_ptr<Log>> Open(Disk& disk, LogOptions options);

  ShardWriter& shard(ShardId id) override {
    CHECK(id.value < shards_.size());
    return *shards_[id.value];
  }
  std::uint16_t shards() const override { return map_.shape().shards; }
  std::uint16_t partitions() const override { return map_.shape().partitions; }
  Status AppendLedger(std::span<const LedgerEntry> entries) override {
    return ledger_->Append(entries);
  }
  std::vector<LedgerEntry> ledger() const override { return ledger_->entries(); }

 private:
  FileLog(std::unique_ptr<FileLock> lock, DurableMap map)
      : lock_(std::move(lock)), map_(std::move(map)) {}
  Status OpenShard(Disk& disk, const LogOptions& options, ShardId id);

  std::unique_ptr<FileLock> lock_;  // first: given back last
  DurableMap map_;
  std::unique_ptr<LedgerFile> ledger_;
  std::vector<std::unique_ptr<Shard>> shards_;
};

Status CheckOptions(const LogOptions& options, const LogShape& shape) {
  RETURN_IF_ERROR(CheckShape(shape));
  if (options.segment_bytes > kSegmentBytesMax) {
    return Error{Code::kInvalid, "a segment is at most 4 GiB"};
  }
  for (std::uint16_t s = 0; s < shape.shards; ++s) {
    const StreamFiles files(options.dir, shape.streams[0], ShardId{s}, shape);
    // Room for a tick of every partition at the least.
    if (SegmentWriter::BatchBytesMax(files, options.segment_bytes) <
        BatchCodec::EncodedTickBytes(files.carried)) {
      return Error{Code::kInvalid, "segment_bytes is too small for this many partitions"};
    }
  }
  return Ok();
}

Result<DurableMap> OpenMap(Disk& disk, const std::string& dir, const LogShape& shape) {
  auto map = DurableMap::Open(disk, dir, OpenMode::kReadWrite);
  if (!map.ok() && map.error().code == Code::kNotFound) {
    for (const std::string& stream : shape.streams) {
      if (disk.Exists(dir + "/" + stream)) {
        return Error{Code::kCorrupt,
                     dir + " has segments but no durable.map; restore it from a backup"};
      }
    }
    RETURN_IF_ERROR(DurableMap::Create(disk, dir, shape));
    map = DurableMap::Open(disk, dir, OpenMode::kReadWrite);
  }
  if (!map.ok()) return map.error();
  const LogShape& found = map->shape();
  if (found.partitions != shape.partitions || found.shards != shape.shards ||
      found.streams != shape.streams) {
    return Error{Code::kInvalid,
                 fmt::format("{} was created with {} partitions, {} shards and {} streams, and "
                             "these cannot change; set them back",
                             dir, found.partitions, found.shards, found.streams.size())};
  }
  return map;
}

Result<std::unique_ptr<Log>> FileLog::Open(Disk& disk, LogOptions options) {
  const LogShape shape{options.streams, options.partitions, options.shards};
  RETURN_IF_ERROR(CheckOptions(options, shape));
  RETURN_IF_ERROR(disk.MakeFolders(options.dir));
  RETURN_IF_ERROR(disk.SyncFolder(ParentFolder(options.dir)));
  ASSIGN_OR_RETURN(auto lock, LockFile(disk, options.dir + "/lock"));
  ASSIGN_OR_RETURN(DurableMap map, OpenMap(disk, options.dir, shape));
  std::unique_ptr<FileLog> log(new FileLog(std::move(lock), std::move(map)));
  ASSIGN_OR_RETURN(log->ledger_, LedgerFile::Open(disk, options.dir, shape));
  for (std::uint16_t s = 0; s < shape.shards; ++s) {
    RETURN_IF_ERROR(log->OpenShard(disk, options, ShardId{s}));
  }
  return std::unique_ptr<Log>(std::move(log));
}

Status FileLog::OpenShard(Disk& disk, const LogOptions& options, ShardId id) {
  const LogShape& shape = map_.shape();
  ASSIGN_OR_RETURN(const auto durable, map_.Read(id));
  Shard::Parts parts{id, options, {}, durable.has_value() ? durable->commit : CommitNumber{}};
  for (StreamIndex i = 0; i < shape.streams.size(); ++i) {
    const StreamFiles files(options.dir, shape.streams[i], id, shape);
    if (!disk.Exists(files.folder)) {
      RETURN_IF_ERROR(disk.MakeFolders(files.folder));
      RETURN_IF_ERROR(disk.SyncFolder(ParentFolder(files.folder)));
      RETURN_IF_ERROR(disk.SyncFolder(options.dir));
    }
    ASSIGN_OR_RETURN(auto start,
                     RecoverStream(disk, files, durable.has_value() ? durable->ends[i] : Place{}));
    parts.last_commit = std::max(parts.last_commit, start.last_commit);
    SegmentWriter writer(disk, files, options.segment_bytes, std::move(start));
    RETURN_IF_ERROR(writer.Begin());
    parts.writers.push_back(std::move(writer));
  }
  shards_.push_back(std::make_unique<Shard>(std::move(parts), map_));
  return map_.WriteBoth(id, shards_.back()->State());
}

}  // namespace

Result<std::unique_ptr<Log>> Log::Open(Disk& disk, LogOptions options) {
  return FileLog::Open(disk, std::move(options));
}

}  // namespace telltale::log
