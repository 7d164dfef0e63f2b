// Follows one shard of a release's output journal and gives what may be forwarded.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "base/disk.h"
#include "journal/journal.h"
#include "log/log.h"

namespace telltale::journal {

// Outputs that wait for a mark. A worker writes marks all the time: more than this is no journal.
inline constexpr std::size_t kWaitingBytesMax = 64u << 20;

// A place in a journal, and what is found from there on.
struct JournalPlace {
  log::Position position = {};
  // By partition: all outputs of these input offsets and above lie behind `position`. One that is
  // not named has none before it.
  std::map<PartitionId, Offset> complete_from = {};
};

class JournalFollower {
 public:
  // For who wants to know where each mark lay: a Part has all of them.
  enum class Marks { kNewest, kAll };
  // `disk` must outlive it.
  JournalFollower(Disk& disk, std::string journal_dir, ShardId shard, Marks marks = Marks::kNewest)
      : disk_(disk), dir_(std::move(journal_dir)), shard_(shard), marks_(marks) {}

  // Begins there, whatever was read before. Newest marks are kept.
  //   kNotFound  no journal yet: try again later
  Status Open(const JournalPlace& from);
  bool is_open() const { return reader_ != nullptr; }
  void Close();  // all but the newest marks is forgotten

  // Up to `records_max` entries. True when more may be waiting.
  //   kCorrupt  an entry that cannot be: this shard cannot go on
  //   kTooBig   too many outputs without a mark above them: likewise
  Result<bool> Read(std::size_t records_max);

  // Outputs below their partition's newest mark, in input order, each once; partitions whose mark
  // did not move are left out.
  std::map<PartitionId, Part> TakeReady();
  // Where TakeReady() goes on: outputs of lower input offsets were given out.
  Offset TakenTo(PartitionId partition) const;
  // Where it is. It is open.
  JournalPlace Here() const;

  // The highest of each partition that was ever read.
  const std::map<PartitionId, Mark>& newest() const { return newest_; }

 private:
  Status Accept(const log::RecordView& record);
  Status AcceptMark(const internal::v1::JournalEntry::Progress& progress);

  Disk& disk_;
  const std::string dir_;
  const ShardId shard_;
  const Marks marks_;
  std::unique_ptr<log::Reader> reader_;

  using Place = std::pair<std::uint64_t, std::uint32_t>;  // input offset, index
  struct Held {
    internal::v1::JournalEntry::Output output;
    std::size_t bytes = 0;
  };
  struct Waiting {
    std::map<Place, Held> outputs;
    Offset mark;
    Offset taken;
    std::vector<Mark> marks = {};  // above `taken`
  };
  std::map<PartitionId, Waiting> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::map<PartitionId, Mark> newest_;
};

}  // namespace telltale::journal
