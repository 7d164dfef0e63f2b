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
#include "publish/authority_keeper.h"
#include "publish/follower.h"

namespace telltale::publish {

// Of one journal in one turn: none takes the others' time, however much it holds.
inline constexpr std::size_t kEntriesPerTurnMax = 4096;
inline constexpr std::size_t kEntriesPerTurnMaxOfCandidate = 1024;
// How often a place without new alerts is written down.
inline constexpr std::int64_t kPositionPaceUs = 500'000;
// A candidate's journal that could not be read is left alone for so long.
inline constexpr std::int64_t kCandidatePauseUs = 500'000;

struct PublisherOptions {
  std::string journal_dir;        // <release>/ below it
  std::string positions_dir;      // "" = do not save positions
  std::string erasure_list = {};  // "" = there is none
  std::uint16_t partitions = 64;
  std::uint16_t shards = 2;
  std::string control_public = {};  // 32 raw bytes; "" = no config record is taken
  // Asked between journals: a turn ends early when an order waits.
  std::function<bool()> is_order_waiting = {};
};

class Publisher : private Journals {
 public:
  // The references must outlive it; `on_changes` is called after each commit that made changes.
  Publisher(PublisherOptions options, AlertStore store, Disk& disk, const Clock& clock,
            Counters& counters, std::function<void()> on_changes);

  // Reads who may publish. False: nobody yet; publish nothing, try again later.
  Result<bool> LoadAuthority();
  // Whose journals are followed: stable's first, the candidate's last.
  std::vector<std::string> Releases() const { return keeper_.Releases(); }

  // Flips what is pending and can be, reads what is there and commits it. True when more may be
  // waiting.
  //   kRefused  the authority changed under way: LoadAuthority(), then go on; nothing is lost
  // A journal that is broken, or was removed from where we are, stops its shard alone, with a word
  // in the log; whatever a candidate's journal does costs nobody else anything.
  //   else      the disk: call again, the same outputs are tried once more
  Result<bool> RunOnce();

  // Takes a signed config record. When it returns ok the record is durable, and so is every flip
  // that could be made now: what it deposed publishes nothing any more.
  //   errors of VerifyOrder() and AuthorityKeeper::Take()
  Status TakeConfig(std::string_view signed_config);
  // For orders.sock: TakeConfig(), or only the state.
  internal::v1::PublisherReply Answer(const internal::v1::PublisherRequest& request);

  // Writes positions down whatever the pace.
  Status SavePositions();

 private:
  std::optional<Mark> NewestMark(const std::string& release, PartitionId) const override;
  bool IsStopped(const std::string& release, PartitionId) const override;
  const Follower* Find(const std::string& release, PartitionId partition) const;

  void FollowReleases();
  Result<bool> Turn(Follower& follower, bool pace);
  Result<bool> ReadSome(Follower& follower);
  void GoBackIfNeeded(Follower& follower);
  void DropForeign(Follower& follower);
  Status CommitParts(Follower& follower);
  std::map<PartitionId, Offset> LowestOf(ShardId shard) const;
  Status KeepPlaces();
  Status SavePosition(ShardId shard) const;

  const PublisherOptions options_;
  AlertStore store_;
  Disk& disk_;
  const Clock& clock_;
  std::function<void()> on_changes_;
  AuthorityKeeper keeper_;
  std::vector<std::unique_ptr<Follower>> followers_;  // in the order of Releases()
  ErasureList erased_;
  Micros paced_at_;         // monotonic
  bool has_moved_ = false;  // since positions were saved
  Counter& opened_;
  Counter& changes_;
  Counter& repeats_;
  Counter& superseded_;
  Counter& cells_refused_;
  Counter& erased_count_;
  Counter& continued_;
  Counter& left_open_;
  Counter& transactions_;
  Counter& deposed_;
  Counter& shadow_;
  Counter& went_back_;
  Counter& stopped_;
  Counter& expired_;
};

}  // namespace telltale::publish
