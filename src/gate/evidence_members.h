// The members of evidence in JSON: docs/formats/gate.md. A new one raises Format::kGateEvidence.
#pragma once

#include "gate/evidence.h"
#include "gate/json_members.h"

namespace telltale::gate {

template <>
inline constexpr auto kMembersOf<Basis> =
    std::tuple(Must("environment", &Basis::environment), Must("rollout", &Basis::rollout),
               Must("candidate", &Basis::candidate), Must("stable", &Basis::stable),
               Must("gate_digest", &Basis::gate_digest), Must("as_of_us", &Basis::as_of_us));

template <>
inline constexpr auto kMembersOf<InvariantSide> = std::tuple(
    Must("breaches", &InvariantSide::breaches), Must("vehicles", &InvariantSide::vehicles));

template <>
inline constexpr auto kMembersOf<InvariantEvidence> = std::tuple(
    Must("invariant", &InvariantEvidence::invariant),
    Must("candidate", &InvariantEvidence::candidate), Must("stable", &InvariantEvidence::stable),
    Must("watched_to_us", &InvariantEvidence::watched_to_us), May("what", &InvariantEvidence::what),
    FirstOf(kExamplesMax, "vehicles", &InvariantEvidence::vehicles));

template <>
inline constexpr auto kMembersOf<PairedCounts> = std::tuple(
    Must("stable_fired", &PairedCounts::stable_fired), Must("missing", &PairedCounts::missing),
    Must("exposed", &PairedCounts::exposed), Must("settled", &PairedCounts::settled),
    Must("extra", &PairedCounts::extra), Must("candidate_fired", &PairedCounts::candidate_fired));

template <>
inline constexpr auto kMembersOf<PairedStratum> =
    std::tuple(Must("dimension", &PairedStratum::dimension), Must("name", &PairedStratum::name),
               Must("counts", &PairedStratum::counts));

template <>
inline constexpr auto kMembersOf<PairedExample> =
    std::tuple(Must("side", &PairedExample::side), Must("vehicle", &PairedExample::vehicle),
               Must("event_at_us", &PairedExample::event_at_us), May("what", &PairedExample::what));

template <>
inline constexpr auto kMembersOf<PairedEvidence> =
    std::tuple(Must("metric", &PairedEvidence::metric),
               Must("component_digest", &PairedEvidence::component_digest),
               Must("counts", &PairedEvidence::counts), May("strata", &PairedEvidence::strata),
               FirstOf(kExamplesMax, "examples", &PairedEvidence::examples));

template <>
inline constexpr auto kMembersOf<Block> = std::tuple(
    Must("difference", &Block::difference), Must("candidate_first", &Block::candidate_first));

template <>
inline constexpr auto kMembersOf<BlockEvidence> =
    std::tuple(Must("metric", &BlockEvidence::metric),
               Must("component_digest", &BlockEvidence::component_digest),
               May("blocks", &BlockEvidence::blocks));

template <>
inline constexpr auto kMembersOf<ArmSums> =
    std::tuple(Must("vehicles", &ArmSums::vehicles), Must("y", &ArmSums::y), Must("e", &ArmSums::e),
               Must("yy", &ArmSums::yy), Must("ye", &ArmSums::ye), Must("ee", &ArmSums::ee));

template <>
inline constexpr auto kMembersOf<RateLook> =
    std::tuple(Must("candidate", &RateLook::candidate), Must("control", &RateLook::control));

template <>
inline constexpr auto kMembersOf<RateEvidence> = std::tuple(
    Must("metric", &RateEvidence::metric),
    Must("component_digest", &RateEvidence::component_digest), May("looks", &RateEvidence::looks));

template <>
inline constexpr auto kMembersOf<StratumExposure> = std::tuple(
    Must("dimension", &StratumExposure::dimension), Must("name", &StratumExposure::name),
    Must("fleet_share", &StratumExposure::fleet_share),
    Must("vehicles", &StratumExposure::vehicles), Must("driving_s", &StratumExposure::driving_s),
    Must("metres", &StratumExposure::metres));

template <>
inline constexpr auto kMembersOf<Exposure> = std::tuple(
    Must("cohort_vehicles", &Exposure::cohort_vehicles), Must("vehicles", &Exposure::vehicles),
    Must("silent_candidate", &Exposure::silent_candidate),
    Must("silent_stable", &Exposure::silent_stable), Must("silent_both", &Exposure::silent_both),
    Must("driving_s", &Exposure::driving_s), Must("metres", &Exposure::metres),
    Must("event_from_us", &Exposure::event_from_us), Must("event_to_us", &Exposure::event_to_us),
    May("strata", &Exposure::strata));

template <>
inline constexpr auto kMembersOf<SourceEvidence> =
    std::tuple(Must("name", &SourceEvidence::name), Must("newest_us", &SourceEvidence::newest_us));

template <>
inline constexpr auto kMembersOf<Approval> =
    std::tuple(Must("by", &Approval::by), Must("at_us", &Approval::at_us),
               Must("release", &Approval::release), Must("gate_digest", &Approval::gate_digest));

template <>
inline constexpr auto kMembersOf<Confirmation> = std::tuple(
    Must("by", &Confirmation::by), Must("at_us", &Confirmation::at_us),
    Must("release", &Confirmation::release), Must("gate_digest", &Confirmation::gate_digest),
    Must("discordant_seen", &Confirmation::discordant_seen),
    Must("detectable_shown", &Confirmation::detectable_shown));

template <>
inline constexpr auto kMembersOf<Evidence> = std::tuple(
    Must("basis", &Evidence::basis), Must("exposure", &Evidence::exposure),
    May("invariants", &Evidence::invariants), May("paired", &Evidence::paired),
    May("blocks", &Evidence::blocks), May("rates", &Evidence::rates), May("arms", &Evidence::arms),
    May("sources", &Evidence::sources), May("approvals", &Evidence::approvals),
    May("confirmations", &Evidence::confirmations));

}  // namespace telltale::gate
