#include "publish/authority_map.h"

#include <algorithm>

#include "base/check.h"

namespace telltale::publish {
namespace {

// So that one lane begins at `lot`.
void Cut(std::vector<Lane>& lanes, std::uint32_t lot) {
  for (std::size_t n = 0; n < lanes.size(); ++n) {
    if (lot <= lanes[n].lot_from || lot >= lanes[n].lot_to) continue;
    Lane upper = lanes[n];
    upper.lot_from = lot;
    lanes[n].lot_to = lot;
    lanes.insert(lanes.begin() + static_cast<std::ptrdiff_t>(n) + 1, std::move(upper));
    return;
  }
}

bool IsWithin(const Lane& lane, const Flip& flip) {
  return lane.lot_from >= flip.lot_from && lane.lot_to <= flip.lot_to;
}

// Lots below `to` that neither `release` nor `or_else` has are given to `release`.
void Give(Decision& decision, const Lanes& lanes, const Flip& flip, std::string_view or_else) {
  for (const Lane& lane : lanes.lanes) {
    const std::uint32_t from = std::max(lane.lot_from, flip.lot_from);
    const std::uint32_t to = std::min(lane.lot_to, flip.lot_to);
    if (from >= to || lane.release == flip.release || lane.release == or_else) continue;
    // Side by side they are one flip, with one epoch.
    if (!decision.flips.empty() && decision.flips.back().lot_to == from &&
        decision.flips.back().release == flip.release) {
      decision.flips.back().lot_to = to;
    } else {
      decision.flips.push_back({.lot_from = from, .lot_to = to, .release = flip.release});
    }
  }
}

bool HasAll(const Lanes& lanes, std::uint32_t lots, std::string_view release) {
  return std::all_of(lanes.lanes.begin(), lanes.lanes.end(), [&](const Lane& lane) {
    return lane.lot_from >= lots || lane.release == release;
  });
}

// "" when every lot below the rollout's authority may be the candidate's.
std::string_view WhyNot(const Lanes& lanes, const Rollout& rollout, const Candidate& candidate) {
  if (candidate.is_stopped) return kJournalStopped;
  if (!candidate.mark) return kNoJournal;
  if (candidate.mark->lots < rollout.authority_lots || !candidate.warm_from) return kWarming;
  for (const Lane& lane : lanes.lanes) {
    const bool moves = lane.lot_from < rollout.authority_lots && lane.release != rollout.candidate;
    if (moves && lane.next < *candidate.warm_from) return kWarming;
  }
  return {};
}

}  // namespace

const Lane& Lanes::LaneOf(const VehicleRef& vehicle) const {
  CHECK(!lanes.empty());
  if (IsWhole()) return lanes.front();
  const std::uint32_t lot = LotOf(order, vehicle);
  const auto at = std::find_if(lanes.begin(), lanes.end(),
                               [lot](const Lane& lane) { return lot < lane.lot_to; });
  CHECK(at != lanes.end());
  return *at;
}

std::optional<Offset> Lanes::NextOf(std::string_view release) const {
  std::optional<Offset> lowest;
  for (const Lane& lane : lanes) {
    if (lane.release == release) lowest = std::min(lowest.value_or(lane.next), lane.next);
  }
  return lowest;
}

Offset Lanes::LowestNext() const {
  CHECK(!lanes.empty());
  return std::min_element(lanes.begin(), lanes.end(),
                          [](const Lane& a, const Lane& b) { return a.next < b.next; })
      ->next;
}

Lanes FirstLanes(const std::string& release) {
  return {.epoch = AuthorityEpoch{1}, .lanes = {{.release = release, .epoch = AuthorityEpoch{1}}}};
}

void Advance(Lanes& lanes, std::string_view release, Offset mark) {
  for (Lane& lane : lanes.lanes) {
    if (lane.release == release) lane.next = std::max(lane.next, mark);
  }
}

void ApplyFlip(Lanes& lanes, const Flip& flip) {
  CHECK(flip.lot_from < flip.lot_to && flip.lot_to <= kLots);
  const bool changes = std::any_of(lanes.lanes.begin(), lanes.lanes.end(), [&](const Lane& lane) {
    return lane.lot_from < flip.lot_to && lane.lot_to > flip.lot_from &&
           lane.release != flip.release;
  });
  if (!changes) return;
  ++lanes.epoch.value;
  Cut(lanes.lanes, flip.lot_from);
  Cut(lanes.lanes, flip.lot_to);
  for (Lane& lane : lanes.lanes) {
    if (!IsWithin(lane, flip) || lane.release == flip.release) continue;
    lane.release = flip.release;
    lane.epoch = lanes.epoch;
    lane.first = lane.next;
  }
}

void Merge(Lanes& lanes) {
  std::vector<Lane> merged;
  for (Lane& lane : lanes.lanes) {
    const bool joins =
        !merged.empty() && merged.back().release == lane.release && merged.back().next == lane.next;
    if (!joins) {
      merged.push_back(std::move(lane));
      continue;
    }
    merged.back().lot_to = lane.lot_to;
    if (lane.epoch <= merged.back().epoch) continue;
    merged.back().epoch = lane.epoch;
    merged.back().first = lane.first;
  }
  lanes.lanes = std::move(merged);
}

void NoteMark(Candidate& candidate, const Mark& mark, const Rollout& rollout) {
  // Of a vehicle that joined later nothing was warm before.
  const bool is_same = candidate.mark && candidate.mark->lots == mark.lots &&
                       candidate.mark->lots_since == mark.lots_since;
  if (!is_same) candidate.warm_from.reset();
  candidate.mark = mark;
  const bool is_warm = mark.lots > 0 && mark.config_seq >= rollout.began &&
                       mark.log_time - mark.lots_since >= rollout.warm_up;
  if (!is_warm) candidate.warm_from.reset();
  if (is_warm && !candidate.warm_from) candidate.warm_from = mark.below;
}

Decision Decide(const Lanes& lanes, const Wanted& wanted, const Candidate& candidate) {
  Decision decision;
  const bool has_rollout = wanted.rollout && wanted.rollout->authority_lots > 0;
  if (!has_rollout) {
    Give(decision, lanes, {.release = wanted.stable}, wanted.stable);
    return decision;
  }
  const Rollout& rollout = *wanted.rollout;
  const bool is_other_order = lanes.order != rollout.order;
  if (is_other_order && !lanes.IsWhole()) {
    // Its lots are other vehicles: first everybody is stable's, and at one place.
    Give(decision, lanes, {.release = wanted.stable}, wanted.stable);
    decision.pending = kLanesApart;
    return decision;
  }
  const std::uint32_t lots = rollout.authority_lots;
  if (!HasAll(lanes, lots, rollout.candidate)) {
    decision.pending = WhyNot(lanes, rollout, candidate);
  }
  if (decision.pending.empty()) {
    Give(decision, lanes, {.lot_to = lots, .release = rollout.candidate}, {});
  } else {
    // A release that is neither is spoken for no longer; what the candidate has it keeps.
    Give(decision, lanes, {.lot_to = lots, .release = wanted.stable}, rollout.candidate);
  }
  Give(decision, lanes, {.lot_from = lots, .release = wanted.stable}, wanted.stable);
  decision.takes_order = is_other_order && decision.pending.empty();
  return decision;
}

Lanes Apply(Lanes lanes, const Decision& decision, const Wanted& wanted) {
  if (decision.takes_order) {
    CHECK(lanes.IsWhole() && wanted.rollout);
    lanes.order = wanted.rollout->order;
  }
  for (const Flip& flip : decision.flips) ApplyFlip(lanes, flip);
  Merge(lanes);
  return lanes;
}

}  // namespace telltale::publish
