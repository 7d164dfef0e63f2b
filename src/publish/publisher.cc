#include "publish/publisher.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "contract/failure_wire.h"
#include "log/retention.h"
#include "publish/order_record.h"

namespace telltale::publish {

Publisher::Publisher(PublisherOptions options, AlertStore store, Disk& disk, const Clock& clock,
                     Counters& counters, std::function<void()> on_changes)
    : options_(std::move(options)),
      store_(std::move(store)),
      disk_(disk),
      clock_(clock),
      on_changes_(std::move(on_changes)),
      keeper_(store_, clock, counters),
      erased_(disk, options_.erasure_list),
      paced_at_(clock.NowMonotonic() - Micros{kPositionPaceUs}),
      opened_(counters.Get("alerts_total")),
      changes_(counters.Get("alert_changes_total")),
      repeats_(counters.Get("outputs_repeated_total")),
      superseded_(counters.Drops("publish", Reason::kAlertSuperseded)),
      cells_refused_(counters.Drops("publish", Reason::kPositionInvalid)),
      erased_count_(counters.Drops("publish", Reason::kErased)),
      continued_(counters.Get("episodes_continued_total")),
      left_open_(counters.Get("alerts_left_open_total")),
      transactions_(counters.Get("transactions_total")),
      deposed_(counters.Get("outputs_without_authority_total")),
      shadow_(counters.Get("outputs_shadow_total")),
      went_back_(counters.Get("journals_reread_total")),
      stopped_(counters.Get("journals_stopped")),
      expired_(counters.Get("journals_expired")) {}

Result<bool> Publisher::LoadAuthority() {
  ASSIGN_OR_RETURN(const bool there, keeper_.Load());
  FollowReleases();
  return there;
}

// The followers of Releases() and no others, in their order.
void Publisher::FollowReleases() {
  std::vector<std::unique_ptr<Follower>> followers;
  for (const std::string& release : Releases()) {
    for (std::uint16_t n = 0; n < options_.shards; ++n) {
      const auto known = std::find_if(followers_.begin(), followers_.end(), [&](const auto& one) {
        return one != nullptr && one->release() == release && one->shard().value == n;
      });
      followers.push_back(
          known != followers_.end()
              ? std::move(*known)
              : std::make_unique<Follower>(disk_, options_.journal_dir, release, ShardId{n}));
    }
  }
  followers_ = std::move(followers);
}

Result<bool> Publisher::RunOnce() {
  ASSIGN_OR_RETURN(const bool flipped, keeper_.Settle(*this));
  if (flipped) FollowReleases();
  const bool pace = clock_.NowMonotonic() - paced_at_ >= Micros{kPositionPaceUs};
  if (pace) paced_at_ = clock_.NowMonotonic();
  bool more = false;
  Status failed;
  for (const auto& follower : followers_) {
    if (options_.is_order_waiting && options_.is_order_waiting()) return true;
    const auto turn = Turn(*follower, pace);
    more = more || (turn.ok() && *turn);
    // The others have their turn all the same.
    if (!turn.ok() && failed.ok()) failed = turn.error();
  }
  RETURN_IF_ERROR(failed);
  if (pace && has_moved_) RETURN_IF_ERROR(SavePositions());
  return more;
}

Result<bool> Publisher::Turn(Follower& follower, bool pace) {
  GoBackIfNeeded(follower);
  // What could not be committed the last time comes first, or it would pile up.
  DropForeign(follower);
  const auto has_alerts = [&follower] {
    return std::any_of(follower.parts().begin(), follower.parts().end(),
                       [](const auto& entry) { return !entry.second.outputs.empty(); });
  };
  if (has_alerts()) RETURN_IF_ERROR(CommitParts(follower));
  const bool was_stopped = follower.is_stopped;
  ASSIGN_OR_RETURN(const bool more, ReadSome(follower));
  if (follower.is_stopped && !was_stopped) pace = true;
  DropForeign(follower);
  if (has_alerts() || (pace && !follower.parts().empty())) {
    RETURN_IF_ERROR(CommitParts(follower));
  }
  has_moved_ = std::exchange(follower.has_read, false) || has_moved_;
  return more;
}

// Whether more may be waiting. An error is one that this journal's authority has to wait for.
Result<bool> Publisher::ReadSome(Follower& follower) {
  if (follower.is_stopped || clock_.NowMonotonic() < follower.not_before) return false;
  const bool is_candidate = keeper_.IsCandidate(follower.release());
  const auto more =
      follower.Read(store_, is_candidate ? kEntriesPerTurnMaxOfCandidate : kEntriesPerTurnMax);
  if (more.ok()) return more;
  const Error& error = more.error();
  const bool is_expired = log::IsExpired(error);
  const bool stops = is_expired || error.code == Code::kCorrupt ||
                     error.code == Code::kUnsupported || error.code == Code::kTooBig;
  if (!stops && !is_candidate) return error;
  if (!stops) {
    follower.not_before = clock_.NowMonotonic() + Micros{kCandidatePauseUs};
    return false;
  }
  spdlog::error("journal of release {}, shard {} stopped, the others go on: {}",
                follower.release().substr(0, 8), follower.shard().value, error.ToString());
  follower.is_stopped = true;
  stopped_.Add();
  if (is_expired) expired_.Add();
  return false;
}

// A lane that was flipped to the release goes on where the lane is, which the journal may be past.
void Publisher::GoBackIfNeeded(Follower& follower) {
  std::map<PartitionId, Offset> needed;
  bool is_needed = false;
  for (const auto& [partition, lanes] : keeper_.lanes()) {
    if (log::ShardOf(partition, options_.shards) != follower.shard()) continue;
    const auto next = lanes.NextOf(follower.release());
    if (!next) continue;
    needed[partition] = *next;
    is_needed = is_needed || *next < follower.BeginsAt(partition);
  }
  if (!is_needed) return;
  follower.GoBack(needed);
  went_back_.Add();
}

// What a release says of a partition in which it speaks for nobody is not published.
void Publisher::DropForeign(Follower& follower) {
  const auto& lanes = keeper_.lanes();
  Counter& dropped = keeper_.IsWanted(follower.release()) ? shadow_ : deposed_;
  std::erase_if(follower.parts(), [&](const auto& entry) {
    const auto of = lanes.find(entry.first);
    if (of != lanes.end() && of->second.NextOf(follower.release())) return false;
    dropped.Add(entry.second.outputs.size());
    return true;
  });
}

Status Publisher::CommitParts(Follower& follower) {
  Commitment commitment{.release = follower.release(),
                        .expected = {},
                        .parts = follower.parts(),
                        .publish_time = clock_.NowUtc(),
                        .erased = options_.erasure_list.empty() ? nullptr : &erased_};
  for (const auto& [partition, part] : commitment.parts) {
    commitment.expected[partition] = keeper_.lanes().at(partition).epoch;
  }
  ASSIGN_OR_RETURN(const Committed done, store_.Commit(commitment));
  keeper_.Became(done.lanes);
  follower.parts().clear();
  transactions_.Add();
  opened_.Add(done.opened);
  changes_.Add(done.changes);
  repeats_.Add(done.repeats);
  superseded_.Add(done.superseded);
  cells_refused_.Add(done.cells_refused);
  erased_count_.Add(done.erased);
  continued_.Add(done.continued);
  left_open_.Add(done.left_open);
  (keeper_.IsWanted(follower.release()) ? shadow_ : deposed_).Add(done.others);
  if (done.changes > 0) on_changes_();
  return Ok();
}

Status Publisher::TakeConfig(std::string_view signed_config) {
  if (options_.control_public.empty()) {
    return Error{Code::kUnavailable, "there is no keys/control.pub here: no config is taken"};
  }
  ASSIGN_OR_RETURN(const Wanted wanted, VerifyOrder(signed_config, options_.control_public));
  Status taken = keeper_.Take(signed_config, wanted, *this);
  if (!taken.ok() && taken.error().code == Code::kOutcomeUnknown) {
    RETURN_IF_ERROR(LoadAuthority());
    taken = keeper_.Take(signed_config, wanted, *this);
  }
  FollowReleases();
  return taken;
}

internal::v1::PublisherReply Publisher::Answer(const internal::v1::PublisherRequest& request) {
  internal::v1::PublisherReply reply;
  Status done;
  if (request.has_signed_config()) {
    done = TakeConfig(request.signed_config());
  } else if (!request.has_status()) {
    done = Error{Code::kInvalid, "neither a config record nor a question"};
  }
  if (!done.ok()) {
    spdlog::warn("order refused: {}", done.error().ToString());
    contract::SetFailure(done.error(), *reply.mutable_failure());
  }
  keeper_.Describe(*this, reply);
  return reply;
}

const Follower* Publisher::Find(const std::string& release, PartitionId partition) const {
  const ShardId shard = log::ShardOf(partition, options_.shards);
  for (const auto& follower : followers_) {
    if (follower->release() == release && follower->shard() == shard) return follower.get();
  }
  return nullptr;
}

std::optional<Mark> Publisher::NewestMark(const std::string& release, PartitionId partition) const {
  const Follower* const follower = Find(release, partition);
  return follower == nullptr ? std::nullopt : follower->NewestMark(partition);
}

bool Publisher::IsStopped(const std::string& release, PartitionId partition) const {
  const Follower* const follower = Find(release, partition);
  return follower != nullptr && follower->is_stopped;
}

std::map<PartitionId, Offset> Publisher::LowestOf(ShardId shard) const {
  std::map<PartitionId, Offset> lowest;
  for (std::uint16_t n = 0; n < options_.partitions; ++n) {
    const PartitionId partition{n};
    if (log::ShardOf(partition, options_.shards) != shard) continue;
    const auto lanes = keeper_.lanes().find(partition);
    lowest[partition] = lanes == keeper_.lanes().end() ? Offset{} : lanes->second.LowestNext();
  }
  return lowest;
}

// From where each journal is read after a restart. Every lane, whoever has it, could be fed from
// there: a flip back before the restart or after it finds everything.
Status Publisher::KeepPlaces() {
  std::vector<JournalPosition> places;
  std::vector<Follower*> moved;
  for (const auto& follower : followers_) {
    const auto place = follower->PlaceFor(LowestOf(follower->shard()));
    if (!place) continue;
    if (follower->kept_place && follower->kept_place->segment == place->segment &&
        follower->kept_place->byte == place->byte) {
      continue;
    }
    places.push_back({follower->release(), follower->shard(), *place});
    moved.push_back(follower.get());
  }
  RETURN_IF_ERROR(store_.KeepJournalPositions(places));
  for (std::size_t n = 0; n < places.size(); ++n) {
    moved[n]->kept_place = std::move(places[n].position);
    moved[n]->is_place_saved = false;
  }
  return Ok();
}

Status Publisher::SavePosition(ShardId shard) const {
  log::Position position{.next = std::vector<Offset>(options_.partitions)};
  for (const auto& [partition, lowest] : LowestOf(shard)) position.next[partition.value] = lowest;
  return log::SavePosition(disk_, options_.positions_dir, "publisher", "safety", shard, position);
}

Status Publisher::SavePositions() {
  for (const auto& follower : followers_) {
    DropForeign(*follower);
    if (!follower->parts().empty()) RETURN_IF_ERROR(CommitParts(*follower));
    follower->AddCheckpoint();
  }
  RETURN_IF_ERROR(KeepPlaces());
  has_moved_ = false;
  if (options_.positions_dir.empty()) return Ok();
  for (const auto& follower : followers_) {
    if (follower->is_place_saved) continue;
    // For the worker, which keeps its journal no longer than it is needed.
    RETURN_IF_ERROR(
        log::SavePosition(disk_, options_.journal_dir + "/" + follower->release() + "/positions",
                          "publisher", "journal", follower->shard(), *follower->kept_place));
    follower->is_place_saved = true;
  }
  for (std::uint16_t n = 0; n < options_.shards; ++n) RETURN_IF_ERROR(SavePosition(ShardId{n}));
  return Ok();
}

}  // namespace telltale::publish
