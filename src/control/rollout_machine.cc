#include "control/rollout_machine.h"

#include <fmt/format.h>

#include <array>

#include "base/check.h"
#include "base/cohort.h"

namespace telltale::control {
namespace {

constexpr std::array<std::string_view, 8> kNames = {"pending", "warming", "shadow",    "authority",
                                                    "window",  "closed",  "withdrawn", "rejected"};

class Reasons {
 public:
  void If(bool is_so, std::string_view code, std::string message) {
    if (is_so) waits_for.push_back({std::string(code), std::move(message)});
  }
  void Missing(std::string_view code, const std::string& text) { If(!text.empty(), code, text); }
  // Until `from` + `length`.
  void Time(std::string_view code, Micros from, Micros length, Micros now) {
    const std::int64_t left_us = (from + length - now).value;
    If(left_us > 0, code, fmt::format("{} s are left", (left_us + 999'999) / 1'000'000));
  }
  std::vector<Waiting> waits_for;
};

// What every step forward waits for.
void Forward(const RolloutView& view, Reasons& reasons) {
  reasons.Missing("hold", view.hold);
  reasons.Missing("freeze", view.freeze);
  reasons.Missing("second_signature", view.second_signature);
  reasons.Missing("release", view.release);
  reasons.Missing("unreachable", view.unreachable);
}

void Begin(const RolloutView& view, Reasons& reasons) {
  if (!view.is_break_glass) reasons.Missing("upstream", view.upstream);
  reasons.Missing("contract", view.contract);
  reasons.Missing("install", view.install);
}

void Taken(const RolloutView& view, Reasons& reasons) {
  if (!view.unreachable.empty()) return;
  reasons.If(!view.is_config_taken, "config", "the config record is on its way");
}

void Warm(const RolloutView& view, Reasons& reasons) {
  Taken(view, reasons);
  if (!view.unreachable.empty() || !view.is_config_taken) return;
  reasons.If(view.partitions == 0, "warm_up", "the publisher names no partition yet");
  reasons.If(
      view.cold > 0, "warm_up",
      fmt::format("{} of {} partitions are not computed by the candidate for the warm-up yet",
                  view.cold, view.partitions));
}

void Shadowed(const RolloutView& view, Micros now, Reasons& reasons) {
  const Stage& stage = view.stages[view.stage];
  Warm(view, reasons);
  reasons.Time("shadow_time", view.since, stage.shadow, now);
  if (view.is_break_glass) return;
  reasons.If(stage.is_gate_manual && view.approvals == 0, "gate",
             "the gate of this stage is passed by an approval");
  reasons.Missing("gate", view.gate);
  reasons.If(view.approvals < stage.approvals, "approvals",
             fmt::format("{} of {} approvals of this stage are missing",
                         stage.approvals - view.approvals, stage.approvals));
}

// All partitions are as the config says, for `length`.
void Settled(const RolloutView& view, Micros length, std::string_view code, Micros now,
             Reasons& reasons) {
  Taken(view, reasons);
  if (!view.unreachable.empty() || !view.is_config_taken) return;
  reasons.If(view.partitions == 0, "partitions", "the publisher names no partition yet");
  reasons.If(view.pending > 0, "partitions",
             fmt::format("{} of {} partitions are pending", view.pending, view.partitions));
  if (view.settled) reasons.Time(code, *view.settled, length, now);
  reasons.If(!view.settled && view.pending == 0 && view.partitions > 0, code, "it begins now");
}

Phase After(const RolloutView& view) {
  switch (view.phase) {
    case Phase::kPending:
      return Phase::kWarming;
    case Phase::kWarming:
      return Phase::kShadow;
    case Phase::kShadow:
      return Phase::kAuthority;
    case Phase::kAuthority:
      return view.stage + 1 < view.stages.size() ? Phase::kWarming : Phase::kWindow;
    default:
      return Phase::kClosed;
  }
}

}  // namespace

std::string_view PhaseName(Phase phase) { return kNames[static_cast<std::size_t>(phase)]; }

std::optional<Phase> PhaseOf(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<Phase>(i);
  }
  return std::nullopt;
}

Decision Decide(const RolloutView& view, Micros now) {
  Decision decision{.stage = view.stage};
  if (!IsOpen(view.phase)) return decision;
  CHECK(view.stage < view.stages.size());
  Reasons reasons;
  Forward(view, reasons);
  switch (view.phase) {
    case Phase::kPending:
      Begin(view, reasons);
      break;
    case Phase::kWarming:
      Warm(view, reasons);
      break;
    case Phase::kShadow:
      Shadowed(view, now, reasons);
      break;
    case Phase::kAuthority:
      // It passed before authority moved, and has to as long as the stage lasts.
      if (!view.is_break_glass) reasons.Missing("gate", view.gate);
      Settled(view, view.is_break_glass ? Micros{} : view.stages[view.stage].soak, "soak_time", now,
              reasons);
      break;
    default:
      Settled(view, view.window, "window_time", now, reasons);
      break;
  }
  decision.waits_for = std::move(reasons.waits_for);
  if (!decision.waits_for.empty()) return decision;
  decision.next = After(view);
  if (view.phase == Phase::kAuthority && *decision.next == Phase::kWarming) ++decision.stage;
  return decision;
}

bool HasStablesSpeaker(const Wanted& wanted) {
  const auto speaker_of = [](const std::string& release, const std::string& speaker) {
    return speaker.empty() ? release : speaker;
  };
  return !wanted.candidate.empty() && speaker_of(wanted.candidate, wanted.candidate_speaker) ==
                                          speaker_of(wanted.stable, wanted.stable_speaker);
}

Wanted WantedBy(const RolloutPlace& place) {
  switch (place.phase) {
    case Phase::kWindow:
      return {.stable = place.candidate,
              .previous = place.stable,
              .stable_speaker = place.candidate_speaker,
              .previous_speaker = place.stable_speaker};
    case Phase::kClosed:
      return {.stable = place.candidate, .stable_speaker = place.candidate_speaker};
    case Phase::kPending:
    case Phase::kWithdrawn:
    case Phase::kRejected:
      return {.stable = place.stable, .stable_speaker = place.stable_speaker};
    default:
      break;
  }
  CHECK(place.stage < place.stages.size());
  const std::uint32_t share = place.stages[place.stage].per_10000;
  Wanted wanted{.stable = place.stable,
                .candidate = place.candidate,
                .stable_speaker = place.stable_speaker,
                .candidate_speaker = place.candidate_speaker};
  // In the last stage the candidate computes those in `never` too: it is to be stable.
  wanted.shadow_lots = share == 10'000 ? kLots : LotsOfShare(share);
  if (place.phase == Phase::kAuthority) {
    wanted.authority_lots = LotsOfShare(share);
  } else if (place.stage > 0) {
    wanted.authority_lots = LotsOfShare(place.stages[place.stage - 1].per_10000);
  }
  return wanted;
}

}  // namespace telltale::control
