// Everything that rollout_machine.h looks at, gathered.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "control/json_reader.h"
#include "control/objects.h"
#include "control/plane_state.h"

namespace telltale::control {
namespace {

using nlohmann::json;

Micros SecondsIn(const json& object, const char* name) {
  return Micros::Seconds(object.at(name).get<std::int64_t>());
}

// Whether the candidate's newest mark says that it computes these lots for the warm-up.
bool IsWarm(const PartitionView& partition, const std::string& candidate, std::uint32_t lots,
            ConfigSeq began, Micros warm_up) {
  for (const PartitionView::Mark& mark : partition.marks) {
    if (mark.release != candidate) continue;
    return mark.lots >= lots && mark.config_seq >= began &&
           mark.log_time - mark.lots_since >= warm_up;
  }
  return false;
}

std::string FreezeOf(const json& windows, Micros now) {
  for (const json& window : windows) {
    const Micros from = ParseUtc(window.at("from").get<std::string>()).value();
    const Micros to = ParseUtc(window.at("to").get<std::string>()).value();
    if (from <= now && now < to) {
      return fmt::format("frozen until {}: {}", window.at("to").get<std::string>(),
                         window.at("reason").get<std::string>());
    }
  }
  return "";
}

}  // namespace

Phase PhaseIn(const json& rollout) {
  const auto phase = PhaseOf(rollout.at("phase").get_ref<const std::string&>());
  CHECK(phase.has_value());
  return *phase;
}

RolloutPlace PlaceIn(const json& rollout) {
  RolloutPlace place{.phase = PhaseIn(rollout),
                     .stage = rollout.at("stage").get<std::size_t>(),
                     .candidate = rollout.at("candidate").get<std::string>(),
                     .stable = rollout.at("stable").get<std::string>()};
  // "" before it began, and in what an earlier version began.
  const auto speaker = [&](const char* name, const std::string& release) {
    const std::string found = rollout.value(name, "");
    return found == release ? std::string() : found;
  };
  place.candidate_speaker = speaker("speaker", place.candidate);
  place.stable_speaker = speaker("stable_speaker", place.stable);
  for (const json& stage : rollout.at("stages")) {
    place.stages.push_back({.per_10000 = stage.at("per_10000").get<std::uint32_t>(),
                            .shadow = SecondsIn(stage, "shadow_s"),
                            .soak = SecondsIn(stage, "soak_s"),
                            .approvals = stage.at("approvals").get<std::size_t>()});
  }
  return place;
}

std::string ContentOf(const std::string& rollout, const Wanted& wanted) {
  json content = {
      {"stable", wanted.stable},           {"previous", wanted.previous},
      {"candidate", wanted.candidate},     {"rollout", wanted.candidate.empty() ? "" : rollout},
      {"shadow_lots", wanted.shadow_lots}, {"authority_lots", wanted.authority_lots}};
  const auto put = [&](const char* name, const std::string& speaker) {
    if (!speaker.empty()) content[name] = speaker;
  };
  put("stable_speaker", wanted.stable_speaker);
  put("previous_speaker", wanted.previous_speaker);
  put("candidate_speaker", wanted.candidate_speaker);
  return Canonical(content);
}

std::string ContentOf(const InForce& in_force) {
  Wanted wanted{.stable = in_force.stable_release,
                .previous = in_force.previous_release,
                .stable_speaker = in_force.stable_speaker,
                .previous_speaker = in_force.previous_speaker};
  if (in_force.rollout) {
    wanted.candidate = in_force.rollout->candidate;
    wanted.shadow_lots = in_force.rollout->shadow_lots;
    wanted.authority_lots = in_force.rollout->authority_lots;
    wanted.candidate_speaker = in_force.rollout->speaker;
  }
  return ContentOf(in_force.rollout ? in_force.rollout->id : "", wanted);
}

Result<std::string> PlaneState::UpstreamMissing(const json& rollout) {
  ASSIGN_OR_RETURN(const json environment, MustFind(kEnvironments, rollout.at("environment")));
  const std::string upstream = environment.at("upstream");
  if (upstream.empty()) return std::string();
  ASSIGN_OR_RETURN(const bool is_rehearsed, IsRehearsed(rollout));
  if (is_rehearsed) return std::string();
  const std::string release = rollout.at("candidate");
  ASSIGN_OR_RETURN(const std::int64_t from_us, EvidenceFrom(release));
  ASSIGN_OR_RETURN(const auto passed, db_.ListRollouts(upstream));
  for (const json& one : passed) {
    const Phase phase = PhaseIn(one);
    if (one.at("candidate") == json(release) &&
        (phase == Phase::kWindow || phase == Phase::kClosed) &&
        one.at("internal").at("created_us").get<std::int64_t>() > from_us) {
      return std::string();
    }
  }
  // What an environment began with passed no rollout there.
  const Sight& sight = SightOf(upstream);
  if (passed.empty() && sight.contracts && sight.contracts->in_force.stable_release == release) {
    return std::string();
  }
  return fmt::format("the release has not passed {} yet", upstream);
}

Status PlaneState::ViewBreakGlass(const json& rollout, RolloutView& view) {
  ASSIGN_OR_RETURN(const auto record, db_.Find("break-glass", rollout.at("environment")));
  if (!record || record->at("release") != rollout.at("candidate")) return Ok();
  const auto time = [&](const char* name) {
    return ParseUtc(record->at(name).get<std::string>()).value();
  };
  view.is_break_glass = time("expires_at") > Now();
  if (record->at("by").size() < 2 && Now() >= time("second_until")) {
    view.second_signature = "break-glass was not signed by a second person within 24 h";
  }
  return Ok();
}

// What other objects say about it.
Status PlaneState::ViewObjects(const json& rollout, RolloutView& view) {
  const std::string environment = rollout.at("environment");
  ASSIGN_OR_RETURN(const auto hold, db_.Find("holds", environment));
  if (hold) {
    const std::string reason = hold->at("reason");
    view.hold = reason.empty() ? "held, without a reason" : "held: " + reason;
  }
  // A freeze holds at once for what is under way.
  ASSIGN_OR_RETURN(const auto policy, db_.Find(kPolicies, rollout.at("policy")));
  view.freeze = FreezeOf((policy ? *policy : rollout).at("freeze_windows"), Now());
  ASSIGN_OR_RETURN(view.upstream, UpstreamMissing(rollout));
  ASSIGN_OR_RETURN(const auto rejection, db_.Find("rejections", rollout.at("candidate")));
  if (rejection) {
    view.release = "it was rejected in " + rejection->at("rollout").get<std::string>();
  }
  std::set<std::string> approvers;
  for (const json& approval : rollout.at("approvals")) {
    if (approval.at("stage") == json(view.stage)) approvers.insert(approval.at("subject"));
  }
  view.approvals = approvers.size();
  RETURN_IF_ERROR(ViewGate(rollout, view));
  return ViewBreakGlass(rollout, view);
}

// What the installation says about it.
Status PlaneState::ViewConfig(const json& rollout, RolloutView& view) {
  const Sight& sight = SightOf(rollout.at("environment"));
  if (!sight.reason.empty()) view.unreachable = sight.reason;
  if (!sight.publisher_reason.empty()) view.unreachable = sight.publisher_reason;
  if (!sight.contracts || !sight.publisher) return Ok();
  const std::string candidate = rollout.at("candidate");
  if (view.phase == Phase::kPending) {
    if (sight.candidate != candidate) {
      view.install = "its files are not there yet";
    } else {
      view.install = sight.install_reason;
      const auto& ever = sight.contracts->ever;
      const bool is_known = std::any_of(ever.begin(), ever.end(), [&](const auto& one) {
        return one.second == sight.contract_digest;
      });
      if (view.install.empty() && !is_known) {
        view.contract = "its contract was never in force here: telltale contract activate";
      }
    }
  }
  const Wanted wanted = WantedBy(PlaceIn(rollout));
  ASSIGN_OR_RETURN(const auto row, db_.NewestConfig(rollout.at("environment")));
  view.is_config_taken =
      ContentOf(sight.contracts->in_force) == ContentOf(rollout.at("id"), wanted) &&
      (!row || sight.publisher->config_seq >= row->config_seq);
  view.partitions = sight.publisher->partitions.size();
  const auto began = ConfigSeq{rollout.at("began_config_seq").get<std::uint64_t>()};
  for (const PartitionView& partition : sight.publisher->partitions) {
    if (!partition.pending.empty()) ++view.pending;
    if (HasStablesSpeaker(wanted)) continue;  // its worker has been warm for long
    if (!IsWarm(partition, candidate, wanted.shadow_lots, began, SecondsIn(rollout, "warm_up_s"))) {
      ++view.cold;
    }
  }
  return Ok();
}

Result<RolloutView> PlaneState::ViewOf(const json& rollout) {
  RolloutPlace place = PlaceIn(rollout);
  const json& internal = rollout.at("internal");
  RolloutView view{.phase = place.phase,
                   .stage = place.stage,
                   .stages = std::move(place.stages),
                   .since = Micros{internal.at("since_us").get<std::int64_t>()},
                   .window = SecondsIn(rollout, "rollback_window_s")};
  if (const auto settled = internal.at("settled_us").get<std::int64_t>(); settled != 0) {
    view.settled = Micros{settled};
  }
  RETURN_IF_ERROR(ViewObjects(rollout, view));
  RETURN_IF_ERROR(ViewConfig(rollout, view));
  return view;
}

}  // namespace telltale::control
