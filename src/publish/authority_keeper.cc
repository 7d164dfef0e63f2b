#include "publish/authority_keeper.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "publish/order_record.h"

namespace telltale::publish {
namespace {

// Counters are added to only; the difference, wrapped, makes a size of one.
void Set(Counter& counter, std::uint64_t value) { counter.Add(value - counter.value()); }

// Whether what was seen of the candidate before still says something.
bool IsSameRun(const std::optional<Wanted>& before, const Wanted& now) {
  if (!before || !before->rollout || !now.rollout) return false;
  return before->rollout->candidate == now.rollout->candidate &&
         before->rollout->began == now.rollout->began &&
         before->rollout->warm_up == now.rollout->warm_up;
}

}  // namespace

AuthorityKeeper::AuthorityKeeper(AlertStore& store, const Clock& clock, Counters& counters)
    : store_(store),
      clock_(clock),
      flips_(counters.Get("flips_total")),
      flip_us_(counters.Get("flip_duration_us_total")),
      flip_transactions_(counters.Get("flip_transactions_total")),
      orders_refused_(counters.Get("orders_refused_total")),
      lane_count_(counters.Get("lanes")),
      pending_count_(counters.Get("partitions_pending")) {}

Result<bool> AuthorityKeeper::Load() {
  ASSIGN_OR_RETURN(lanes_, store_.ReadLanes());
  ASSIGN_OR_RETURN(const auto kept, store_.ReadConfig());
  if (kept) {
    // Its signature was looked at when it was taken; keys may have changed since.
    ASSIGN_OR_RETURN(wanted_, ParseOrder(kept->signed_config));
    signed_config_ = kept->signed_config;
    leader_epoch_ = kept->leader_epoch;
  }
  CountLanes();
  return !lanes_.empty();
}

Status AuthorityKeeper::Admit(std::string_view signed_config, const Wanted& wanted) const {
  if (wanted.leader_epoch != 0 && wanted.leader_epoch < leader_epoch_) {
    return Error{Code::kRefused, "control has a newer leader"};
  }
  if (!wanted_ || wanted.seq > wanted_->seq) return Ok();
  if (wanted.seq < wanted_->seq) {
    return Error{Code::kRefused,
                 "config " + std::to_string(wanted_->seq.value) + " was taken already"};
  }
  if (signed_config == signed_config_) return Ok();
  return Error{Code::kRefused, "another config record has this config_seq"};
}

Status AuthorityKeeper::Take(std::string_view signed_config, const Wanted& wanted,
                             const Journals& journals) {
  if (const Status admitted = Admit(signed_config, wanted); !admitted.ok()) {
    orders_refused_.Add();
    return admitted;
  }
  const bool is_new = !wanted_ || wanted.seq != wanted_->seq;
  auto candidates = IsSameRun(wanted_, wanted) ? candidates_ : std::map<PartitionId, Candidate>();
  RETURN_IF_ERROR(
      Change(wanted, is_new ? std::string(signed_config) : std::string(), candidates, journals));
  candidates_ = std::move(candidates);
  if (!is_new) return Ok();
  wanted_ = wanted;
  signed_config_ = signed_config;
  leader_epoch_ = std::max(leader_epoch_, wanted.leader_epoch);
  spdlog::info("config {} was taken; {} partitions pending", wanted.seq.value, pending_.size());
  return Ok();
}

Result<bool> AuthorityKeeper::Settle(const Journals& journals) {
  if (!wanted_) return false;
  const std::uint64_t before = flips_.value();
  RETURN_IF_ERROR(Change(*wanted_, "", candidates_, journals));
  return flips_.value() != before;
}

void AuthorityKeeper::Note(const Wanted& wanted, std::map<PartitionId, Candidate>& candidates,
                           const Journals& journals) const {
  if (!wanted.rollout) return;
  for (const auto& [partition, lanes] : lanes_) {
    Candidate& candidate = candidates[partition];
    const auto mark = journals.NewestMark(wanted.rollout->candidate, partition);
    if (mark && mark != candidate.mark) NoteMark(candidate, *mark, *wanted.rollout);
    candidate.is_stopped = journals.IsStopped(wanted.rollout->candidate, partition);
  }
}

Status AuthorityKeeper::Change(const Wanted& wanted, const std::string& signed_config,
                               std::map<PartitionId, Candidate>& candidates,
                               const Journals& journals) {
  Note(wanted, candidates, journals);
  AuthorityChange change{.signed_config = signed_config, .wanted = wanted, .at = clock_.NowUtc()};
  std::map<PartitionId, std::string_view> pending;
  std::uint64_t flips = 0;
  for (const auto& [partition, lanes] : lanes_) {
    const Decision decision = Decide(lanes, wanted, candidates[partition]);
    if (!decision.pending.empty()) pending[partition] = decision.pending;
    if (decision.flips.empty()) continue;
    flips += decision.flips.size();
    change.partitions[partition] = {lanes, Apply(lanes, decision, wanted)};
  }
  if (!change.partitions.empty() || !signed_config.empty()) {
    const Micros began = clock_.NowMonotonic();
    RETURN_IF_ERROR(store_.ChangeAuthority(change));
    if (flips > 0) {
      flip_us_.Add(static_cast<std::uint64_t>((clock_.NowMonotonic() - began).value));
      flip_transactions_.Add();
    }
  }
  for (auto& [partition, one] : change.partitions) lanes_[partition] = std::move(one.after);
  flips_.Add(flips);
  pending_ = std::move(pending);
  CountLanes();
  return Ok();
}

void AuthorityKeeper::Became(const std::map<PartitionId, Lanes>& lanes) {
  for (const auto& [partition, became] : lanes) lanes_[partition] = became;
}

void AuthorityKeeper::CountLanes() {
  std::uint64_t count = 0;
  for (const auto& [partition, lanes] : lanes_) count += lanes.lanes.size();
  Set(lane_count_, count);
  Set(pending_count_, pending_.size());
}

bool AuthorityKeeper::IsCandidate(const std::string& release) const {
  return wanted_ && wanted_->rollout && wanted_->rollout->candidate == release;
}

bool AuthorityKeeper::IsWanted(const std::string& release) const {
  return wanted_ &&
         (wanted_->stable == release || wanted_->previous == release || IsCandidate(release));
}

std::vector<std::string> AuthorityKeeper::Releases() const {
  std::vector<std::string> releases;
  const auto add = [&releases](const std::string& release) {
    const bool is_new = std::find(releases.begin(), releases.end(), release) == releases.end();
    if (is_new && !release.empty()) releases.push_back(release);
  };
  if (wanted_) add(wanted_->stable);
  for (const auto& [partition, lanes] : lanes_) {
    for (const Lane& lane : lanes.lanes) {
      if (!IsCandidate(lane.release)) add(lane.release);
    }
  }
  if (wanted_) add(wanted_->previous);
  if (wanted_ && wanted_->rollout) add(wanted_->rollout->candidate);
  return releases;
}

void AuthorityKeeper::Describe(const Journals& journals,
                               internal::v1::PublisherReply& reply) const {
  if (wanted_) reply.set_config_seq(wanted_->seq.value);
  const std::vector<std::string> releases = Releases();
  for (const auto& [partition, lanes] : lanes_) {
    internal::v1::PartitionAuthority& out = *reply.add_partitions();
    out.set_partition(partition.value);
    out.set_authority_epoch(lanes.epoch.value);
    const auto pending = pending_.find(partition);
    if (pending != pending_.end()) out.set_pending(std::string(pending->second));
    for (const Lane& lane : lanes.lanes) {
      auto& one = *out.add_lanes();
      one.set_lot_from(lane.lot_from);
      one.set_lot_to(lane.lot_to);
      one.set_release(lane.release);
      one.set_authority_epoch(lane.epoch.value);
      one.set_first_offset(lane.first.value);
      one.set_next_offset(lane.next.value);
    }
    for (const std::string& release : releases) {
      auto& one = *out.add_releases();
      one.set_release(release);
      const auto mark = journals.NewestMark(release, partition);
      if (!mark) continue;
      one.set_below_offset(mark->below.value);
      one.set_log_time_us(mark->log_time.value);
      one.set_config_seq(mark->config_seq.value);
      one.set_lots(mark->lots);
      one.set_lots_since_us(mark->lots_since.value);
    }
  }
}

}  // namespace telltale::publish
