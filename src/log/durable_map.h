// durable.map: what a log was created with, and how far each shard is durable. Bytes and ordering:
// docs/formats/durable-map.md, docs/decisions/0002-durable-end-by-pwrite.md.
#pragma once

#include <optional>

#include "log/log.h"

namespace telltale::log {

// A place in a stream's files.
struct Place {
  std::uint64_t segment = 0;
  std::uint64_t byte = 0;
  friend auto operator<=>(const Place&, const Place&) = default;
};

// One shard's state after a commit, by stream; `next` by stream, then by carried partition.
struct DurableState {
  CommitNumber commit;
  std::vector<Place> ends;
  std::vector<Offset> next;
};

// Partitions carried by a shard, and the index of one among them.
std::size_t CarriedBy(ShardId shard, const LogShape& shape);
inline std::size_t CarriedIndex(PartitionId partition, std::uint16_t shards) {
  return partition.value / shards;
}
inline PartitionId CarriedPartition(std::size_t index, ShardId shard, std::uint16_t shards) {
  return PartitionId{static_cast<std::uint16_t>(index * shards + shard.value)};
}

//   kInvalid  names the bound that is broken
Status CheckShape(const LogShape& shape);

class DurableMap {
 public:
  //   kExists, kUnavailable. Durable when it returns.
  static Status Create(Disk& disk, const std::string& dir, const LogShape& shape);
  //   kNotFound     there is no log in `dir`
  //   kCorrupt, kUnsupported
  static Result<DurableMap> Open(Disk& disk, const std::string& dir, OpenMode mode);

  const LogShape& shape() const { return shape_; }

  // nullopt = nothing is known. Any thread, beside the writer.
  Result<std::optional<DurableState>> Read(ShardId shard) const;
  // Only `stream`'s end: what a polling reader needs. {0, 0} = nothing is known.
  Result<Place> ReadEnd(ShardId shard, StreamIndex stream) const;
  // Owner only; one thread per shard. Not synced: kill -9 keeps it, a power cut may bring an older
  // state back.
  Status Write(ShardId shard, const DurableState& state);
  // Both slots, then synced; at open.
  Status WriteBoth(ShardId shard, const DurableState& state);

 private:
  DurableMap(std::unique_ptr<File> file, LogShape shape);
  std::uint64_t SlotAt(ShardId shard, std::uint64_t slot) const;
  Status WriteSlot(ShardId shard, std::uint64_t slot, const DurableState& state);
  // The newest whole slot's bytes, or empty.
  Result<std::string> ReadSlot(ShardId shard) const;

  std::unique_ptr<File> file_;
  LogShape shape_;
  std::size_t slot_bytes_;
  std::vector<std::string> scratch_;  // by shard; no allocation per commit
};

}  // namespace telltale::log
