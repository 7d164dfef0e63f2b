// The publisher's loop, apart from processes and sockets: journals in, committed alerts out.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/counters.h"
#include "publish/alert_store.h"
#include "publish/journal_follower.h"

namespace telltale::publish {

inline constexpr std::size_t kEntriesPerTurnMax = 4096;
// How often a place without new alerts is written down.
inline constexpr std::int64_t kPositionPaceUs = 500'000;

struct PublisherOptions {
  std::string journal_dir;        // <release>/ below it
  std::string positions_dir;      // "" = do not save positions
  std::string erasure_list = {};  // "" = there is none
  std::uint16_t partitions = 64;
  std::uint16_t shards = 2;
};

class Publisher {
 public:
  // The references must outlive it; `on_changes` is called after each commit that made changes.
  Publisher(PublisherOptions options, AlertStore store, Disk& disk, const Clock& clock,
            Counters& counters, std::function<void()> on_changes);

  // Reads who may publish. False: nobody yet; publish nothing, try again later.
  Result<bool> LoadAuthority();
  // The releases with authority.
  std::vector<std::string> Releases() const;

  // Reads what is there and commits it. True when more may be waiting.
  //   kRefused  the authority changed under way: LoadAuthority(), then go on; nothing is lost
  // A journal that is broken, or was removed from where we are, stops its shard alone, with a word
  // in the log.
  //   else      the disk: call again, the same outputs are tried once more
  Result<bool> RunOnce();
  // Writes positions down whatever the pace.
  Status SavePositions();

 private:
  struct Follower {
    std::string release;
    ShardId shard;
    JournalFollower journal;
    std::map<PartitionId, Part> uncommitted;  // taken from `journal`, not yet in the store
    Micros committed_at;                      // monotonic
    bool moved = false;                       // positions committed since the last SavePosition
    // Where it goes on after a restart, as the store has it; none: from the beginning.
    std::optional<log::Position> goes_on_at;
    bool stopped = false;  // its journal is broken
  };
  Result<bool> Turn(Follower& follower, bool pace);
  Status CommitParts(Follower& follower);
  Status SavePosition(const Follower& follower);
  void DropDeposed(Follower& follower);

  const PublisherOptions options_;
  AlertStore store_;
  Disk& disk_;
  const Clock& clock_;
  std::function<void()> on_changes_;
  std::map<PartitionId, Authority> authority_;
  std::map<PartitionId, Offset> published_;
  std::vector<std::unique_ptr<Follower>> followers_;
  ErasureList erased_;
  Counter& opened_;
  Counter& changes_;
  Counter& repeats_;
  Counter& superseded_;
  Counter& cells_refused_;
  Counter& erased_count_;
  Counter& transactions_;
  Counter& deposed_;
  Counter& stopped_;
  Counter& expired_;
};

}  // namespace telltale::publish
