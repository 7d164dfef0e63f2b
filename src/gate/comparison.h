// Follows the journals of stable and candidate in every shard, and feeds the pairing. One thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/disk.h"
#include "gate/pairing.h"
#include "journal/checkpoints.h"
#include "journal/journal_follower.h"

namespace telltale::gate {

struct ComparisonOptions {
  std::string journals = {};  // the folder of all releases' journals
  std::string stable = {};
  std::string candidate = {};
  std::uint16_t shards = 1;
  std::uint16_t partitions = 1;
  PairingOptions pairing = {};
};

// One release's journal in one shard.
struct JournalSight {
  Side side = Side::kStable;
  ShardId shard = {};
  bool is_open = false;
  bool is_broken = false;    // an entry that cannot be, below its own durable end
  std::string stopped = {};  // why it is read no further; "" = it is read
};

class Comparison {
 public:
  // `disk` must outlive it.
  Comparison(Disk& disk, ComparisonOptions options);

  // Reads on in every shard; whoever is ahead of the other by kQueuedMax waits. True when more may
  // be there. Never fails: what stops a journal is in sights().
  bool Read(std::size_t records_max);

  Pairing& pairing() { return *pairing_; }
  const Pairing& pairing() const { return *pairing_; }
  std::vector<JournalSight> sights() const;
  std::optional<journal::Mark> NewestMark(PartitionId partition, Side side) const;
  const ComparisonOptions& options() const { return options_; }

  void Encode(std::string& out) const;
  //   kCorrupt  then it is as before
  Status Restore(ByteReader& in);

 private:
  struct Follower {
    std::unique_ptr<journal::JournalFollower> journal;
    log::Position begins = {};  // as long as no place behind it serves
    journal::Checkpoints places = {};
    std::string stopped = {};
    bool is_broken = false;
  };
  static constexpr std::size_t IndexOf(ShardId shard, Side side) {
    return std::size_t{shard.value} * 2 + static_cast<std::size_t>(side);
  }
  bool ReadOne(ShardId shard, Side side, std::size_t records_max);
  std::map<PartitionId, Offset> DoneIn(ShardId shard) const;
  std::size_t QueuedIn(ShardId shard, Side side) const;
  const log::Position& PlaceOf(ShardId shard, Side side) const;

  Disk& disk_;
  ComparisonOptions options_;
  std::unique_ptr<Pairing> pairing_;
  std::vector<Follower> followers_;  // by IndexOf()
};

}  // namespace telltale::gate
