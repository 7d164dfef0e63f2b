// One release's journal in one shard, as the publisher follows it: what was read and not yet
// committed, and the places it may go back to. One thread.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/clock.h"
#include "journal/checkpoints.h"
#include "journal/journal_follower.h"
#include "publish/alert_store.h"

namespace telltale::publish {

class Follower {
 public:
  // `disk` must outlive it.
  Follower(Disk& disk, const std::string& journals, std::string release, ShardId shard)
      : release_(std::move(release)),
        shard_(shard),
        journal_(disk, journals + "/" + release_, shard) {}

  const std::string& release() const { return release_; }
  ShardId shard() const { return shard_; }

  // True when more may be waiting. False, too, when there is no journal yet. Where it begins is
  // what `store` keeps of it, after GoBack() another place.
  //   errors of JournalFollower and the store; what was read before is in parts()
  Result<bool> Read(AlertStore& store, std::size_t records_max);
  std::map<PartitionId, Part>& parts() { return parts_; }

  // What parts() and all that follows begin with: a lane of the release that is not there yet
  // would miss something.
  Offset BeginsAt(PartitionId partition) const;
  // To the newest place from which lanes at `needed` are fed, else to what the store keeps.
  void GoBack(const std::map<PartitionId, Offset>& needed);

  void AddCheckpoint();
  // Where a restart may begin so that lanes at `lowest` are fed; nullopt: no better than before.
  std::optional<log::Position> PlaceFor(const std::map<PartitionId, Offset>& lowest) const;

  std::optional<Mark> NewestMark(PartitionId partition) const;
  bool is_open() const { return journal_.is_open(); }

  bool has_read = false;                                   // a mark moved since it was set to false
  bool is_stopped = false;                                 // its journal cannot be read on
  Micros not_before = {};                                  // monotonic: then it is tried again
  std::optional<log::Position> kept_place = std::nullopt;  // as the store has it
  bool is_place_saved = true;                              // and its file too

 private:
  const std::string release_;
  const ShardId shard_;
  journal::JournalFollower journal_;
  std::map<PartitionId, Part> parts_;
  journal::Checkpoints checkpoints_;
  std::optional<journal::JournalPlace> begins_;  // instead of what the store keeps
};

}  // namespace telltale::publish
