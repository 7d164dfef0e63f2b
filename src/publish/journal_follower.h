// Follows one shard of a release's output journal and gives what may be forwarded.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "base/disk.h"
#include "log/log.h"
#include "publish/alert_store.h"

namespace telltale::publish {

class JournalFollower {
 public:
  // `disk` must outlive it.
  JournalFollower(Disk& disk, std::string journal_dir, ShardId shard)
      : disk_(disk), dir_(std::move(journal_dir)), shard_(shard) {}

  //   kNotFound  no journal yet: try again later
  Status Open(const log::Position& from);
  bool is_open() const { return reader_ != nullptr; }

  // Up to `records_max` entries. True when more may be waiting.
  //   kCorrupt  an entry that cannot be: this shard cannot go on
  Result<bool> Read(std::size_t records_max);

  // Outputs below their partition's newest mark, in input order, each once; partitions whose mark
  // did not move are left out.
  std::map<PartitionId, Part> TakeReady();
  // Everything read so far was given out: where to go on after a restart.
  std::optional<log::Position> SafePosition() const;

 private:
  Status Accept(const log::RecordView& record);

  Disk& disk_;
  const std::string dir_;
  const ShardId shard_;
  std::unique_ptr<log::Reader> reader_;

  using Place = std::pair<std::uint64_t, std::uint32_t>;  // input offset, index
  struct Waiting {
    std::map<Place, internal::v1::JournalEntry::Output> outputs;
    Offset mark;
    Offset taken;
  };
  std::map<PartitionId, Waiting> waiting_;
};

}  // namespace telltale::publish
