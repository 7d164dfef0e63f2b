// What the gate of kind evidence does to a rollout: it passes, holds or halts it.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "control/gate_object.h"
#include "control/json_reader.h"
#include "control/objects.h"
#include "control/plane_state.h"

namespace telltale::control {
namespace {

using nlohmann::json;

constexpr double kSameShare = 1e-9;  // as gate/judge.cc compares

bool IsUnderGate(Phase phase) {
  return phase == Phase::kWarming || phase == Phase::kShadow || phase == Phase::kAuthority;
}

// A person who is asked for a small cohort is told what it cannot see.
std::string InWaitingWords(const gate::Report& report) {
  std::string words =
      fmt::format("{}: {}", gate::RuleName(report.verdict.rule), report.verdict.words);
  for (const gate::Hold& hold : report.holds) {
    const bool is_more = hold.rule == gate::Rule::kConfirmation &&
                         report.verdict.rule != gate::Rule::kConfirmation &&
                         report.verdict.outcome == gate::Outcome::kHold;
    if (is_more) words += fmt::format("; {}: {}", gate::RuleName(hold.rule), hold.words);
  }
  return words;
}

}  // namespace

// The one gate of kind evidence that these stages name.
Result<std::optional<json>> PlaneState::EvidenceGateOf(const json& stages) {
  for (const json& stage : stages) {
    const std::string key = stage.at("gate");
    if (key.empty()) continue;
    ASSIGN_OR_RETURN(auto gate, db_.Find(kGates, key));
    if (gate && gate->at("kind") == json(kGateEvidence)) return gate;
  }
  return std::optional<json>();
}

// Two would be two alphas for one rollout.
Status PlaneState::CheckOneEvidenceGate(const json& stages) {
  std::set<std::string> keys;
  for (const json& stage : stages) {
    const std::string key = stage.at("gate");
    if (key.empty()) continue;
    ASSIGN_OR_RETURN(const auto gate, db_.Find(kGates, key));
    if (gate && gate->at("kind") == json(kGateEvidence)) keys.insert(key);
  }
  if (keys.size() < 2) return Ok();
  return Error{Code::kInvalid,
               fmt::format("the policy's stages name {} of kind evidence: one rollout has one, so "
                           "that false halts are bounded once",
                           fmt::join(keys, " and "))};
}

// A gate that an open rollout's stages name was looked at when the rollout began: made one of
// evidence now, it would be a second alpha, or evidence that nobody counted from the beginning.
Status PlaneState::CheckNewEvidence(const std::string& gate) {
  ASSIGN_OR_RETURN(const auto rollouts, db_.ListRollouts(""));
  for (const json& rollout : rollouts) {
    if (!IsOpen(PhaseIn(rollout)) || PhaseIn(rollout) == Phase::kWindow) continue;
    const json& stages = rollout.at("stages");
    const bool is_named = std::any_of(stages.begin(), stages.end(), [&](const json& stage) {
      return stage.at("gate") == json(gate);
    });
    if (!is_named) continue;
    return Error{Code::kRefused,
                 fmt::format("rollout {} is open and its stages name this gate, which was none of "
                             "kind evidence when it began: roll it back, or let it close, and "
                             "change the gate then",
                             rollout.at("id").get<std::string>())};
  }
  return Ok();
}

// Evidence under another gate begins anew, and so does the chance of a false halt: what an open
// rollout has spent before counts.
Status PlaneState::ChangeGate(const std::string& key, const json* before, const json* after) {
  const auto is_evidence = [](const json* gate) {
    return gate != nullptr && gate->at("kind") == json(kGateEvidence);
  };
  if (!is_evidence(before)) return is_evidence(after) ? CheckNewEvidence(key) : Ok();
  ASSIGN_OR_RETURN(auto rollouts, db_.ListRollouts(""));
  for (json& rollout : rollouts) {
    if (!IsOpen(PhaseIn(rollout)) || PhaseIn(rollout) == Phase::kWindow) continue;
    ASSIGN_OR_RETURN(const auto used, EvidenceGateOf(rollout.at("stages")));
    if (!used || used->at("key") != json(key)) continue;
    const std::string id = rollout.at("id");
    if (!is_evidence(after)) {
      return Error{Code::kRefused, fmt::format("rollout {} is open under this gate: roll it back, "
                                               "or let it close, and change the gate then",
                                               id)};
    }
    const double spent =
        rollout.at("internal").value("alpha_spent", 0.0) + before->at("alpha_halt").get<double>();
    const double next = after->at("alpha_halt");
    if (spent + next > kFalseHaltsMax + 1e-12) {
      return Error{Code::kRefused,
                   fmt::format("rollout {} is open and may be halted by chance in {} of rollouts "
                               "already; this change begins its evidence anew and adds {}, over "
                               "twice the target of {}",
                               id, spent, next, kFalseHaltsTarget)};
    }
    rollout["internal"]["alpha_spent"] = spent;
    RETURN_IF_ERROR(SaveRollout(rollout));
  }
  return Ok();
}

Result<std::optional<GateQuestion>> PlaneState::QuestionOf(const json& rollout) {
  if (PhaseIn(rollout) == Phase::kWindow) return std::optional<GateQuestion>();
  ASSIGN_OR_RETURN(auto gate, EvidenceGateOf(rollout.at("stages")));
  if (!gate) return std::optional<GateQuestion>();
  const std::string stable_speaker = rollout.value("stable_speaker", "");
  const json speaks = stable_speaker.empty() ? rollout.at("stable") : json(stable_speaker);
  return std::optional<GateQuestion>(
      GateQuestion{.names = {.rollout = rollout.at("id"),
                             .candidate = rollout.at("candidate"),
                             .stable = rollout.at("stable"),
                             .warm_up_s = rollout.at("warm_up_s")},
                   .gate = std::move(*gate),
                   .stage = rollout.at("stage"),
                   .approvals = rollout.at("approvals"),
                   .has_one_speaker = rollout.value("speaker", json("")) == speaks});
}

Result<const GateSight*> PlaneState::GateSightOf(const json& rollout) {
  const std::optional<GateSight>& sight = SightOf(rollout.at("environment")).gate;
  if (!sight || sight->rollout != rollout.at("id").get_ref<const std::string&>()) return nullptr;
  ASSIGN_OR_RETURN(const auto gate, EvidenceGateOf(rollout.at("stages")));
  return gate && *gate == sight->gate ? &*sight : nullptr;
}

Status PlaneState::ViewGate(const json& rollout, RolloutView& view) {
  const std::string key = rollout.at("stages").at(view.stage).at("gate");
  if (key.empty()) return Ok();
  ASSIGN_OR_RETURN(const auto gate, db_.Find(kGates, key));
  // A gate that is gone lets nothing pass by itself.
  view.stages[view.stage].is_gate_manual = !gate || gate->at("kind") == json(kGateManual);
  if (!gate || gate->at("kind") != json(kGateEvidence)) return Ok();
  ASSIGN_OR_RETURN(const GateSight* sight, GateSightOf(rollout));
  if (sight == nullptr) {
    view.gate = "control has not looked at the evidence yet";
  } else if (sight->report.verdict.outcome != gate::Outcome::kPass) {
    view.gate = InWaitingWords(sight->report);
  }
  return Ok();
}

Result<std::optional<Call>> PlaneState::GateHalts(const std::string& environment) {
  if (!IsLeader()) return std::optional<Call>();
  ASSIGN_OR_RETURN(const auto rollout, db_.NewestRollout(environment));
  if (!rollout || !IsUnderGate(PhaseIn(*rollout))) return std::optional<Call>();
  ASSIGN_OR_RETURN(const GateSight* sight, GateSightOf(*rollout));
  if (sight == nullptr || sight->report.verdict.outcome != gate::Outcome::kHalt) {
    return std::optional<Call>();
  }
  RolloutView view;
  RETURN_IF_ERROR(ViewBreakGlass(*rollout, view));
  if (view.is_break_glass || !CheckLease().ok()) return std::optional<Call>();
  Call call{.subject = "gate", .operation = "halt", .key = rollout->at("id")};
  call.body = {{"reason", InWaitingWords(sight->report)},
               {"evidence",
                {{"gate", sight->gate},
                 {"settings", json(gate::ToJson(sight->settings))},
                 {"report", WithoutVehicles(json(gate::ToJson(sight->report)))}}}};
  return std::optional<Call>(std::move(call));
}

// Kept is what there is now, which is never more than what was shown.
Result<json> PlaneState::ConfirmationOf(const json& rollout, const std::string& comment,
                                        const json& shown) {
  if (comment.empty() || !IsUnderGate(PhaseIn(rollout))) return json();
  ASSIGN_OR_RETURN(const GateSight* sight, GateSightOf(rollout));
  if (sight != nullptr && !sight->report.needs_confirmation) return json();
  if (sight == nullptr && shown.is_null()) return json();
  if (shown.is_null()) {
    return Error{Code::kRefused,
                 fmt::format("a comment confirms now what the gate cannot see, so it has to say "
                             "what was shown: `telltale approve {0} --comment …` shows it and says "
                             "so, as \"shown\" of what GET /v1/rollouts/{0}/gate reports; without "
                             "a comment the stage alone is approved",
                             rollout.at("id").get<std::string>())};
  }
  const bool is_as_shown =
      sight != nullptr && shown.at("gate_digest") == json(sight->report.gate_digest) &&
      sight->report.discordant <= shown.at("discordant").get<std::int64_t>() &&
      sight->report.detectable <= shown.at("detectable").get<double>() + kSameShare;
  if (!is_as_shown) {
    return Error{Code::kExists,
                 fmt::format("what the gate of {} sees is another or worse than what was shown: "
                             "look again, and confirm that",
                             rollout.at("id").get<std::string>())};
  }
  return json{{"gate_digest", sight->report.gate_digest},
              {"discordant", sight->report.discordant},
              {"detectable", sight->report.detectable}};
}

// Since when it says what it says, so that a restart tells nothing twice.
Status PlaneState::NoteGate(json& rollout) {
  if (!IsUnderGate(PhaseIn(rollout))) return Ok();
  ASSIGN_OR_RETURN(const GateSight* sight, GateSightOf(rollout));
  if (sight == nullptr) return Ok();
  const gate::Verdict& verdict = sight->report.verdict;
  json& noted = rollout["gate"];
  const json outcome = gate::OutcomeName(verdict.outcome);
  const json rule = gate::RuleName(verdict.rule);
  if (noted.is_object() && noted.at("outcome") == outcome && noted.at("rule") == rule) return Ok();
  const bool has_turned = !noted.is_object() || noted.at("outcome") != outcome;
  noted = {{"key", sight->gate.at("key")},
           {"outcome", outcome},
           {"rule", rule},
           {"words", verdict.words},
           {"since", FormatUtc(Now())}};
  if (!has_turned || verdict.outcome == gate::Outcome::kHalt) return Ok();
  return AddEvent(verdict.outcome == gate::Outcome::kPass ? "rollout.passed" : "rollout.held",
                  rollout);
}

// With the words of this moment.
Result<json> PlaneState::GateInShort(const json& rollout) {
  json noted = rollout.value("gate", json());
  if (!noted.is_object()) return json();
  if (!IsOpen(PhaseIn(rollout))) return noted;
  ASSIGN_OR_RETURN(const GateSight* sight, GateSightOf(rollout));
  if (sight != nullptr) noted["words"] = sight->report.verdict.words;
  return noted;
}

Result<json> PlaneState::GateAnswer(const std::string& id) {
  ASSIGN_OR_RETURN(const auto rollout, db_.FindRollout(id));
  if (!rollout) return Error{Code::kNotFound, "no rollout " + id};
  json answer = {{"rollout", id},
                 {"environment", rollout->at("environment")},
                 {"phase", rollout->at("phase")},
                 {"gate", nullptr},
                 {"settings", nullptr},
                 {"report", nullptr},
                 {"words", ""}};
  ASSIGN_OR_RETURN(answer["verdict"], GateInShort(*rollout));
  const json evidence = rollout->value("evidence", json());
  if (evidence.is_object() && evidence.contains("report")) {
    for (const char* part : {"gate", "settings", "report"})
      answer[part] = evidence.value(part, json());
    answer["words"] = rollout->at("reason");
    return answer;
  }
  ASSIGN_OR_RETURN(const GateSight* sight, GateSightOf(*rollout));
  if (sight == nullptr) {
    ASSIGN_OR_RETURN(const auto gate, EvidenceGateOf(rollout->at("stages")));
    answer["words"] = !gate ? "no gate of kind evidence is in its stages"
                            : "control has not looked at the evidence yet";
    if (gate) answer["gate"] = *gate;
    return answer;
  }
  answer["gate"] = sight->gate;
  answer["settings"] = json(gate::ToJson(sight->settings));
  answer["report"] = json(gate::ToJson(sight->report));
  answer["words"] = gate::InWords(sight->report);
  return answer;
}

}  // namespace telltale::control
