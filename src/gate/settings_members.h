// The members of settings in JSON: docs/formats/gate.md. Their order and names are in the gate
// digest, so that a change of either voids what was approved and counted.
#pragma once

#include "gate/json_members.h"
#include "gate/settings.h"

namespace telltale::gate {

template <MetricKind kKind>
bool IsOf(const MetricSettings& metric) {
  return metric.kind == kKind;
}

template <>
inline constexpr auto kMembersOf<MetricSettings> = std::tuple(
    Must("name", &MetricSettings::name), May("family", &MetricSettings::family),
    May("kind", &MetricSettings::kind), May("component", &MetricSettings::component),
    May("component_digest", &MetricSettings::component_digest),
    May("is_guardrail", &MetricSettings::is_guardrail),
    WhereIt(IsOf<MetricKind::kPaired>, "missing_max", &MetricSettings::missing_max),
    WhereIt(IsOf<MetricKind::kPaired>, "missing_margin", &MetricSettings::missing_margin),
    WhereIt(IsOf<MetricKind::kPaired>, "missing_min", &MetricSettings::missing_min),
    WhereIt(IsOf<MetricKind::kPaired>, "extra_max", &MetricSettings::extra_max),
    WhereIt(IsOf<MetricKind::kPaired>, "extra_margin", &MetricSettings::extra_margin),
    WhereIt(IsOf<MetricKind::kPaired>, "extra_min", &MetricSettings::extra_min),
    WhereIt(IsOf<MetricKind::kPaired>, "extra_of", &MetricSettings::extra_of),
    WhereIt(IsOf<MetricKind::kBlocks>, "block_margin", &MetricSettings::block_margin),
    WhereIt(IsOf<MetricKind::kBlocks>, "scale", &MetricSettings::scale),
    WhereIt(IsOf<MetricKind::kRate>, "ratio_margin", &MetricSettings::ratio_margin),
    WhereIt(IsOf<MetricKind::kRate>, "planned", &MetricSettings::planned));

template <>
inline constexpr auto kMembersOf<StratumName> =
    std::tuple(Must("dimension", &StratumName::dimension), Must("name", &StratumName::name));

template <>
inline constexpr auto kMembersOf<ArmShare> =
    std::tuple(Must("name", &ArmShare::name), Must("share", &ArmShare::share));

// What is in force now: not in the gate digest.
inline constexpr auto kMembersInForce = std::tuple(
    May("environment", &GateSettings::environment), May("rollout", &GateSettings::rollout),
    May("candidate", &GateSettings::candidate), May("stable", &GateSettings::stable));

inline constexpr auto kMembersOfRules = std::tuple(
    May("alpha_halt", &GateSettings::alpha_halt),
    May("alpha_promote", &GateSettings::alpha_promote),
    May("alpha_balance", &GateSettings::alpha_balance), May("power", &GateSettings::power),
    May("vehicles_min", &GateSettings::vehicles_min),
    May("small_vehicles", &GateSettings::small_vehicles),
    May("distinct_min", &GateSettings::distinct_min),
    May("stratum_share_min", &GateSettings::stratum_share_min),
    May("stratum_vehicles_min", &GateSettings::stratum_vehicles_min),
    May("dimensions", &GateSettings::dimensions), May("silent_max", &GateSettings::silent_max),
    May("settle_driving_s", &GateSettings::settle_driving_s), May("soak_s", &GateSettings::soak_s),
    May("warm_up_s", &GateSettings::warm_up_s), May("stale_after_s", &GateSettings::stale_after_s),
    May("dead_letter_vehicles_min", &GateSettings::dead_letter_vehicles_min),
    May("approvals_required", &GateSettings::approvals_required),
    May("sources", &GateSettings::sources), May("arms", &GateSettings::arms),
    May("strata", &GateSettings::strata), May("metrics", &GateSettings::metrics));

template <>
inline constexpr auto kMembersOf<GateSettings> =
    std::tuple_cat(std::tuple(May("name", &GateSettings::name)), kMembersInForce, kMembersOfRules);

}  // namespace telltale::gate
