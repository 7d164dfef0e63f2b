#include "publish/publisher.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "log/retention.h"

namespace telltale::publish {

Publisher::Publisher(PublisherOptions options, AlertStore store, Disk& disk, const Clock& clock,
                     Counters& counters, std::function<void()> on_changes)
    : options_(std::move(options)),
      store_(std::move(store)),
      disk_(disk),
      clock_(clock),
      on_changes_(std::move(on_changes)),
      erased_(disk, options_.erasure_list),
      opened_(counters.Get("alerts_total")),
      changes_(counters.Get("alert_changes_total")),
      repeats_(counters.Get("outputs_repeated_total")),
      superseded_(counters.Drops("publish", Reason::kAlertSuperseded)),
      cells_refused_(counters.Drops("publish", Reason::kPositionInvalid)),
      erased_count_(counters.Drops("publish", Reason::kErased)),
      transactions_(counters.Get("transactions_total")),
      deposed_(counters.Get("outputs_without_authority_total")),
      stopped_(counters.Get("journals_stopped")),
      expired_(counters.Get("journals_expired")) {}

std::vector<std::string> Publisher::Releases() const {
  std::vector<std::string> releases;
  for (const auto& [partition, authority] : authority_) releases.push_back(authority.release);
  std::sort(releases.begin(), releases.end());
  releases.erase(std::unique(releases.begin(), releases.end()), releases.end());
  return releases;
}

Result<bool> Publisher::LoadAuthority() {
  ASSIGN_OR_RETURN(authority_, store_.ReadAuthority());
  ASSIGN_OR_RETURN(published_, store_.ReadPositions());
  for (const std::string& release : Releases()) {
    for (std::uint16_t n = 0; n < options_.shards; ++n) {
      const bool followed = std::any_of(followers_.begin(), followers_.end(), [&](const auto& f) {
        return f->release == release && f->shard.value == n;
      });
      if (followed) continue;
      followers_.push_back(std::unique_ptr<Follower>(new Follower{
          .release = release,
          .shard = ShardId{n},
          .journal = JournalFollower(disk_, options_.journal_dir + "/" + release, ShardId{n}),
          .uncommitted = {},
          .committed_at = {},
          .moved = false,
          .goes_on_at = {}}));
    }
  }
  return !authority_.empty();
}

Result<bool> Publisher::RunOnce() {
  bool more = false;
  for (const auto& follower : followers_) {
    const bool pace = clock_.NowMonotonic() - follower->committed_at >= Micros{kPositionPaceUs};
    if (follower->stopped) continue;
    const auto turn = Turn(*follower, pace);
    if (!turn.ok()) {
      const Error& error = turn.error();
      const bool is_expired = log::IsExpired(error);
      if (!is_expired && error.code != Code::kCorrupt && error.code != Code::kUnsupported) {
        return error;
      }
      spdlog::error("journal of shard {} stopped, the others go on: {}", follower->shard.value,
                    error.ToString());
      follower->stopped = true;
      stopped_.Add();
      if (is_expired) expired_.Add();
      continue;
    }
    more = more || *turn;
  }
  return more;
}

Result<bool> Publisher::Turn(Follower& follower, bool pace) {
  if (!follower.journal.is_open()) {
    ASSIGN_OR_RETURN(const auto from, store_.ReadJournalPosition(follower.release, follower.shard));
    const Status opened = follower.journal.Open(from.value_or(log::Position{}));
    // The worker may not have made it yet.
    if (!opened.ok() && opened.error().code == Code::kNotFound) return false;
    RETURN_IF_ERROR(opened);
  }
  const Result<bool> more = follower.journal.Read(kEntriesPerTurnMax);
  // Also when the journal broke off: what was read before that place is published first.
  if (!more.ok()) pace = true;
  for (auto& [partition, part] : follower.journal.TakeReady()) {
    Part& into = follower.uncommitted[partition];
    into.next = part.next;
    std::move(part.outputs.begin(), part.outputs.end(), std::back_inserter(into.outputs));
  }
  DropDeposed(follower);
  const bool alerts = std::any_of(follower.uncommitted.begin(), follower.uncommitted.end(),
                                  [](const auto& entry) { return !entry.second.outputs.empty(); });
  if (alerts || (pace && !follower.uncommitted.empty())) RETURN_IF_ERROR(CommitParts(follower));
  if (pace && follower.moved) {
    RETURN_IF_ERROR(SavePosition(follower));
    follower.moved = false;
  }
  return more;
}

// What a release says of a partition it has no authority over is not published.
void Publisher::DropDeposed(Follower& follower) {
  std::erase_if(follower.uncommitted, [&](const auto& entry) {
    const auto authority = authority_.find(entry.first);
    if (authority != authority_.end() && authority->second.release == follower.release) {
      return false;
    }
    deposed_.Add(entry.second.outputs.size());
    return true;
  });
}

Status Publisher::CommitParts(Follower& follower) {
  Commitment commitment{.release = follower.release,
                        .shard = follower.shard,
                        .expected = {},
                        .parts = follower.uncommitted,
                        .journal_position = follower.journal.SafePosition(),
                        .publish_time = clock_.NowUtc(),
                        .erased = options_.erasure_list.empty() ? nullptr : &erased_};
  for (const auto& [partition, part] : commitment.parts) {
    commitment.expected[partition] = authority_.at(partition);
  }
  ASSIGN_OR_RETURN(const Committed done, store_.Commit(commitment));
  for (const auto& [partition, part] : commitment.parts) {
    published_[partition] = std::max(published_[partition], part.next);
  }
  follower.uncommitted.clear();
  if (commitment.journal_position) follower.goes_on_at = commitment.journal_position;
  follower.committed_at = clock_.NowMonotonic();
  follower.moved = true;
  transactions_.Add();
  opened_.Add(done.opened);
  changes_.Add(done.changes);
  repeats_.Add(done.repeats);
  superseded_.Add(done.superseded);
  cells_refused_.Add(done.cells_refused);
  erased_count_.Add(done.erased);
  if (done.changes > 0) on_changes_();
  return Ok();
}

Status Publisher::SavePosition(const Follower& follower) {
  if (options_.positions_dir.empty()) return Ok();
  // For the worker, which keeps its journal no longer than it is needed.
  if (follower.goes_on_at) {
    RETURN_IF_ERROR(
        log::SavePosition(disk_, options_.journal_dir + "/" + follower.release + "/positions",
                          "publisher", "journal", follower.shard, *follower.goes_on_at));
  }
  log::Position position{.next = std::vector<Offset>(options_.partitions)};
  for (const auto& [partition, next] : published_) {
    if (partition.value < options_.partitions &&
        log::ShardOf(partition, options_.shards) == follower.shard) {
      position.next[partition.value] = next;
    }
  }
  return log::SavePosition(disk_, options_.positions_dir, "publisher", "safety", follower.shard,
                           position);
}

Status Publisher::SavePositions() {
  for (const auto& follower : followers_) {
    if (!follower->uncommitted.empty()) RETURN_IF_ERROR(CommitParts(*follower));
    if (!follower->moved) continue;
    RETURN_IF_ERROR(SavePosition(*follower));
    follower->moved = false;
  }
  return Ok();
}

}  // namespace telltale::publish
