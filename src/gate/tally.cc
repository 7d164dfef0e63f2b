#include "gate/tally.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/vehicle_class.h"

namespace telltale::gate {
namespace {

constexpr double kUsInSecond = 1e6;
constexpr double kMmInMetre = 1e3;

using StratumKey = std::pair<std::string, std::string>;  // dimension, name

std::string HourName(std::size_t hour) { return (hour < 10 ? "0" : "") + std::to_string(hour); }

// Of one vehicle; hours are not among them, since it has several.
std::vector<StratumKey> StrataOf(const TallyInput& input, const VehicleRef& ref,
                                 const VehicleExposure& vehicle) {
  const std::string model = input.model_of ? input.model_of(ref) : "";
  return {{"class", std::string(VehicleClassName(VehicleClass{vehicle.vehicle_class}))},
          {"firmware", std::string(input.ingest.tally().FirmwareName(vehicle.firmware))},
          {"model", model.empty() ? "unknown" : model}};
}

class Tally {
 public:
  Tally(const TallyInput& input, Evidence& evidence)
      : input_(input), evidence_(evidence), rollout_(input.comparison.options().pairing.rollout) {}

  void Run() {
    FindSilent();
    Drive();
    for (const std::string& name : RuleNames()) Pair(name);
    Reach();
  }

 private:
  const Pairing& pairing() const { return input_.comparison.pairing(); }
  const ExposureTally& driven() const { return input_.ingest.tally(); }

  void FindSilent();
  void Drive();
  void AddStrata(const VehicleRef& ref, const VehicleExposure& vehicle, bool is_compared);
  void CloseStrata();
  std::set<std::string> RuleNames() const;
  void Pair(const std::string& name);
  PairedCounts CountsOf(std::uint8_t bits, const VehicleExposure* vehicle) const;
  void Reach();
  void AddSource(const char* name, std::optional<Micros> newest);
  std::optional<Micros> SlowestMark(Side side) const;

  const TallyInput& input_;
  Evidence& evidence_;
  const contract::Rollout& rollout_;
  std::set<PartitionId> silent_[2];
  std::map<StratumKey, StratumExposure> strata_;
  std::map<StratumKey, std::int64_t> fleet_;
};

void Add(const PairedCounts& from, PairedCounts& to) {
  to.stable_fired += from.stable_fired;
  to.missing += from.missing;
  to.exposed += from.exposed;
  to.settled += from.settled;
  to.extra += from.extra;
  to.candidate_fired += from.candidate_fired;
}

// By how far the stream was read: a mark that stands while the other's goes on, or both stand.
void Tally::FindSilent() {
  if (!input_.is_silence_known) return;
  const auto at = input_.ingest.log_time();
  for (std::uint16_t p = 0; p < input_.comparison.options().partitions; ++p) {
    const PartitionId partition{p};
    const auto stable = input_.comparison.NewestMark(partition, Side::kStable);
    const auto candidate = input_.comparison.NewestMark(partition, Side::kCandidate);
    Micros newest = at.value_or(Micros{INT64_MIN});
    if (stable) newest = std::max(newest, stable->log_time);
    if (candidate) newest = std::max(newest, candidate->log_time);
    const auto is_silent = [&](const std::optional<journal::Mark>& mark) {
      return !mark || newest - mark->log_time > kSilentAfter;
    };
    if (is_silent(stable)) silent_[0].insert(partition);
    if (is_silent(candidate)) silent_[1].insert(partition);
  }
}

void Tally::AddStrata(const VehicleRef& ref, const VehicleExposure& vehicle, bool is_compared) {
  for (const StratumKey& key : StrataOf(input_, ref, vehicle)) {
    ++fleet_[key];
    if (!is_compared) continue;
    StratumExposure& stratum = strata_[key];
    ++stratum.vehicles;
    stratum.driving_s += static_cast<double>(vehicle.driving_us) / kUsInSecond;
    stratum.metres += static_cast<double>(vehicle.millimetres) / kMmInMetre;
  }
  for (std::size_t hour = 0; hour < kHours; ++hour) {
    if ((vehicle.hours & (1u << hour)) == 0) continue;
    ++fleet_[{"hour", HourName(hour)}];
    if (is_compared) ++strata_[{"hour", HourName(hour)}].vehicles;
  }
}

void Tally::Drive() {
  Exposure& exposure = evidence_.exposure;
  std::int64_t driving_us = 0;
  std::int64_t millimetres = 0;
  std::int64_t in_cohort = 0;
  for (const auto& [ref, vehicle] : driven().vehicles()) {
    const bool is_cohort = LotOf(rollout_.order, ref) < rollout_.shadow_lots;
    const bool is_compared = is_cohort && vehicle.has_input;
    if (is_cohort) ++in_cohort;
    AddStrata(ref, vehicle, is_compared);
    if (!is_compared) continue;
    ++exposure.vehicles;
    driving_us += vehicle.driving_us;
    millimetres += vehicle.millimetres;
    const bool is_stable_silent = silent_[0].contains(vehicle.partition);
    const bool is_candidate_silent = silent_[1].contains(vehicle.partition);
    if (is_candidate_silent && !is_stable_silent) ++exposure.silent_candidate;
    if (is_stable_silent && !is_candidate_silent) ++exposure.silent_stable;
    if (is_stable_silent && is_candidate_silent) ++exposure.silent_both;
  }
  exposure.cohort_vehicles = in_cohort;
  exposure.driving_s = static_cast<double>(driving_us) / kUsInSecond;
  exposure.metres = static_cast<double>(millimetres) / kMmInMetre;
  if (exposure.vehicles > 0 && driven().event_from() <= driven().event_to()) {
    exposure.event_from_us = driven().event_from().value;
    exposure.event_to_us = driven().event_to().value;
  }
  evidence_.arms = {{"cohort", in_cohort},
                    {"rest", static_cast<std::int64_t>(driven().vehicles().size()) - in_cohort}};
  CloseStrata();
}

void Tally::CloseStrata() {
  for (std::size_t hour = 0; hour < kHours; ++hour) {
    const auto at = strata_.find({"hour", HourName(hour)});
    if (at == strata_.end()) continue;
    at->second.driving_s = static_cast<double>(driven().hour_driving_us()[hour]) / kUsInSecond;
    at->second.metres = static_cast<double>(driven().hour_millimetres()[hour]) / kMmInMetre;
  }
  const auto fleet = static_cast<double>(driven().vehicles().size());
  for (const auto& [key, vehicles] : fleet_) {
    StratumExposure stratum = strata_[key];
    stratum.dimension = key.first;
    stratum.name = key.second;
    stratum.fleet_share = static_cast<double>(vehicles) / fleet;
    evidence_.exposure.strata.push_back(std::move(stratum));
  }
}

std::set<std::string> Tally::RuleNames() const {
  std::set<std::string> names(input_.rules.begin(), input_.rules.end());
  for (const auto& [name, rule] : pairing().rules()) names.insert(name);
  return names;
}

PairedCounts Tally::CountsOf(std::uint8_t bits, const VehicleExposure* vehicle) const {
  const auto has = [bits](std::uint8_t bit) { return (bits & bit) != 0 ? 1 : 0; };
  const bool has_input = vehicle != nullptr && vehicle->has_input;
  const bool has_driven = has_input && vehicle->driving_us >= input_.settle_driving_us;
  return {.stable_fired = has(kStableSpoke),
          .missing = has(kMissed),
          .exposed = has_input || bits != 0 ? 1 : 0,
          .settled = has_driven || has(kInvented) != 0 ? 1 : 0,
          .extra = has(kInvented),
          .candidate_fired = has(kCandidateSpoke)};
}

void Tally::Pair(const std::string& name) {
  static const RuleVotes kNone;
  const auto found = pairing().rules().find(name);
  const RuleVotes& votes = found == pairing().rules().end() ? kNone : found->second;
  PairedEvidence rule{.metric = "rule/" + name, .component_digest = input_.rules_digest};
  PairedEvidence payload{.metric = "payload/" + name, .component_digest = input_.rules_digest};
  std::map<StratumKey, PairedCounts> strata;
  const auto take = [&](const VehicleRef& ref, std::uint8_t bits, const VehicleExposure* vehicle) {
    const PairedCounts counts = CountsOf(bits, vehicle);
    Add(counts, rule.counts);
    if ((bits & kBothSpoke) != 0) {
      const std::int64_t differs = (bits & kToldOtherwise) != 0 ? 1 : 0;
      Add({.stable_fired = 1,
           .missing = differs,
           .exposed = 1,
           .settled = 1,
           .extra = 0,
           .candidate_fired = 1},
          payload.counts);
    }
    if (vehicle == nullptr) return;
    for (const StratumKey& key : StrataOf(input_, ref, *vehicle)) Add(counts, strata[key]);
  };
  const auto& vehicles = driven().vehicles();
  for (const auto& [ref, bits] : votes.vehicles) {
    const auto vehicle = vehicles.find(ref);
    take(ref, bits, vehicle == vehicles.end() ? nullptr : &vehicle->second);
  }
  for (const auto& [ref, vehicle] : vehicles) {
    if (vehicle.has_input && !votes.vehicles.contains(ref)) take(ref, 0, &vehicle);
  }
  for (const auto& [key, counts] : strata) {
    rule.strata.push_back({.dimension = key.first, .name = key.second, .counts = counts});
  }
  for (PairedExample one : votes.examples) {
    const bool is_payload = one.side == "payload";
    if (is_payload) one.side = "missing";
    (is_payload ? payload : rule).examples.push_back(std::move(one));
  }
  evidence_.paired.push_back(std::move(rule));
  evidence_.paired.push_back(std::move(payload));
}

std::optional<Micros> Tally::SlowestMark(Side side) const {
  std::optional<Micros> slowest;
  for (const JournalSight& one : input_.comparison.sights()) {
    if (one.side == side && (!one.stopped.empty() || !one.is_open)) return std::nullopt;
  }
  for (std::uint16_t p = 0; p < input_.comparison.options().partitions; ++p) {
    const auto mark = input_.comparison.NewestMark(PartitionId{p}, side);
    if (mark && (!slowest || mark->log_time < *slowest)) slowest = mark->log_time;
  }
  return slowest;
}

void Tally::AddSource(const char* name, std::optional<Micros> newest) {
  if (!newest || newest->value <= 0) return;
  evidence_.sources.push_back({.name = name, .newest_us = newest->value});
}

void Tally::Reach() {
  // What was not all counted is as good as not followed.
  const bool is_whole = pairing().overflow().empty();
  if (is_whole) AddSource("stable_journal", SlowestMark(Side::kStable));
  if (is_whole) AddSource("candidate_journal", SlowestMark(Side::kCandidate));
  const bool is_read = input_.ingest.stopped().empty() && driven().overflow().empty();
  if (is_read) AddSource("ingest", input_.ingest.log_time());
}

}  // namespace

void FillTally(const TallyInput& input, Evidence& evidence) { Tally(input, evidence).Run(); }

}  // namespace telltale::gate
