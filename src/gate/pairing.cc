#include "gate/pairing.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <tuple>
#include <utility>

#include "gate/bytes_of.h"

namespace telltale::gate {
namespace {

constexpr std::size_t kExamplesOfSideMax = kExamplesMax / 2;
constexpr std::string_view kPendingOverflow = "pending_openings";
constexpr std::string_view kVotesOverflow = "vehicles_by_rule";

VehicleRef RefOf(const std::string& bytes) {  // 16: JournalFollower has checked it
  VehicleRef ref;
  std::copy(bytes.begin(), bytes.end(), ref.bytes.begin());
  return ref;
}

Micros Apart(Micros a, Micros b) { return a < b ? b - a : a - b; }

}  // namespace

void Pairing::Take(PartitionId id, Side side, journal::Part&& part) {
  Queue& queue = partitions_[id].queues[static_cast<std::size_t>(side)];
  queue.is_heard = true;
  queue.next = std::max(queue.next, part.next);
  for (auto& output : part.outputs) queue.outputs.push_back(std::move(output));
  queue.marks.insert(queue.marks.end(), part.marks.begin(), part.marks.end());
}

void Pairing::Settle(PartitionId id) {
  Partition& partition = partitions_[id];
  if (!partition.queues[0].is_heard || !partition.queues[1].is_heard) return;
  const Offset end = std::min(partition.queues[0].next, partition.queues[1].next);
  for (;;) {
    // The lowest place; at one place marks come first, since they speak of what lies below.
    std::optional<std::pair<std::uint64_t, int>> best;
    for (int side = 0; side < 2; ++side) {
      const Queue& queue = partition.queues[side];
      if (!queue.marks.empty() && queue.marks.front().below <= end) {
        const std::pair<std::uint64_t, int> at{queue.marks.front().below.value, side};
        if (!best || at < *best) best = at;
      }
      if (!queue.outputs.empty() && queue.outputs.front().input_offset() < end.value) {
        const std::pair<std::uint64_t, int> at{queue.outputs.front().input_offset(), side + 2};
        if (!best || at < *best) best = at;
      }
    }
    if (!best) break;
    const Side side = best->second % 2 == 0 ? Side::kStable : Side::kCandidate;
    Queue& queue = partition.queues[best->second % 2];
    if (best->second < 2) {
      TakeMark(partition, side, queue.marks.front());
      queue.marks.pop_front();
      continue;
    }
    if (queue.outputs.front().input_offset() >= partition.done.value) {
      TakeOutput(partition, side, queue.outputs.front());
    }
    queue.outputs.pop_front();
  }
  partition.done = std::max(partition.done, end);
}

void Pairing::TakeMark(Partition& partition, Side side, const journal::Mark& mark) {
  partition.log_time = std::max(partition.log_time, mark.log_time);
  if (side == Side::kCandidate) {
    JudgeOutside(partition, mark);
    NoteWarm(partition, mark);
  }
  Expire(partition);
}

// What lies below the place where the rollout began is of another order, or of when it was stable;
// where the stage grew, the candidate may speak before its next mark says so.
void Pairing::JudgeOutside(Partition& partition, const journal::Mark& mark) {
  const ConfigSeq began = options_.rollout.began;
  const bool is_of_rollout = partition.config_seq >= began && mark.config_seq >= began;
  const std::uint32_t lots = std::max({partition.lots, mark.lots, options_.rollout.shadow_lots});
  for (const VehicleRef& vehicle : std::exchange(partition.unjudged, {})) {
    if (!is_of_rollout || LotOf(options_.rollout.order, vehicle) < lots) continue;
    ++outside_cohort_;
    const bool is_told = std::find(outside_vehicles_.begin(), outside_vehicles_.end(), vehicle) !=
                         outside_vehicles_.end();
    if (!is_told && outside_vehicles_.size() < kExamplesMax) outside_vehicles_.push_back(vehicle);
  }
  partition.config_seq = mark.config_seq;
}

// As the publisher waits before it gives authority (docs/decisions/0009-authority-by-lot.md), but
// by the lots that were warm before the stage grew.
void Pairing::NoteWarm(Partition& partition, const journal::Mark& mark) const {
  partition.lots = mark.lots;
  auto& warm = partition.warm;
  while (!warm.empty() && warm.back().lots > mark.lots) warm.pop_back();
  if (!warm.empty() && warm.back().lots == mark.lots) {
    if (warm.back().since == mark.lots_since) return;
    warm.clear();  // they were left and taken again: nothing of before is warm
  }
  const bool is_warm = mark.lots > 0 && mark.config_seq >= options_.rollout.began &&
                       mark.lots_since >= Micros{0} &&  // older workers, and nothing yet: lowest
                       mark.log_time - mark.lots_since >= options_.rollout.warm_up;
  if (!is_warm) return;
  warm.push_back({.lots = mark.lots,
                  .since = mark.lots_since,
                  .from = mark.below,
                  .from_log_time = mark.log_time});
}

bool Pairing::IsWarm(const Partition& partition, std::uint32_t lot, Offset input) const {
  return std::any_of(partition.warm.begin(), partition.warm.end(),
                     [&](const Warm& warm) { return lot < warm.lots && input >= warm.from; });
}

std::optional<Micros> Pairing::WarmSince(PartitionId id, const VehicleRef& vehicle) const {
  const auto partition = partitions_.find(id);
  if (partition == partitions_.end() || partition->second.warm.empty()) return std::nullopt;
  const std::uint32_t lot = LotOf(options_.rollout.order, vehicle);
  for (const Warm& warm : partition->second.warm) {
    if (lot < warm.lots) return std::max(warm.from_log_time, options_.not_before);
  }
  return std::nullopt;
}

// Of the candidate every opening counts: an extra one may come on any day.
bool Pairing::IsFirst(const Key& key, Side side) {
  if (side == Side::kCandidate) return true;
  const auto rule = rules_.find(key.first);
  if (rule != rules_.end()) {
    const auto vehicle = rule->second.vehicles.find(key.second);
    if (vehicle != rule->second.vehicles.end() && (vehicle->second & kStableBegan) != 0) {
      return false;
    }
  }
  Vote(key, kStableBegan);
  return true;
}

Micros Pairing::ToleranceOf(const std::string& rule) const {
  const auto hold = options_.holds.find(rule);
  return (hold == options_.holds.end() ? Micros{} : hold->second) + kToleranceMore;
}

void Pairing::TakeOutput(Partition& partition, Side side,
                         const internal::v1::JournalEntry::Output& output) {
  partition.log_time = std::max(partition.log_time, Micros{output.receipt_time_us()});
  const internal::v1::Alert& alert = output.alert();
  const VehicleRef vehicle = RefOf(alert.vehicle_ref());
  if (options_.erased != nullptr && options_.erased->Contains(vehicle)) return;
  const std::uint32_t lot = LotOf(options_.rollout.order, vehicle);
  if (lot >= std::max(partition.lots, options_.rollout.shadow_lots)) {
    if (side == Side::kCandidate && partition.unjudged.size() < kUnjudgedMax) {
      partition.unjudged.push_back(vehicle);
    }
    return;
  }
  if (alert.state() != internal::v1::EPISODE_STATE_OPEN) return;
  const Offset input{output.input_offset()};
  const Key key{alert.rule(), vehicle};
  const bool is_compared =
      IsWarm(partition, lot, input) && partition.log_time >= options_.not_before;
  const Waiting opening{.side = side,
                        .is_counted = is_compared && IsFirst(key, side),
                        .input = input,
                        .index = output.index(),
                        .event_at = Micros{output.event_time_us()},
                        .told = ToldOf(alert)};
  auto& waiting = partition.waiting[key];
  const Micros tolerance = ToleranceOf(key.first);
  auto nearest = waiting.end();
  for (auto one = waiting.begin(); one != waiting.end(); ++one) {
    const Micros apart = Apart(one->event_at, opening.event_at);
    if (one->side == side || apart > tolerance) continue;
    if (nearest == waiting.end() || apart < Apart(nearest->event_at, opening.event_at)) {
      nearest = one;
    }
  }
  if (nearest != waiting.end()) {
    Match(key, *nearest, opening);
    waiting.erase(nearest);
    --pending_;
    if (waiting.empty()) partition.waiting.erase(key);
    return;
  }
  if (pending_ >= kPendingMax) {
    overflow_ = kPendingOverflow;
    if (waiting.empty()) partition.waiting.erase(key);
    return;
  }
  ++pending_;
  waiting.push_back(opening);
  partition.expiries.push_back({.at = partition.log_time + options_.lateness + tolerance,
                                .rule = key.first,
                                .vehicle = vehicle,
                                .side = side,
                                .input = input,
                                .index = opening.index});
}

void Pairing::Match(const Key& key, const Waiting& a, const Waiting& b) {
  const Waiting& stable = a.side == Side::kStable ? a : b;
  const Waiting& candidate = a.side == Side::kStable ? b : a;
  // Of a pair across the place where the candidate became warm only one side counts.
  std::uint8_t bits = 0;
  if (stable.is_counted) bits |= kStableSpoke;
  if (candidate.is_counted) bits |= kCandidateSpoke;
  if (bits == (kStableSpoke | kCandidateSpoke)) {
    bits |= kBothSpoke;
    const std::string difference = Difference(stable.told, candidate.told);
    if (!difference.empty()) {
      bits |= kToldOtherwise;
      AddExample(key, "payload", stable.event_at, "told otherwise: " + difference);
    }
  }
  if (bits != 0) Vote(key, bits);
}

// What came first waits longest, but a rule with a longer hold may stand before one with a shorter.
void Pairing::Expire(Partition& partition) {
  auto& expiries = partition.expiries;
  while (!expiries.empty() && expiries.front().at < partition.log_time) {
    const Expiry gone = std::move(expiries.front());
    expiries.pop_front();
    const Key key{gone.rule, gone.vehicle};
    const auto at = partition.waiting.find(key);
    if (at == partition.waiting.end()) continue;
    auto& waiting = at->second;
    const auto one = std::find_if(waiting.begin(), waiting.end(), [&](const Waiting& opening) {
      return opening.side == gone.side && opening.input == gone.input &&
             opening.index == gone.index;
    });
    if (one == waiting.end()) continue;
    if (one->is_counted) {
      const bool is_stable = gone.side == Side::kStable;
      Vote(key, is_stable ? kStableSpoke | kMissed : kCandidateSpoke | kInvented);
      AddExample(key, is_stable ? "missing" : "extra", one->event_at,
                 (is_stable ? "stable opened " : "candidate opened ") + gone.rule +
                     (is_stable ? ", candidate nothing within " : ", stable nothing within ") +
                     std::to_string(ToleranceOf(gone.rule).value / 1000) + " ms");
    }
    waiting.erase(one);
    --pending_;
    if (waiting.empty()) partition.waiting.erase(at);
  }
}

void Pairing::Vote(const Key& key, std::uint8_t bits) {
  if (!rules_.contains(key.first) && rules_.size() >= kRulesMax) {
    overflow_ = kVotesOverflow;
    return;
  }
  auto& vehicles = rules_[key.first].vehicles;
  const auto at = vehicles.find(key.second);
  if (at != vehicles.end()) {
    at->second |= bits;
    return;
  }
  if (votes_ >= kVotesMax) {
    overflow_ = kVotesOverflow;
    return;
  }
  vehicles.emplace(key.second, bits);
  ++votes_;
}

// Of each side those that came first by event time, one of a vehicle: whichever partition was
// looked at first, they are the same.
void Pairing::AddExample(const Key& key, std::string_view side, Micros event_at, std::string what) {
  if (!rules_.contains(key.first) && rules_.size() >= kRulesMax) return;
  auto& examples = rules_[key.first].examples;
  PairedExample example{.side = std::string(side),
                        .vehicle = key.second.ToHex(),
                        .event_at_us = event_at.value,
                        .what = std::move(what)};
  const auto place_of = [](const PairedExample& one) {
    return std::tie(one.side, one.event_at_us, one.vehicle);
  };
  std::size_t same = 0;
  auto last = examples.end();
  for (auto one = examples.begin(); one != examples.end(); ++one) {
    if (one->side != side) continue;
    if (one->vehicle == example.vehicle) return;
    ++same;
    last = one;  // they are in order
  }
  if (same >= kExamplesOfSideMax) {
    if (place_of(*last) < place_of(example)) return;
    examples.erase(last);
  }
  const auto at = std::find_if(examples.begin(), examples.end(), [&](const PairedExample& one) {
    return place_of(example) < place_of(one);
  });
  examples.insert(at, std::move(example));
}

Offset Pairing::DoneTo(PartitionId id) const {
  const auto partition = partitions_.find(id);
  return partition == partitions_.end() ? Offset{} : partition->second.done;
}

std::optional<Micros> Pairing::LogTime(PartitionId id) const {
  const auto partition = partitions_.find(id);
  if (partition == partitions_.end() || partition->second.log_time == Micros{INT64_MIN}) {
    return std::nullopt;
  }
  return partition->second.log_time;
}

Micros Pairing::NewestLogTime() const {
  Micros newest{INT64_MIN};
  for (const auto& [id, partition] : partitions_) newest = std::max(newest, partition.log_time);
  return newest;
}

std::size_t Pairing::queued(PartitionId id, Side side) const {
  const auto partition = partitions_.find(id);
  if (partition == partitions_.end()) return 0;
  const Queue& queue = partition->second.queues[static_cast<std::size_t>(side)];
  return queue.outputs.size() + queue.marks.size();
}

void Pairing::Forget(const ErasureList& erased) {
  if (erased.empty()) return;
  for (auto& [name, rule] : rules_) {
    votes_ -=
        std::erase_if(rule.vehicles, [&](const auto& vote) { return erased.Contains(vote.first); });
    std::erase_if(rule.examples, [&](const PairedExample& one) {
      const auto ref = VehicleRef::FromHex(one.vehicle);
      return !ref.ok() || erased.Contains(*ref);
    });
  }
  for (auto& [id, partition] : partitions_) {
    std::erase_if(partition.waiting, [&](const auto& waiting) {
      if (!erased.Contains(waiting.first.second)) return false;
      pending_ -= waiting.second.size();
      return true;
    });
    std::erase_if(partition.unjudged, [&](const VehicleRef& one) { return erased.Contains(one); });
    std::erase_if(partition.expiries,
                  [&](const Expiry& one) { return erased.Contains(one.vehicle); });
  }
  std::erase_if(outside_vehicles_, [&](const VehicleRef& one) { return erased.Contains(one); });
}

Pairing::Told Pairing::ToldOf(const internal::v1::Alert& alert) {
  return {.severity = static_cast<std::uint32_t>(alert.severity()),
          .peak_bits = alert.has_peak_value() ? std::bit_cast<std::uint64_t>(alert.peak_value())
                                              : ~std::uint64_t{0},
          .speed_bits = alert.has_speed_kmh()
                            ? std::uint64_t{std::bit_cast<std::uint32_t>(alert.speed_kmh())}
                            : ~std::uint64_t{0},
          .started_at_us = alert.started_at_us(),
          .cell = alert.has_cell() ? alert.cell() : ~std::uint64_t{0},
          .heading_octant = alert.has_heading_octant() ? alert.heading_octant() : ~0u,
          .vehicle_class = alert.has_vehicle_class() ? alert.vehicle_class() : ~0u,
          .unit = alert.unit()};
}

std::string Pairing::Difference(const Told& a, const Told& b) {
  std::string names;
  const auto note = [&names](bool differs, const char* name) {
    if (differs) names += (names.empty() ? "" : ", ") + std::string(name);
  };
  note(a.severity != b.severity, "severity");
  note(a.peak_bits != b.peak_bits, "peak_value");
  note(a.unit != b.unit, "unit");
  note(a.started_at_us != b.started_at_us, "started_at_us");
  note(a.speed_bits != b.speed_bits, "speed_kmh");
  note(a.cell != b.cell, "cell");
  note(a.heading_octant != b.heading_octant, "heading_octant");
  note(a.vehicle_class != b.vehicle_class, "vehicle_class");
  return names;
}

}  // namespace telltale::gate
