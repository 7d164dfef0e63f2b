// The members of a report in JSON: docs/formats/gate.md. Of these a reader takes the verdict alone.
#pragma once

#include "gate/evidence_members.h"
#include "gate/report.h"
#include "gate/settings_members.h"

namespace telltale::gate {

template <>
inline constexpr auto kMembersOf<Verdict> =
    std::tuple(Must("outcome", &Verdict::outcome), Must("rule", &Verdict::rule),
               May("words", &Verdict::words));

template <>
inline constexpr auto kMembersOf<Hold> =
    std::tuple(Must("rule", &Hold::rule), Must("metric", &Hold::metric),
               Must("words", &Hold::words), Must("vehicles_missing", &Hold::vehicles_missing),
               Must("seconds_missing", &Hold::seconds_missing));

template <>
inline constexpr auto kMembersOf<MetricReport> = std::tuple(
    Must("metric", &MetricReport::metric), Must("side", &MetricReport::side),
    Must("family", &MetricReport::family), Must("n", &MetricReport::n), Must("k", &MetricReport::k),
    Must("rate", &MetricReport::rate), Must("max", &MetricReport::max),
    Must("margin", &MetricReport::margin), Must("bound", &MetricReport::bound),
    Must("log_e", &MetricReport::log_e), Must("weight", &MetricReport::weight),
    Must("detectable", &MetricReport::detectable), Must("needed", &MetricReport::needed),
    Must("is_small", &MetricReport::is_small), Must("is_inside", &MetricReport::is_inside),
    Must("stratum", &MetricReport::stratum));

template <>
inline constexpr auto kMembersOf<Report> =
    std::tuple(Must("verdict", &Report::verdict), Must("basis", &Report::basis),
               Must("gate_digest", &Report::gate_digest), Must("log_e", &Report::log_e),
               Must("log_e_halt", &Report::log_e_halt), Must("p_value", &Report::p_value),
               Must("discordant", &Report::discordant), Must("detectable", &Report::detectable),
               Must("needs_confirmation", &Report::needs_confirmation),
               May("holds", &Report::holds), May("metrics", &Report::metrics),
               May("vehicles", &Report::vehicles), May("examples", &Report::examples));

}  // namespace telltale::gate
