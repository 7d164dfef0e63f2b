#include "gate/invariants.h"

#include <algorithm>
#include <utility>

#include "gate/bytes_of.h"

namespace telltale::gate {
namespace {

constexpr std::array kSides = {Side::kStable, Side::kCandidate};

const char* NameOf(Side side) { return side == Side::kStable ? "stable" : "candidate"; }
std::string InPartition(PartitionId partition) {
  return "partition " + std::to_string(partition.value);
}

// Ends that somebody else brought about say nothing of the release. A release that takes too much
// memory ends by itself: its address space is limited.
bool IsItsOwn(const std::string& last_end) {
  return last_end.find("signal 9 ") == std::string::npos &&
         last_end.find("signal 15 ") == std::string::npos && last_end != "exited with code 0";
}

// A rule that is declared to fire less, or that no promotion asks for, may be silent.
bool MayBeSilent(const GateSettings* settings, const std::string& rule) {
  if (settings == nullptr) return false;
  return std::none_of(settings->metrics.begin(), settings->metrics.end(), [&](const auto& one) {
    return one.name == "rule/" + rule && one.is_guardrail && one.missing_max <= kSilenceMissingMax;
  });
}

InvariantSide& SideOf(InvariantEvidence& seen, Side side) {
  return side == Side::kStable ? seen.stable : seen.candidate;
}

}  // namespace

bool Invariants::Look(const Comparison& comparison, const Sights& sights,
                      const GateSettings* settings, Micros now, Micros at) {
  is_new_ = false;
  at_ = at;
  LookAtJournals(comparison, at);
  LookAtPublished(sights.authority, at);
  LookAtDrops(sights, now, at);
  LookAtProgress(comparison, sights, now, at);
  LookAtLag(comparison, sights, now, at);
  LookAtCrashes(sights, at);
  LookAtSilence(comparison, settings, at);
  if (sights.has_contracts) {
    Watched(Invariant::kSealedToOpen, at);
    if (!sights.opened_fields.empty()) {
      Raise(Invariant::kSealedToOpen, Side::kCandidate,
            static_cast<std::int64_t>(sights.opened_fields.size()), 0,
            "field " + sights.opened_fields.front());
    }
  }
  LetGo();
  return is_new_;
}

void Invariants::Raise(Invariant invariant, Side side, std::int64_t breaches, std::int64_t vehicles,
                       const std::string& what) {
  InvariantEvidence& seen = seen_[static_cast<std::size_t>(invariant)];
  InvariantSide& of = SideOf(seen, side);
  if (breaches > 0) Stands(invariant, side);
  if (breaches <= of.breaches && vehicles <= of.vehicles) return;
  if (of.breaches == 0 && breaches > 0) is_new_ = true;
  if (seen.what.empty() || (side == Side::kCandidate && of.breaches == 0)) {
    seen.what = std::string(NameOf(side)) + ": " + what;
  }
  of.breaches = std::max(of.breaches, breaches);
  of.vehicles = std::max(of.vehicles, vehicles);
}

void Invariants::Stands(Invariant invariant, Side side) {
  newest_[static_cast<std::size_t>(invariant)][static_cast<std::size_t>(side)] = at_;
}

// A stall of the disk or of the host strikes both. Once stable is over it for long enough, it says
// nothing of the candidate any more: neither what is to come, nor what ended along with it.
void Invariants::LetGo() {
  for (std::size_t n = 0; n < seen_.size(); ++n) {
    InvariantEvidence& seen = seen_[n];
    const Micros of_stable = newest_[n][static_cast<std::size_t>(Side::kStable)];
    const Micros of_candidate = newest_[n][static_cast<std::size_t>(Side::kCandidate)];
    if (seen.stable.breaches == 0 || at_ - of_stable <= kMaskFor) continue;
    seen.stable = {};
    if (of_candidate - of_stable > kSameTrouble) continue;
    seen.candidate = {};
    seen.what.clear();
    seen.vehicles.clear();
  }
}

void Invariants::Add(Invariant invariant, Side side, const std::string& what) {
  const InvariantSide of = SideOf(seen_[static_cast<std::size_t>(invariant)], side);
  Raise(invariant, side, of.breaches + 1, of.vehicles, what);
}

void Invariants::AddVehicles(Invariant invariant, const std::vector<VehicleRef>& vehicles) {
  auto& told = seen_[static_cast<std::size_t>(invariant)].vehicles;
  for (const VehicleRef& vehicle : vehicles) {
    const std::string name = vehicle.ToHex();
    const bool is_told = std::find(told.begin(), told.end(), name) != told.end();
    if (!is_told && told.size() < kExamplesMax) told.push_back(name);
  }
}

void Invariants::Watched(Invariant invariant, Micros at) {
  auto& to_us = seen_[static_cast<std::size_t>(invariant)].watched_to_us;
  to_us = std::max(to_us, at.value);
}

void Invariants::LookAtJournals(const Comparison& comparison, Micros at) {
  for (const Side side : kSides) {
    std::int64_t broken = 0;
    std::string what;
    for (const JournalSight& one : comparison.sights()) {
      if (one.side != side || !one.is_broken) continue;
      ++broken;
      if (what.empty()) what = one.stopped;
    }
    Raise(Invariant::kContractFailure, side, broken, 0, what);
  }
  const Pairing& pairing = comparison.pairing();
  Raise(Invariant::kOutputOutsideCohort, Side::kCandidate, pairing.outside_cohort(),
        static_cast<std::int64_t>(pairing.outside_vehicles().size()),
        "outputs of vehicles that no config gave it");
  AddVehicles(Invariant::kOutputOutsideCohort, pairing.outside_vehicles());
  Watched(Invariant::kContractFailure, at);
  Watched(Invariant::kOutputOutsideCohort, at);
}

void Invariants::LookAtPublished(const AuthoritySight& authority, Micros at) {
  if (!authority.is_told) return;
  Raise(Invariant::kOutputWithoutAuthority, Side::kCandidate, authority.outputs_without,
        static_cast<std::int64_t>(authority.vehicles.size()), authority.what);
  AddVehicles(Invariant::kOutputWithoutAuthority, authority.vehicles);
  Raise(Invariant::kAuthorityNotSingle, Side::kCandidate, authority.not_single, 0, authority.what);
  Watched(Invariant::kOutputWithoutAuthority, at);
  Watched(Invariant::kAuthorityNotSingle, at);
}

// Counters know no vehicles: two of a kind stand for two vehicles, rather once too often.
// The two files are written and read one after the other, so a reason has to stand for a while.
void Invariants::LookAtDrops(const Sights& sights, Micros now, Micros at) {
  const WorkerSight& stable = sights.workers[0];
  const WorkerSight& candidate = sights.workers[1];
  if (!stable.is_told || !candidate.is_told) return;
  for (const auto& [reason, count] : stable.drops) {
    if (count == 0) continue;
    std::uint64_t& most = stable_drops_[reason];
    most = std::max(most, count);
    new_reasons_.erase(reason);
    if (told_reasons_.erase(reason) == 0) continue;  // it only came later
    const auto dropped = static_cast<std::int64_t>(count);
    Raise(Invariant::kNewDeadLetterReason, Side::kStable, dropped,
          std::min<std::int64_t>(dropped, 2), reason);
  }
  for (const auto& [reason, count] : candidate.drops) {
    if (count == 0 || stable_drops_.contains(reason)) continue;
    const Micros since = new_reasons_.try_emplace(reason, now).first->second;
    if (now - since < kReasonStands) continue;
    told_reasons_.insert(reason);
    const auto dropped = static_cast<std::int64_t>(count);
    Raise(Invariant::kNewDeadLetterReason, Side::kCandidate, dropped,
          std::min<std::int64_t>(dropped, 2), reason);
  }
  for (const Side side : kSides) {
    const WorkerSight& worker = sights.workers[static_cast<std::size_t>(side)];
    Raise(Invariant::kContractFailure, side, static_cast<std::int64_t>(worker.partitions_stopped),
          0, "partitions that its worker stopped at");
  }
  Watched(Invariant::kNewDeadLetterReason, at);
}

void Invariants::LookAtProgress(const Comparison& comparison, const Sights& sights, Micros now,
                                Micros at) {
  if (sights.safety_ends.empty()) return;
  const auto partitions = static_cast<std::uint16_t>(sights.safety_ends.size());
  for (std::uint16_t p = 0; p < partitions; ++p) {
    for (const Side side : kSides) {
      const PartitionId partition{p};
      const auto mark = comparison.NewestMark(partition, side);
      const Offset below = mark ? mark->below : Offset{};
      const auto [stuck, is_first] = stuck_.try_emplace({partition, side});
      if (is_first || stuck->second.below != below || below >= sights.safety_ends[p]) {
        stuck->second = {.below = below, .since = now, .is_noted = false};
      } else if (!stuck->second.is_noted && now - stuck->second.since >= kStuckAfter) {
        stuck->second.is_noted = true;
        Add(Invariant::kStuckProgress, side,
            InPartition(partition) + " at input " + std::to_string(below.value));
      } else if (stuck->second.is_noted) {
        Stands(Invariant::kStuckProgress, side);
      }
    }
  }
  Watched(Invariant::kStuckProgress, at);
}

void Invariants::LookAtLag(const Comparison& comparison, const Sights& sights, Micros now,
                           Micros at) {
  if (sights.safety_ends.empty()) return;
  const auto partitions = static_cast<std::uint16_t>(sights.safety_ends.size());
  for (const Side side : kSides) {
    std::uint64_t behind = 0;
    for (std::uint16_t p = 0; p < partitions; ++p) {
      const auto mark = comparison.NewestMark(PartitionId{p}, side);
      const Offset below = mark ? mark->below : Offset{};
      if (below < sights.safety_ends[p]) behind += sights.safety_ends[p].value - below.value;
    }
    Lag& lag = lags_[static_cast<std::size_t>(side)];
    if (lag.noted_at != Micros{} && now - lag.noted_at < kLagPace) continue;
    const bool is_first = lag.noted_at == Micros{};
    lag.noted_at = now;
    if (is_first || behind <= lag.records || behind < kLagRecordsMin) {
      lag.grows_since = now;
      lag.at_start = behind;
      lag.is_noted = false;
    } else if (!lag.is_noted && now - lag.grows_since > window_) {
      lag.is_noted = true;
      Add(Invariant::kLagBeyondWindow, side,
          std::to_string(behind) + " records behind, " + std::to_string(lag.at_start) + " before");
    } else if (lag.is_noted) {
      Stands(Invariant::kLagBeyondWindow, side);
    }
    lag.records = behind;
  }
  Watched(Invariant::kLagBeyondWindow, at);
}

void Invariants::LookAtCrashes(const Sights& sights, Micros at) {
  if (!sights.workers[1].is_told) return;
  for (const Side side : kSides) {
    const WorkerSight& worker = sights.workers[static_cast<std::size_t>(side)];
    if (!worker.is_told) continue;
    Crashes& crashes = crashes_[static_cast<std::size_t>(side)];
    if (!std::exchange(crashes.has_seen, true)) crashes.restarts = worker.restarts;
    const std::uint64_t fresh =
        worker.restarts > crashes.restarts ? worker.restarts - crashes.restarts : 0;
    crashes.restarts = worker.restarts;
    if (IsItsOwn(worker.last_end)) {
      for (std::uint64_t n = 0; n < std::min(fresh, kCrashesMax); ++n) crashes.at.push_back(at);
    }
    std::erase_if(crashes.at, [&](Micros one) { return at - one > kCrashWindow; });
    const bool is_looping = crashes.at.size() >= kCrashesMax;
    const bool is_stopped = worker.state == "stopped";
    if ((is_looping || is_stopped) && !crashes.is_noted) {
      Add(Invariant::kCrashLoop, side, is_stopped ? worker.reason : worker.last_end);
    }
    crashes.is_noted = is_looping || is_stopped;
    if (crashes.is_noted) Stands(Invariant::kCrashLoop, side);
  }
  Watched(Invariant::kCrashLoop, at);
}

void Invariants::LookAtSilence(const Comparison& comparison, const GateSettings* settings,
                               Micros at) {
  Watched(Invariant::kSilence, at);
  std::set<VehicleRef> spoken_of;
  for (const auto& [name, rule] : comparison.pairing().rules()) {
    const bool is_counted = !MayBeSilent(settings, name);
    for (const auto& [vehicle, bits] : rule.vehicles) {
      if ((bits & kCandidateSpoke) != 0) return;
      const bool is_one = is_counted && (bits & kStableSpoke) != 0;
      if (is_one && spoken_of.size() < kSilenceCountedMax) spoken_of.insert(vehicle);
    }
  }
  const auto vehicles = static_cast<std::int64_t>(spoken_of.size());
  if (vehicles < kSilenceVehiclesMin) return;
  Raise(Invariant::kSilence, Side::kCandidate, 1, vehicles,
        "no output at all, where stable spoke of " + std::to_string(vehicles) + " vehicles");
}

std::vector<InvariantEvidence> Invariants::Evidence() const {
  std::vector<InvariantEvidence> all(seen_.begin(), seen_.end());
  for (std::size_t n = 0; n < all.size(); ++n) all[n].invariant = static_cast<Invariant>(n);
  return all;
}

void Invariants::Forget(const ErasureList& erased) {
  for (InvariantEvidence& seen : seen_) {
    std::erase_if(seen.vehicles, [&](const std::string& name) {
      const auto ref = VehicleRef::FromHex(name);
      return !ref.ok() || erased.Contains(*ref);
    });
  }
}

void Invariants::Encode(std::string& out) const {
  PutLe(out, static_cast<std::uint32_t>(seen_.size()));
  for (std::size_t n = 0; n < seen_.size(); ++n) {
    const InvariantEvidence& seen = seen_[n];
    for (const InvariantSide& side : {seen.candidate, seen.stable}) {
      PutLe(out, side.breaches);
      PutLe(out, side.vehicles);
    }
    PutLe(out, seen.watched_to_us);
    for (const Micros one : newest_[n]) PutLe(out, one.value);
    PutBlob(out, seen.what);
    PutLe(out, static_cast<std::uint32_t>(seen.vehicles.size()));
    for (const std::string& one : seen.vehicles) PutBlob(out, one);
  }
  for (const Crashes& crashes : crashes_) {
    PutLe(out, static_cast<std::uint8_t>(crashes.has_seen ? 1 : 0));
    PutLe(out, crashes.restarts);
    PutLe(out, static_cast<std::uint8_t>(crashes.is_noted ? 1 : 0));
    PutLe(out, static_cast<std::uint32_t>(crashes.at.size()));
    for (const Micros one : crashes.at) PutLe(out, one.value);
  }
  PutLe(out, static_cast<std::uint32_t>(stable_drops_.size()));
  for (const auto& [reason, most] : stable_drops_) {
    PutBlob(out, reason);
    PutLe(out, most);
  }
}

void Invariants::DecodeCrashes(ByteReader& in, Crashes& out) {
  out.has_seen = in.Get<std::uint8_t>() != 0;
  out.restarts = in.Get<std::uint64_t>();
  out.is_noted = in.Get<std::uint8_t>() != 0;
  for (auto left = GetCount(in, 8); left > 0; --left) {
    out.at.push_back(Micros{in.Get<std::int64_t>()});
  }
}

Status Invariants::Restore(ByteReader& in) {
  std::array<InvariantEvidence, kInvariants> read = {};
  auto newest = newest_;
  bool is_whole = GetCount(in, 64) == read.size();
  for (std::size_t n = 0; n < read.size(); ++n) {
    InvariantEvidence& seen = read[n];
    for (InvariantSide* side : {&seen.candidate, &seen.stable}) {
      side->breaches = in.Get<std::int64_t>();
      side->vehicles = in.Get<std::int64_t>();
      is_whole = is_whole && side->breaches >= 0 && side->vehicles >= 0;
    }
    seen.watched_to_us = in.Get<std::int64_t>();
    for (Micros& one : newest[n]) one = Micros{in.Get<std::int64_t>()};
    seen.what = GetText(in);
    for (auto left = GetCount(in, 4); left > 0 && in.ok(); --left) {
      seen.vehicles.push_back(GetText(in));
    }
  }
  std::array<Crashes, 2> crashes = {};
  for (Crashes& one : crashes) DecodeCrashes(in, one);
  std::map<std::string, std::uint64_t> drops;
  for (auto left = GetCount(in, 12); left > 0 && in.ok(); --left) {
    std::string reason = GetText(in);
    drops[std::move(reason)] = in.Get<std::uint64_t>();
  }
  if (!in.ok() || !is_whole) return Error{Code::kCorrupt, "gate state: the invariants are cut"};
  seen_ = std::move(read);
  newest_ = newest;
  crashes_ = std::move(crashes);
  stable_drops_ = std::move(drops);
  return Ok();
}

}  // namespace telltale::gate
