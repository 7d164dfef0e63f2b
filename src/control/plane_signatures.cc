// What needs a second person, and what stands in for staging.
#include <fmt/format.h>

#include <algorithm>

#include "control/json_reader.h"
#include "control/objects.h"
#include "control/plane_state.h"

namespace telltale::control {
namespace {

using nlohmann::json;

constexpr Micros kSecondSignature = Micros::Seconds(24 * 3600);
constexpr std::size_t kReinstaters = 2;
constexpr std::int64_t kVehiclesMost = 1'000'000'000;

bool Has(const json& list, const std::string& subject) {
  return std::find(list.begin(), list.end(), json(subject)) != list.end();
}

// What the gate showed to who confirms it; null where nothing did.
json ShownIn(JsonReader& read) {
  const json given = read.Any("shown");
  if (given.is_null()) return given;
  JsonReader one(given, "shown");
  json shown = {{"gate_digest", one.Digest("gate_digest")},
                {"discordant", one.Whole("discordant", std::nullopt, 0, kVehiclesMost)},
                {"detectable", one.Number("detectable", 1, 0, 1)}};
  // Whoever does not say how much could not be seen has not been shown it.
  if (given.is_object() && !given.contains("detectable")) one.Mistake("\"detectable\" is missing");
  if (const auto status = one.Done(); !status.ok()) read.Mistake(status.error().message);
  return shown;
}

}  // namespace

Result<json> PlaneState::Approve(const Call& call) {
  JsonReader read(call.body, "approval");
  const std::string comment = read.Text("comment", "");
  const json shown = ShownIn(read);
  RETURN_IF_ERROR(read.Done());
  ASSIGN_OR_RETURN(auto transaction, db_.Begin());
  ASSIGN_OR_RETURN(auto rollout, db_.FindRollout(call.key));
  if (!rollout) return Error{Code::kNotFound, "no rollout " + call.key};
  const Phase phase = PhaseIn(*rollout);
  ASSIGN_OR_RETURN(const json confirms, ConfirmationOf(*rollout, comment, shown));
  const bool is_asked =
      phase <= Phase::kShadow || (phase == Phase::kAuthority && !confirms.is_null());
  if (!is_asked) {
    return Error{Code::kInvalid, fmt::format("rollout {} is in {}: no approval is waited for; a "
                                             "next stage asks for its own",
                                             call.key, PhaseName(phase))};
  }
  const bool is_self = rollout->at("requested_by") == json(call.subject);
  if (is_self && rollout->at("policy_kind") == json("standard")) {
    return Error{Code::kRefused,
                 "whoever promoted does not approve under this policy: ask another"};
  }
  const std::size_t stage = rollout->at("stage");
  for (const json& one : rollout->at("approvals")) {
    const bool is_theirs =
        one.at("stage") == json(stage) && one.at("subject") == json(call.subject);
    if (is_theirs && (confirms.is_null() || one.value("confirms", json()) == confirms)) {
      return RolloutAnswer(std::move(*rollout));
    }
  }
  (*rollout)["approvals"].push_back({{"stage", stage},
                                     {"subject", call.subject},
                                     {"at", FormatUtc(Now())},
                                     {"comment", comment},
                                     {"self", is_self},
                                     {"confirms", confirms}});
  ASSIGN_OR_RETURN((*rollout)["internal"]["audit_entry"], Note(call, rollout->at("environment")));
  RETURN_IF_ERROR(SaveRollout(*rollout));
  RETURN_IF_ERROR(transaction.Commit());
  return RolloutAnswer(std::move(*rollout));
}

Result<json> PlaneState::JudgeHalt(const Call& call) {
  JsonReader read(call.body, "judgement");
  const bool is_false = read.OneOf("halt", {"false", "true"}) == "false";
  const std::string why = read.Text("why");
  if (why.empty()) read.Mistake("\"why\" must say why");
  RETURN_IF_ERROR(read.Done());
  ASSIGN_OR_RETURN(auto transaction, db_.Begin());
  ASSIGN_OR_RETURN(auto rollout, db_.FindRollout(call.key));
  if (!rollout) return Error{Code::kNotFound, "no rollout " + call.key};
  const bool is_gates = PhaseIn(*rollout) == Phase::kRejected &&
                        rollout->at("history").back().at("subject") == json("gate");
  if (!is_gates) {
    return Error{Code::kInvalid,
                 fmt::format("rollout {} was not halted by its gate: nothing to judge", call.key)};
  }
  (*rollout)["judgement"] = {{"halt", is_false ? "false" : "true"},
                             {"why", why},
                             {"subject", call.subject},
                             {"at", FormatUtc(Now())}};
  ASSIGN_OR_RETURN((*rollout)["internal"]["audit_entry"], Note(call, rollout->at("environment")));
  RETURN_IF_ERROR(SaveRollout(*rollout));
  RETURN_IF_ERROR(transaction.Commit());
  return RolloutAnswer(std::move(*rollout));
}

Result<json> PlaneState::BreakGlass(const Call& call) {
  JsonReader read(call.body, "break-glass");
  const std::string release = read.Digest("release");
  const std::string reason = read.Text("reason");
  const std::string expires_at = read.Time("expires_at");
  if (reason.empty()) read.Mistake("\"reason\" must say why");
  RETURN_IF_ERROR(read.Done());
  if (ParseUtc(expires_at).value() <= Now()) {
    return Error{Code::kInvalid, "break-glass: \"expires_at\" is over already"};
  }
  ASSIGN_OR_RETURN(auto transaction, db_.Begin());
  RETURN_IF_ERROR(MustFind(kEnvironments, call.key));
  ASSIGN_OR_RETURN(auto record, db_.Find("break-glass", call.key));
  const bool is_second = record && record->at("release") == json(release) &&
                         ParseUtc(record->at("expires_at").get<std::string>()).value() > Now();
  if (is_second && Has(record->at("by"), call.subject)) return *record;
  if (is_second) {
    (*record)["by"].push_back(call.subject);
  } else {
    record = json{{"environment", call.key},
                  {"release", release},
                  {"reason", reason},
                  {"expires_at", expires_at},
                  {"by", {call.subject}},
                  {"at", FormatUtc(Now())},
                  {"second_until", FormatUtc(Now() + kSecondSignature)}};
  }
  RETURN_IF_ERROR(db_.Put("break-glass", call.key, *record));
  RETURN_IF_ERROR(Note(call, call.key));
  RETURN_IF_ERROR(transaction.Commit());
  return *record;
}

Result<json> PlaneState::Reinstate(const Call& call) {
  JsonReader read(call.body, "reinstate");
  const std::string cause = read.Text("cause");
  if (cause.empty()) read.Mistake("\"cause\" must say what was wrong with the evidence");
  RETURN_IF_ERROR(read.Done());
  ASSIGN_OR_RETURN(auto transaction, db_.Begin());
  ASSIGN_OR_RETURN(auto rejection, db_.Find("rejections", call.key));
  if (!rejection) return Error{Code::kNotFound, "the release is not rejected"};
  json& by = (*rejection)["reinstated_by"];
  if (Has(by, call.subject)) {
    return Error{Code::kRefused, "a second approver must ask for it: you did already"};
  }
  by.push_back(call.subject);
  const bool is_done = by.size() >= kReinstaters;
  const json answer = {{"release", call.key}, {"reinstated", is_done}, {"by", by}};
  if (is_done) {
    RETURN_IF_ERROR(db_.Delete("rejections", call.key));
    // What was gathered before counts no more.
    RETURN_IF_ERROR(
        db_.Put("reinstated", call.key,
                {{"release", call.key}, {"by", by}, {"cause", cause}, {"at_us", Now().value}}));
  } else {
    RETURN_IF_ERROR(db_.Put("rejections", call.key, *rejection));
  }
  RETURN_IF_ERROR(Note(call, ""));
  RETURN_IF_ERROR(transaction.Commit());
  return answer;
}

Result<json> PlaneState::PutRehearsal(const Call& call) {
  JsonReader read(call.body, "rehearsal");
  const std::string release = read.Digest("release");
  const json report = read.Any("report");
  if (!report.is_object() || !report.contains("verdict") || !report["verdict"].is_string()) {
    read.Mistake("\"report\" must be an object with a \"verdict\"");
  }
  RETURN_IF_ERROR(read.Done());
  ASSIGN_OR_RETURN(auto transaction, db_.Begin());
  RETURN_IF_ERROR(MustFind(kEnvironments, call.key));
  const json rehearsal = {{"environment", call.key}, {"release", release},
                          {"report", report},        {"by", call.subject},
                          {"at", FormatUtc(Now())},  {"at_us", Now().value}};
  RETURN_IF_ERROR(db_.Put("rehearsals", call.key + "/" + release, rehearsal));
  RETURN_IF_ERROR(Note(call, call.key));
  RETURN_IF_ERROR(transaction.Commit());
  return rehearsal;
}

Result<json> PlaneState::ListRehearsals(const std::string& environment) {
  RETURN_IF_ERROR(MustFind(kEnvironments, environment));
  ASSIGN_OR_RETURN(auto items, db_.List("rehearsals"));
  std::erase_if(items, [&](const json& one) { return one.at("environment") != json(environment); });
  return json{{"items", std::move(items)}};
}

Result<json> PlaneState::WithState(json release) {
  ASSIGN_OR_RETURN(auto rejection, db_.Find("rejections", release.at("id")));
  release["state"] = rejection ? "rejected" : "known";
  if (rejection) {
    rejection->erase("release");
    release["rejected"] = std::move(*rejection);
  }
  return release;
}

// Evidence for a release that was reinstated counts from then on.
Result<std::int64_t> PlaneState::EvidenceFrom(const std::string& release) {
  ASSIGN_OR_RETURN(const auto reinstated, db_.Find("reinstated", release));
  return reinstated ? reinstated->at("at_us").get<std::int64_t>() : std::int64_t{0};
}

Result<bool> PlaneState::IsRehearsed(const json& rollout) {
  if (rollout.at("policy_kind") != json("small")) return false;
  const std::string release = rollout.at("candidate");
  ASSIGN_OR_RETURN(
      const auto found,
      db_.Find("rehearsals", rollout.at("environment").get<std::string>() + "/" + release));
  ASSIGN_OR_RETURN(const std::int64_t from_us, EvidenceFrom(release));
  return found && found->at("report").at("verdict") == json("pass") &&
         found->at("at_us").get<std::int64_t>() > from_us;
}

}  // namespace telltale::control
