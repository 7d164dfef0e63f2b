// The leader's work on one environment: the steps that may be taken, and what follows from where
// the rollout is for the config record. It compares what is wanted with what is in force, so it is
// the same after any crash.
#include <fmt/format.h>

#include <algorithm>

#include "control/json_reader.h"
#include "control/objects.h"
#include "control/plane_state.h"
#include "control/rollout_costs.h"

namespace telltale::control {
namespace {

using nlohmann::json;

Cohort OrderOf(const json& cohort) {
  Cohort order;
  order.salt = cohort.at("salt");
  const auto fill = [&](const char* name, std::vector<VehicleRef>& out) {
    for (const json& hex : cohort.at(name)) {
      out.push_back(VehicleRef::FromHex(hex.get_ref<const std::string&>()).value());
    }
  };
  fill("always", order.always);
  fill("never", order.never);
  return order;
}

// In the history of a rollout whose candidate has stable's speaker.
constexpr const char* kSilent = "alerts do not change: stable's worker computes for both";

std::string SpeakerOfStableIn(const json& rollout) {
  const std::string speaker = rollout.value("stable_speaker", "");
  return speaker.empty() ? rollout.at("stable").get<std::string>() : speaker;
}

// Whose worker computes the candidate's safety path. Found once, as the rollout begins.
std::string SpeakerFor(const json& rollout, const Sight& sight) {
  const std::string candidate = rollout.at("candidate");
  const std::string speaker = SpeakerOfStableIn(rollout);
  return candidate == speaker || sight.has_stable_path ? speaker : candidate;
}

bool IsBack(Phase phase) { return phase == Phase::kWithdrawn || phase == Phase::kRejected; }

}  // namespace

Result<std::vector<PlaneState::Place>> PlaneState::Places() {
  ASSIGN_OR_RETURN(const auto environments, db_.List(kEnvironments));
  std::vector<Place> places;
  for (const json& one : environments) {
    ASSIGN_OR_RETURN(Place place, PlaceOf(one.at("key")));
    places.push_back(std::move(place));
  }
  return places;
}

Result<PlaneState::Place> PlaneState::PlaceOf(const std::string& environment) {
  ASSIGN_OR_RETURN(const json object, MustFind(kEnvironments, environment));
  Place place{.key = environment, .dir = object.at("dir"), .pending_candidate = {}};
  ASSIGN_OR_RETURN(const auto rollout, db_.NewestRollout(environment));
  if (rollout && PhaseIn(*rollout) == Phase::kPending) {
    place.pending_candidate = rollout->at("candidate");
    place.pending_stable = rollout->at("stable");
  }
  if (rollout && IsOpen(PhaseIn(*rollout))) {
    ASSIGN_OR_RETURN(place.gate, QuestionOf(*rollout));
  }
  if (rollout && PhaseIn(*rollout) == Phase::kRejected && IsLeader()) {
    place.rejected = rollout->at("id");
  }
  return place;
}

void PlaneState::See(const std::string& environment, Sight sight) {
  sights_[environment] = std::move(sight);
}

const Sight& PlaneState::SightOf(const std::string& environment) { return sights_[environment]; }

// At most one step, and since when its partitions are as the config says.
Status PlaneState::StepRollout(json& rollout) {
  ASSIGN_OR_RETURN(RolloutView view, ViewOf(rollout));
  json& settled_us = rollout["internal"]["settled_us"];
  const bool is_settled =
      view.is_config_taken && view.unreachable.empty() && view.partitions > 0 && view.pending == 0;
  if (is_settled && !view.settled &&
      (view.phase == Phase::kAuthority || view.phase == Phase::kWindow)) {
    settled_us = Now().value;
    view.settled = Now();
    if (view.phase == Phase::kWindow) rollout["window_until"] = FormatUtc(Now() + view.window);
  }
  RETURN_IF_ERROR(NoteGate(rollout));
  const Decision decision = Decide(view, Now());
  if (decision.next || AreCostsDue(rollout, Now())) {
    AddCosts(rollout, SightOf(rollout.at("environment")).costs, Now());
  }
  if (!decision.next) return Ok();
  std::string note;
  if (view.phase == Phase::kPending) {
    ASSIGN_OR_RETURN(rollout["rehearsed"], IsRehearsed(rollout));
    rollout["speaker"] = SpeakerFor(rollout, SightOf(rollout.at("environment")));
    if (rollout["speaker"] == json(SpeakerOfStableIn(rollout))) note = kSilent;
  }
  if (view.is_break_glass) rollout["break_glass"] = true;
  Enter(rollout, *decision.next, decision.stage, "control", note);
  const std::string environment = rollout.at("environment");
  ASSIGN_OR_RETURN(rollout["internal"]["audit_entry"],
                   db_.Note({.subject = "control",
                             .operation = "step",
                             .environment = environment,
                             .arguments = {{"rollout", rollout.at("id")},
                                           {"phase", PhaseName(*decision.next)},
                                           {"stage", decision.stage},
                                           {"break_glass", view.is_break_glass}}},
                            Now()));
  return Ok();
}

// The next config: everything of the one in force that is not control's is kept.
Result<ConfigRow> PlaneState::MakeConfig(json& rollout, const Wanted& wanted, const Signer& sign,
                                         const std::optional<ConfigRow>& newest) {
  const std::string environment = rollout.at("environment");
  const Sight& sight = SightOf(environment);
  InForce next = sight.contracts->in_force;
  const ConfigSeq base = next.config_seq;
  const std::uint64_t known = sight.contracts->leader_epoch_max;
  if (known > lease_.leader_epoch) RETURN_IF_ERROR(RaiseEpoch(known));
  std::uint64_t seq = base.value;
  if (newest) seq = std::max(seq, newest->config_seq.value);
  if (sight.publisher) seq = std::max(seq, sight.publisher->config_seq.value);
  next.config_seq = ConfigSeq{seq + 1};
  next.created_at = Now();
  next.leader_epoch = lease_.leader_epoch;
  next.audit_entry = rollout.at("internal").at("audit_entry").get<std::uint64_t>();
  next.stable_release = wanted.stable;
  next.previous_release = wanted.previous;
  next.stable_speaker = wanted.stable_speaker;
  next.previous_speaker = wanted.previous_speaker;
  const std::string id = rollout.at("id");
  const std::optional<Rollout> before = next.rollout;
  next.rollout.reset();
  if (!wanted.candidate.empty()) {
    const bool goes_on = before && before->id == id;
    next.rollout = Rollout{.id = id,
                           .candidate = wanted.candidate,
                           .speaker = wanted.candidate_speaker,
                           .order = OrderOf(rollout.at("cohort")),
                           .shadow_lots = wanted.shadow_lots,
                           .authority_lots = wanted.authority_lots,
                           .warm_up = Micros::Seconds(rollout.at("warm_up_s").get<std::int64_t>()),
                           .began = goes_on ? before->began : next.config_seq};
    rollout["began_config_seq"] = next.rollout->began.value;
  }
  rollout["config_seq"] = next.config_seq.value;
  ConfigRow row{.environment = environment,
                .config_seq = next.config_seq,
                .leader_epoch = next.leader_epoch,
                .audit_entry = next.audit_entry,
                .base_seq = base,
                .content = ContentOf(id, wanted)};
  ASSIGN_OR_RETURN(row.signed_bytes, sign(next));
  RETURN_IF_ERROR(db_.AddConfig(row));
  return row;
}

Result<std::optional<Sending>> PlaneState::ToSend(json& rollout, const Signer& sign) {
  const std::string environment = rollout.at("environment");
  const Sight& sight = SightOf(environment);
  if (!sight.contracts) return std::optional<Sending>();
  const RolloutPlace place = PlaceIn(rollout);
  const Wanted wanted = WantedBy(place);
  const std::string content = ContentOf(rollout.at("id"), wanted);
  const InForce& in_force = sight.contracts->in_force;
  ASSIGN_OR_RETURN(auto newest, db_.NewestConfig(environment));
  const bool is_newest = newest && newest->content == content;
  const bool has_publisher =
      newest && sight.publisher && sight.publisher->config_seq >= newest->config_seq;
  Sending sending{.is_back = IsBack(place.phase)};
  if (ContentOf(in_force) == content) {
    // The publisher may have been told something else that the log never heard.
    const bool is_misled = newest && !is_newest && newest->config_seq > in_force.config_seq &&
                           (has_publisher || newest->is_sent_to_publisher);
    if (!is_misled) {
      if (!is_newest) return std::optional<Sending>();
      if (newest->is_sent_to_log && has_publisher) return std::optional<Sending>();
      sending.row = std::move(*newest);
      sending.row.is_sent_to_publisher = has_publisher;
      return std::optional<Sending>(std::move(sending));
    }
  } else if (is_newest && newest->base_seq == in_force.config_seq &&
             newest->leader_epoch == lease_.leader_epoch) {
    sending.row = std::move(*newest);
    sending.row.is_sent_to_log = false;
    sending.row.is_sent_to_publisher = has_publisher;
    return std::optional<Sending>(std::move(sending));
  }
  ASSIGN_OR_RETURN(sending.row, MakeConfig(rollout, wanted, sign, newest));
  return std::optional<Sending>(std::move(sending));
}

Result<std::optional<Sending>> PlaneState::Step(const std::string& environment,
                                                const Signer& sign) {
  if (!IsLeader()) return std::optional<Sending>();
  ASSIGN_OR_RETURN(auto transaction, db_.Begin());
  ASSIGN_OR_RETURN(auto rollout, db_.NewestRollout(environment));
  if (!rollout) return std::optional<Sending>();
  if (!CheckLease().ok()) return std::optional<Sending>();
  const json before = *rollout;
  const Lease lease_before = lease_;
  if (IsOpen(PhaseIn(*rollout))) RETURN_IF_ERROR(StepRollout(*rollout));
  auto sending = ToSend(*rollout, sign);
  if (!sending.ok()) {
    lease_ = lease_before;  // the transaction goes
    return sending.error();
  }
  if (*rollout == before) {
    if (sending->has_value() || lease_.leader_epoch != lease_before.leader_epoch) {
      RETURN_IF_ERROR(transaction.Commit());
    }
    return sending;
  }
  RETURN_IF_ERROR(SaveRollout(*rollout));
  RETURN_IF_ERROR(transaction.Commit());
  return sending;
}

Status PlaneState::NoteSent(const ConfigRow& row) {
  ASSIGN_OR_RETURN(auto transaction, db_.Begin());
  RETURN_IF_ERROR(db_.MarkSent(row));
  return transaction.Commit();
}

}  // namespace telltale::control
