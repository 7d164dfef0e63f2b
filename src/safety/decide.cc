#include "safety/decide.h"

#include <algorithm>
#include <cmath>

namespace telltale::safety {
namespace {

std::optional<double> Measure(const Rule& rule, const Values& values) {
  std::optional<double> largest;
  for (const std::uint8_t slot : rule.slots) {
    if (!values.Has(slot)) continue;
    double measure = values.number[slot];
    if (rule.direction == Direction::kBelow) measure = -measure;
    if (rule.direction == Direction::kMagnitude) measure = std::abs(measure);
    largest = largest ? std::max(*largest, measure) : measure;
  }
  return largest;
}

Surroundings SurroundingsOf(const Values& values) {
  Surroundings out;
  if (values.Has(kSlotCell)) out.cell = values.cell;
  if (values.Has(kSlotOctant)) {
    out.heading_octant = static_cast<std::uint32_t>(values.number[kSlotOctant]);
  }
  if (values.Has(kSlotClass)) {
    out.vehicle_class = static_cast<std::uint32_t>(values.number[kSlotClass]);
  }
  if (values.Has(kSlotSpeed)) out.speed_kmh = static_cast<float>(values.number[kSlotSpeed]);
  return out;
}

bool FastEnough(const Rule& rule, const Values& values) {
  // Unknown is not zero, but neither is it fast enough.
  return rule.minimum_speed <= 0 ||
         (values.Has(kSlotSpeed) && values.number[kSlotSpeed] >= rule.minimum_speed);
}

void Close(Decision& decision, Micros ended_at) {
  decision.changes[decision.count++] = {
      .closed = true, .episode = decision.next, .ended_at = ended_at};
  decision.next = Episode{};
}

}  // namespace

bool StaysIdle(const Report& report, const Rule& rule) {
  const std::optional<double> measure = Measure(rule, *report.values);
  return !measure || *measure < rule.enter || !FastEnough(rule, *report.values);
}

Decision Decide(const Episode& state, const Report& report, const Rule& rule) {
  Decision decision{.next = state, .changes = {}, .count = 0};
  Episode& episode = decision.next;

  // A reboot or a silence: what was going on is over, whatever this report says.
  if (episode.phase != Phase::kIdle &&
      (report.boot != episode.boot || report.event_time - episode.last_at > rule.gap)) {
    if (episode.phase == Phase::kOpen) Close(decision, episode.last_at);
    episode = Episode{};
  }

  const std::optional<double> measure = Measure(rule, *report.values);
  if (!measure) return decision;

  if (episode.phase == Phase::kOpen) {
    if (*measure < rule.leave) {
      Close(decision, report.event_time);
      return decision;
    }
    episode.peak = std::max(episode.peak, *measure);
    episode.last_at = report.event_time;
    return decision;
  }

  if (*measure < rule.enter) {
    episode = Episode{};
    return decision;
  }
  if (episode.phase == Phase::kIdle) {
    if (!FastEnough(rule, *report.values)) return decision;
    episode = {.phase = Phase::kPending,
               .boot = report.boot,
               .first_seq = report.seq,
               .started_at = report.event_time,
               .last_at = report.event_time,
               .peak = *measure,
               .surroundings = {}};
  }
  episode.peak = std::max(episode.peak, *measure);
  episode.last_at = report.event_time;
  if (report.event_time - episode.started_at >= rule.hold) {
    episode.phase = Phase::kOpen;
    episode.surroundings = SurroundingsOf(*report.values);
    decision.changes[decision.count++] = {.closed = false, .episode = episode, .ended_at = {}};
  }
  return decision;
}

Severity SeverityOf(const Rule& rule, double peak) {
  Severity severity = rule.severity.front().severity;
  for (const SeverityStep& step : rule.severity) {
    if (peak >= step.from) severity = step.severity;
  }
  return severity;
}

}  // namespace telltale::safety
