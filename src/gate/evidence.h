// gate/ - decides whether a rollout may go on: what was seen, against what was said beforehand.
//   in      Evidence (what the comparator counted), GateSettings (fixed before the rollout began)
//   out     Report: PASS, HALT or HOLD, why, what is missing, what could have been seen
//   owns    nothing: pure functions, no clock, no disk, no randomness; the same evidence gives the
//           same numbers on every machine (the folder is compiled without contracted multiply-add,
//           and numbers are reported with 9 digits)
//   thread  any
//   not here: pairing of journals, flipping, approvals themselves. docs/gate.md has the reasons.
//
// evidence.h: what was counted, by whoever pairs the outputs of stable and candidate. All counts
// run since the rollout began, over all its stages: they never go back and never start anew.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gate/names.h"

namespace telltale::gate {

// What the evidence is about. The gate compares it with GateSettings: what was counted for another
// candidate, stable release or gate is void.
struct Basis {
  std::string environment = {};
  std::string rollout = {};
  std::string candidate = {};    // release ids
  std::string stable = {};       // the comparator
  std::string gate_digest = {};  // GateDigest() of the settings in force while this was counted
  std::int64_t as_of_us = 0;     // when it was counted: staleness is seen from here
};

// The ten invariants of L0, by name. One breach halts.
enum class Invariant {
  kContractFailure,         // an output that fails its contract
  kOutputWithoutAuthority,  // published by a release that has no authority there
  kOutputOutsideCohort,     // by the candidate, for a vehicle that is not its
  kAuthorityNotSingle,      // an input with zero or two authorities
  kNewDeadLetterReason,     // from two vehicles or more, a reason that stable does not know
  kStuckProgress,           // input arrives, the watermark stands
  kLagBeyondWindow,         // grows for longer than the state window
  kCrashLoop,
  kSilence,       // input and no output in a partition
  kSealedToOpen,  // a field that was sealed comes out open
};
inline constexpr int kInvariants = 10;
Names NamesOf(Invariant);
std::string_view InvariantName(Invariant invariant);  // "contract_failure"

struct InvariantSide {
  std::int64_t breaches = 0;
  std::int64_t vehicles = 0;  // distinct; 0 where a partition or process is the unit
};

// One per invariant, also when nothing happened: an invariant that nobody watched is a HOLD.
struct InvariantEvidence {
  Invariant invariant = Invariant::kContractFailure;
  InvariantSide candidate = {};
  InvariantSide stable =
      {};  // the same fault (for dead letters: the same reason) on the comparator
  std::int64_t watched_to_us = 0;          // event or log time up to which it was looked at
  std::string what = {};                   // in words, for the first one: "partition 3, offset 812"
  std::vector<std::string> vehicles = {};  // at most kExamplesMax references
};
inline constexpr std::size_t kExamplesMax = 20;
inline constexpr std::int64_t kVehiclesMax = 1'000'000'000;

// Vehicles, counted once each (fleet-level outputs: blocks of cell and hour). "First" is by event
// time since the candidate was warm. Only what lies below both releases' durable offsets and the
// allowed lateness is counted, so a number never has to be taken back.
struct PairedCounts {
  // missing: X = 1 if the candidate has no match for the vehicle's first output of stable
  std::int64_t stable_fired = 0;
  std::int64_t missing = 0;
  // extra: X = 1 if the candidate has an output that stable has not
  std::int64_t exposed = 0;  // with input, for which either could have had an output
  std::int64_t settled = 0;  // of exposed: extra, or watched for GateSettings::settle_driving_s
  std::int64_t extra = 0;
  std::int64_t candidate_fired = 0;  // with an output of the candidate, matched or not
};

struct PairedStratum {
  std::string dimension = {};  // model, class, firmware, hour
  std::string name = {};
  PairedCounts counts = {};
};

struct PairedExample {
  std::string side = {};  // missing, extra
  std::string vehicle = {};
  std::int64_t event_at_us = 0;
  std::string what = {};  // "stable opened hard_braking, candidate nothing within 2 s"
};

// Rules, payloads, null fields, conversions, feature rows, fleet blocks: all alike.
// A null field: stable_fired counts vehicles with a value in stable, missing those with null.
struct PairedEvidence {
  std::string metric = {};            // as in MetricSettings::name: "rule/hard_braking"
  std::string component_digest = {};  // of the component that this metric judges, when counted
  PairedCounts counts = {};
  std::vector<PairedStratum> strata = {};
  std::vector<PairedExample> examples = {};  // at most kExamplesMax
};

// Candidate minus stable, of one block (a partition in an interval): a difference of shares over
// the objective, or of a gauge, divided by MetricSettings::scale and cut to [-1, 1].
struct Block {
  double difference = 0;
  // By the lot drawn for this block beforehand, the candidate ran on the first host (false:
  // second).
  bool candidate_first = false;
};

struct BlockEvidence {
  std::string metric = {};
  std::string component_digest = {};
  std::vector<Block> blocks = {};  // in order of time, none left out
};

// Sums over the vehicles of an arm: y events, e exposure (hours). Mergeable by adding.
struct ArmSums {
  std::int64_t vehicles = 0;
  double y = 0;
  double e = 0;
  double yy = 0;
  double ye = 0;
  double ee = 0;
};

struct RateLook {
  ArmSums candidate = {};
  ArmSums control = {};
};

// A rate where pairing cannot see (firmware cohorts), at the looks planned in MetricSettings.
struct RateEvidence {
  std::string metric = {};
  std::string component_digest = {};
  std::vector<RateLook> looks = {};  // those that took place, all sums since the beginning
};

struct StratumExposure {
  std::string dimension = {};  // model, class, firmware, hour
  std::string name = {};
  double fleet_share = 0;     // of all vehicles of the environment, from ingest; 0 to 1
  std::int64_t vehicles = 0;  // of the cohort, with input
  double driving_s = 0;
  double metres = 0;
};

// Denominators, all from ingest: no release can make them smaller.
struct Exposure {
  std::int64_t cohort_vehicles = 0;  // assigned by lot
  std::int64_t vehicles = 0;         // of these, with input since the candidate was warm
  // Of these, in time no output and no mark of progress of the candidate alone, of stable alone, of
  // both.
  std::int64_t silent_candidate = 0;
  std::int64_t silent_stable = 0;
  std::int64_t silent_both = 0;
  double driving_s = 0;
  double metres = 0;
  std::int64_t event_from_us = 0;  // event time covered, by the slowest partition
  std::int64_t event_to_us = 0;
  std::vector<StratumExposure> strata = {};
};

// A source of evidence and how far it reached. One that GateSettings asks for and that is not here
// is a HOLD.
struct SourceEvidence {
  std::string name = {};  // ingest, stable_journal, candidate_journal, counters, ...
  std::int64_t newest_us = 0;
};

struct Approval {
  std::string by = {};
  std::int64_t at_us = 0;
  std::string release = {};  // what was approved: other ids void it
  std::string gate_digest = {};
};

// A named person says that the small cohort will do, knowing what it cannot see.
struct Confirmation {
  std::string by = {};
  std::int64_t at_us = 0;
  std::string release = {};
  std::string gate_digest = {};
  std::int64_t discordant_seen = 0;  // Report::discordant when it was said; more now: void
  double detectable_shown = 0;       // Report::detectable when it was said; worse now: void
};

struct Evidence {
  Basis basis = {};
  Exposure exposure = {};
  std::vector<InvariantEvidence> invariants = {};
  std::vector<PairedEvidence> paired = {};
  std::vector<BlockEvidence> blocks = {};
  std::vector<RateEvidence> rates = {};
  // Vehicles by arm of the lot, names as in GateSettings::arms: {"cohort": 212, "rest": 20788}.
  std::map<std::string, std::int64_t> arms = {};
  std::vector<SourceEvidence> sources = {};
  std::vector<Approval> approvals = {};
  std::vector<Confirmation> confirmations = {};
};

// Counts that cannot be: a part larger than its whole, negative, not finite, a name twice
// (kInvalid).
Status CheckEvidence(const Evidence& evidence);

// Whether `now` goes on from `before`, of the same rollout: a count that is lower was lost, and a
// difference that was lost could let a release pass (kInvalid). Ask it before judging.
Status CheckForward(const Evidence& before, const Evidence& now);

// Members are named as above; enums are their names. Every count must be there: kInvalid names the
// member that is missing, not a number, or fails CheckEvidence. kUnsupported: a newer format.
// Members it does not know are refused too: a misspelt count would otherwise read as nothing seen.
Result<Evidence> EvidenceFromJson(const nlohmann::json& json);
nlohmann::ordered_json ToJson(const Evidence& evidence);
// The file. Whatever bytes names and words have, it is read again: what is no UTF-8 is replaced,
// and texts that are too long are cut.
std::string EvidenceText(const Evidence& evidence);

}  // namespace telltale::gate
