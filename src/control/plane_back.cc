// The ways back, and what stops the way forward. None of them needs an approval.
#include <fmt/format.h>

#include "control/json_reader.h"
#include "control/objects.h"
#include "control/plane_state.h"
#include "control/rollout_costs.h"

namespace telltale::control {

using nlohmann::json;

// Within the caller's transaction.
Status PlaneState::EndRollout(json& rollout, Phase phase, const Call& call) {
  const std::string environment = rollout.at("environment");
  const std::string reason = call.body.value("reason", "");
  AddCosts(rollout, SightOf(environment).costs, Now());
  Enter(rollout, phase, rollout.at("stage"), call.subject, reason);
  rollout["reason"] = reason;
  RETURN_IF_ERROR(
      AddEvent(phase == Phase::kRejected ? "rollout.halted" : "rollout.rolled_back", rollout));
  ASSIGN_OR_RETURN(rollout["internal"]["audit_entry"], Note(call, environment));
  return SaveRollout(rollout);
}

Result<std::string> PlaneState::Rollback(const Call& call) {
  JsonReader read(call.body, "rollback");
  read.Text("reason", "");
  RETURN_IF_ERROR(read.Done());
  ASSIGN_OR_RETURN(auto transaction, db_.Begin());
  auto rollout = OpenRollout(call.key);
  if (!rollout.ok() && rollout.error().code == Code::kNotFound) {
    return Error{Code::kNotFound,
                 rollout.error().message + ": what runs is stable; promote an earlier release"};
  }
  if (!rollout.ok()) return rollout.error();
  RETURN_IF_ERROR(EndRollout(*rollout, Phase::kWithdrawn, call));
  RETURN_IF_ERROR(transaction.Commit());
  return rollout->at("id").get<std::string>();
}

Result<std::string> PlaneState::Halt(const Call& call) {
  JsonReader read(call.body, "halt");
  const json evidence = read.Any("evidence");
  const std::string reason = read.Text("reason", "");
  if (!evidence.is_object()) read.Mistake("\"evidence\" must be a JSON object");
  RETURN_IF_ERROR(read.Done());
  ASSIGN_OR_RETURN(auto transaction, db_.Begin());
  ASSIGN_OR_RETURN(auto rollout, db_.FindRollout(call.key));
  if (!rollout) return Error{Code::kNotFound, "no rollout " + call.key};
  if (!IsOpen(PhaseIn(*rollout))) {
    return Error{Code::kExists,
                 fmt::format("rollout {} is {} already", call.key, PhaseName(PhaseIn(*rollout)))};
  }
  if (call.subject == "gate") RETURN_IF_ERROR(NoteGate(*rollout));
  (*rollout)["evidence"] = evidence;
  RETURN_IF_ERROR(EndRollout(*rollout, Phase::kRejected, call));
  const std::string release = rollout->at("candidate");
  RETURN_IF_ERROR(db_.Put("rejections", release,
                          {{"release", release},
                           {"environment", rollout->at("environment")},
                           {"rollout", call.key},
                           {"reason", reason},
                           {"evidence", evidence},
                           {"at", FormatUtc(Now())},
                           {"reinstated_by", json::array()}}));
  RETURN_IF_ERROR(transaction.Commit());
  return call.key;
}

Result<json> PlaneState::Pin(const Call& call) {
  JsonReader read(call.body, "pin");
  json pin = {{"environment", call.key}, {"by", call.subject}, {"at", FormatUtc(Now())}};
  const std::string release = read.Digest("release");
  pin["release"] = release;
  pin["reason"] = read.Text("reason", "");
  pin["expires_at"] = read.Time("expires_at", "");
  RETURN_IF_ERROR(read.Done());
  ASSIGN_OR_RETURN(auto transaction, db_.Begin());
  RETURN_IF_ERROR(MustFind(kEnvironments, call.key));
  ASSIGN_OR_RETURN(auto newest, db_.NewestRollout(call.key));
  ASSIGN_OR_RETURN(const std::string stable, EffectiveStable(call.key));
  const bool is_open = newest && IsOpen(PhaseIn(*newest));
  const bool is_back = is_open && newest->at("stable") == json(release);
  if (!is_back && (stable != release || stable.empty())) {
    return Error{Code::kInvalid,
                 fmt::format("a pin holds what speaks for {} or the way back; stable is {}{}",
                             call.key, stable.empty() ? "not known yet" : stable,
                             is_open ? ", a rollout is open" : "")};
  }
  json answer = pin;
  if (is_back) {
    RETURN_IF_ERROR(EndRollout(*newest, Phase::kWithdrawn, call));
    answer["rollout"] = newest->at("id");
  } else {
    RETURN_IF_ERROR(Note(call, call.key));
  }
  RETURN_IF_ERROR(db_.Put("pins", call.key, pin));
  RETURN_IF_ERROR(transaction.Commit());
  return answer;
}

Result<json> PlaneState::Unpin(const Call& call) {
  ASSIGN_OR_RETURN(auto transaction, db_.Begin());
  RETURN_IF_ERROR(MustFind(kEnvironments, call.key));
  RETURN_IF_ERROR(MustFind("pins", call.key));
  RETURN_IF_ERROR(db_.Delete("pins", call.key));
  RETURN_IF_ERROR(Note(call, call.key));
  RETURN_IF_ERROR(transaction.Commit());
  return json::object();
}

Result<json> PlaneState::Hold(const Call& call) {
  JsonReader read(call.body, "hold");
  const json hold = {{"environment", call.key},
                     {"reason", read.Text("reason", "")},
                     {"by", call.subject},
                     {"at", FormatUtc(Now())}};
  RETURN_IF_ERROR(read.Done());
  ASSIGN_OR_RETURN(auto transaction, db_.Begin());
  RETURN_IF_ERROR(MustFind(kEnvironments, call.key));
  RETURN_IF_ERROR(db_.Put("holds", call.key, hold));
  RETURN_IF_ERROR(Note(call, call.key));
  RETURN_IF_ERROR(transaction.Commit());
  return hold;
}

Result<json> PlaneState::Resume(const Call& call) {
  JsonReader read(call.body, "resume");
  read.Text("reason", "");
  RETURN_IF_ERROR(read.Done());
  ASSIGN_OR_RETURN(auto transaction, db_.Begin());
  RETURN_IF_ERROR(MustFind(kEnvironments, call.key));
  ASSIGN_OR_RETURN(const auto hold, db_.Find("holds", call.key));
  if (!hold) return Error{Code::kNotFound, call.key + " is not held"};
  RETURN_IF_ERROR(db_.Delete("holds", call.key));
  RETURN_IF_ERROR(Note(call, call.key));
  RETURN_IF_ERROR(transaction.Commit());
  return json::object();
}

}  // namespace telltale::control
