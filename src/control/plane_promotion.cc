// The one pointer of an environment, and the rollout that it begins.
#include <fmt/format.h>

#include "control/json_reader.h"
#include "control/objects.h"
#include "control/plane_state.h"

namespace telltale::control {
namespace {

using nlohmann::json;

// What the machine needs of a rollout and nobody else; times in µs.
json Internal(std::uint64_t number, Micros now) {
  return {{"number", number},
          {"since_us", now.value},
          {"created_us", now.value},
          {"settled_us", 0},
          {"audit_entry", 0}};
}

}  // namespace

Result<json> PlaneState::OpenRollout(const std::string& environment) {
  RETURN_IF_ERROR(MustFind(kEnvironments, environment));
  ASSIGN_OR_RETURN(auto rollout, db_.NewestRollout(environment));
  if (rollout && IsOpen(PhaseIn(*rollout))) return std::move(*rollout);
  return Error{Code::kNotFound, "no rollout is open in " + environment};
}

Status PlaneState::SaveRollout(const json& rollout) {
  return db_.PutRollout(rollout.at("internal").at("number").get<std::uint64_t>(),
                        IsOpen(PhaseIn(rollout)), rollout);
}

void PlaneState::Enter(json& rollout, Phase phase, std::size_t stage, const std::string& subject,
                       const std::string& note) {
  const Micros now = Now();
  rollout["phase"] = PhaseName(phase);
  rollout["stage"] = stage;
  rollout["since"] = FormatUtc(now);
  rollout["internal"]["since_us"] = now.value;
  rollout["internal"]["settled_us"] = 0;
  if (!IsOpen(phase)) rollout["closed_at"] = FormatUtc(now);
  rollout["history"].push_back({{"at", FormatUtc(now)},
                                {"stage", stage},
                                {"phase", PhaseName(phase)},
                                {"subject", subject},
                                {"note", note}});
}

// The release that speaks for everyone once nothing is under way: "" when that is not known yet.
Result<std::string> PlaneState::EffectiveStable(const std::string& environment) {
  ASSIGN_OR_RETURN(const auto newest, db_.NewestRollout(environment));
  if (newest) return WantedBy(PlaceIn(*newest)).stable;
  const Sight& sight = SightOf(environment);
  return sight.contracts ? sight.contracts->in_force.stable_release : std::string();
}

Result<std::string> PlaneState::SpeakerOfStable(const std::string& environment) {
  ASSIGN_OR_RETURN(const auto newest, db_.NewestRollout(environment));
  if (newest) {
    const Wanted wanted = WantedBy(PlaceIn(*newest));
    return wanted.stable_speaker.empty() ? wanted.stable : wanted.stable_speaker;
  }
  const Sight& sight = SightOf(environment);
  return sight.contracts ? sight.contracts->in_force.SpeakerOfStable() : std::string();
}

Result<std::optional<json>> PlaneState::ActivePin(const std::string& environment) {
  ASSIGN_OR_RETURN(auto pin, db_.Find("pins", environment));
  if (!pin) return pin;
  const auto& until = pin->at("expires_at").get_ref<const std::string&>();
  if (!until.empty() && ParseUtc(until).value() <= Now()) return std::optional<json>();
  return pin;
}

Status PlaneState::CheckPromotable(const std::string& environment, const std::string& release) {
  ASSIGN_OR_RETURN(const auto pin, ActivePin(environment));
  if (pin) {
    return Error{Code::kRefused, fmt::format("{} is pinned ({}): lift the pin first", environment,
                                             pin->at("reason").get<std::string>())};
  }
  ASSIGN_OR_RETURN(const auto rejection, db_.Find("rejections", release));
  if (rejection) {
    return Error{Code::kRefused,
                 fmt::format("the release was rejected in {} ({}): build another, or have it "
                             "reinstated by two approvers",
                             rejection->at("rollout").get<std::string>(),
                             rejection->at("reason").get<std::string>())};
  }
  ASSIGN_OR_RETURN(const std::string stable, EffectiveStable(environment));
  if (stable == release) {
    return Error{Code::kExists, "the release speaks for all of " + environment + " already"};
  }
  if (stable.empty()) {
    return Error{Code::kUnavailable,
                 "control does not know yet what runs there: " + SightOf(environment).reason};
  }
  return Ok();
}

Result<json> PlaneState::NewRollout(const Call& call, const json& environment, const json& policy,
                                    const std::string& release) {
  const std::string key = environment.at("key");
  ASSIGN_OR_RETURN(const std::uint64_t number, db_.NextRolloutNumber(key));
  ASSIGN_OR_RETURN(const std::string stable, EffectiveStable(key));
  ASSIGN_OR_RETURN(const std::string speaker, SpeakerOfStable(key));
  const std::string id = fmt::format("{}-{}", key, number);
  json cohort = {{"key", ""}, {"salt", ""}, {"always", json::array()}, {"never", json::array()}};
  if (const std::string name = policy.at("cohort"); !name.empty()) {
    ASSIGN_OR_RETURN(cohort, MustFind(kCohorts, name));
  }
  if (cohort["salt"] == json("")) cohort["salt"] = id;
  json rollout = {{"id", id},
                  {"environment", key},
                  {"candidate", release},
                  {"stable", stable},
                  {"speaker", ""},
                  {"stable_speaker", speaker},
                  {"policy", policy.at("key")},
                  {"policy_kind", policy.at("kind")},
                  {"warm_up_s", policy.at("warm_up_s")},
                  {"rollback_window_s", policy.at("rollback_window_s")},
                  {"stages", policy.at("stages")},
                  {"freeze_windows", policy.at("freeze_windows")},
                  {"cohort", std::move(cohort)},
                  {"approvals", json::array()},
                  {"history", json::array()},
                  {"requested_by", call.subject},
                  {"created_at", FormatUtc(Now())},
                  {"closed_at", ""},
                  {"config_seq", 0},
                  {"began_config_seq", 0},
                  {"break_glass", false},
                  {"rehearsed", false},
                  {"window_until", ""},
                  {"previous_costs", {{"cpu_s", nullptr}}},
                  {"reason", ""},
                  {"evidence", nullptr},
                  {"gate", nullptr},
                  {"internal", Internal(number, Now())}};
  Enter(rollout, Phase::kPending, 0, call.subject, "promoted");
  return rollout;
}

Result<json> PlaneState::PromotionAnswer(const json& promotion) {
  json answer = promotion;
  answer["rollout"] = nullptr;
  ASSIGN_OR_RETURN(auto rollout, db_.FindRollout(promotion.at("rollout")));
  if (rollout) {
    ASSIGN_OR_RETURN(answer["rollout"], RolloutAnswer(std::move(*rollout)));
  }
  return answer;
}

Result<json> PlaneState::GetPromotion(const std::string& environment) {
  RETURN_IF_ERROR(MustFind(kEnvironments, environment));
  ASSIGN_OR_RETURN(const auto promotion, db_.Find("promotions", environment));
  if (!promotion) return Error{Code::kNotFound, "nothing was promoted in " + environment};
  return PromotionAnswer(*promotion);
}

Result<json> PlaneState::Promote(const Call& call, bool is_known) {
  JsonReader read(call.body, "promotion");
  const std::string release = read.Digest("release");
  std::string policy_key = read.Key("policy", "");
  const bool may_close = read.Flag("close_window", false);
  RETURN_IF_ERROR(read.Done());
  ASSIGN_OR_RETURN(auto transaction, db_.Begin());
  ASSIGN_OR_RETURN(const json environment, MustFind(kEnvironments, call.key));
  if (policy_key.empty()) policy_key = environment.at("policy");
  if (policy_key.empty()) return Error{Code::kInvalid, "promotion: name a \"policy\""};
  ASSIGN_OR_RETURN(const json policy, MustFind(kPolicies, policy_key));
  ASSIGN_OR_RETURN(const auto before, db_.Find("promotions", call.key));
  ASSIGN_OR_RETURN(auto newest, db_.NewestRollout(call.key));
  const bool is_same = before && newest && before->at("release") == json(release) &&
                       before->at("policy") == json(policy_key) &&
                       before->at("rollout") == newest->at("id");
  if (is_same && PhaseIn(*newest) <= Phase::kClosed) return PromotionAnswer(*before);
  if (!is_known) return Error{Code::kNotFound, "no release " + release + ": push it first"};
  if (newest && PhaseIn(*newest) == Phase::kWindow && may_close) {
    Enter(*newest, Phase::kClosed, newest->at("stage"), call.subject, "closed by the next");
    RETURN_IF_ERROR(SaveRollout(*newest));
  } else if (newest && IsOpen(PhaseIn(*newest))) {
    return Error{Code::kExists,
                 fmt::format("rollout {} is open ({}): let it close, or roll it back{}",
                             newest->at("id").get<std::string>(), PhaseName(PhaseIn(*newest)),
                             PhaseIn(*newest) == Phase::kWindow
                                 ? "; \"close_window\": true gives up the way back"
                                 : "")};
  }
  RETURN_IF_ERROR(CheckPromotable(call.key, release));
  RETURN_IF_ERROR(CheckOneEvidenceGate(policy.at("stages")));
  ASSIGN_OR_RETURN(json rollout, NewRollout(call, environment, policy, release));
  ASSIGN_OR_RETURN(rollout["internal"]["audit_entry"], Note(call, call.key));
  RETURN_IF_ERROR(SaveRollout(rollout));
  const json promotion = {{"environment", call.key}, {"release", release},
                          {"policy", policy_key},    {"requested_by", call.subject},
                          {"at", FormatUtc(Now())},  {"rollout", rollout.at("id")}};
  RETURN_IF_ERROR(db_.Put("promotions", call.key, promotion));
  RETURN_IF_ERROR(transaction.Commit());
  return PromotionAnswer(promotion);
}

}  // namespace telltale::control
