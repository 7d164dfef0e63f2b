// Places in a journal that were passed, newest last: where to go back to. A value; any thread.
#pragma once

#include <map>
#include <vector>

#include "journal/journal_follower.h"

namespace telltale::journal {

inline constexpr std::size_t kCheckpointsMax = 128;

class Checkpoints {
 public:
  // When there are too many, every second one goes: the older a place, the further it is from the
  // next one.
  void Add(JournalPlace place) {
    const bool is_there = !places_.empty() &&
                          places_.back().position.segment == place.position.segment &&
                          places_.back().position.byte == place.position.byte;
    if (is_there) return;
    places_.push_back(std::move(place));
    if (places_.size() <= kCheckpointsMax) return;
    std::vector<JournalPlace> kept;
    for (std::size_t n = 0; n < places_.size(); n += 2) kept.push_back(std::move(places_[n]));
    places_ = std::move(kept);
  }

  // The newest place from which everything that is needed is found; null: none is kept.
  const JournalPlace* NewestFor(const std::map<PartitionId, Offset>& needed) const {
    for (auto place = places_.rbegin(); place != places_.rend(); ++place) {
      if (Serves(*place, needed)) return &*place;
    }
    return nullptr;
  }

  std::size_t size() const { return places_.size(); }
  void Clear() { places_.clear(); }

 private:
  static bool Serves(const JournalPlace& place, const std::map<PartitionId, Offset>& needed) {
    for (const auto& [partition, offset] : needed) {
      const auto from = place.complete_from.find(partition);
      if (from != place.complete_from.end() && from->second > offset) return false;
    }
    return true;
  }

  std::vector<JournalPlace> places_;
};

}  // namespace telltale::journal
