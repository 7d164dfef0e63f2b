#include "control/gate_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "control/json_reader.h"
#include "control/opened_fields.h"
#include "seal/seal.h"

namespace telltale::control {
namespace {

using nlohmann::json;

constexpr Micros kAgain = Micros::Seconds(1);

}  // namespace

gate::Report HoldReport(const gate::GateSettings& settings, gate::Rule rule, std::string words) {
  gate::Report report;
  report.verdict = {gate::Outcome::kHold, rule, words};
  report.holds.push_back({.rule = rule, .words = std::move(words)});
  report.basis = {.environment = settings.environment,
                  .rollout = settings.rollout,
                  .candidate = settings.candidate,
                  .stable = settings.stable};
  return report;
}

std::vector<gate::Confirmation> ConfirmationsIn(const GateQuestion& question) {
  std::vector<gate::Confirmation> confirmations;
  const json& confirmers = question.gate.at("confirmers");
  for (const json& one : question.approvals) {
    const auto confirmed = one.find("confirms");
    if (one.at("stage") != json(question.stage) || confirmed == one.end()) continue;
    const std::string by = one.at("subject");
    const bool may = confirmers.empty() ||
                     std::find(confirmers.begin(), confirmers.end(), json(by)) != confirmers.end();
    if (!may || !confirmed->is_object()) continue;
    confirmations.push_back({.by = by,
                             .at_us = ParseUtc(one.at("at").get<std::string>()).value().value,
                             .release = question.names.candidate,
                             .gate_digest = confirmed->at("gate_digest"),
                             .discordant_seen = confirmed->at("discordant"),
                             .detectable_shown = confirmed->at("detectable")});
  }
  return confirmations;
}

json WithoutVehicles(json report) {
  report.erase("vehicles");
  report.erase("examples");
  return report;
}

void AddVehicles(const std::string& text, json& report) {
  const json parsed = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (parsed.is_discarded()) return;
  const auto evidence = gate::EvidenceFromJson(parsed);
  if (!evidence.ok()) return;
  std::set<std::string> vehicles;
  for (const gate::InvariantEvidence& one : evidence->invariants) {
    if (one.candidate.breaches > 0) vehicles.insert(one.vehicles.begin(), one.vehicles.end());
  }
  for (const gate::PairedEvidence& paired : evidence->paired) {
    for (const gate::PairedExample& one : paired.examples) {
      vehicles.insert(one.vehicle);
      if (report["examples"].size() >= gate::kExamplesMax) continue;
      report["examples"].push_back({{"side", one.side},
                                    {"vehicle", one.vehicle},
                                    {"event_at_us", one.event_at_us},
                                    {"what", one.what}});
    }
  }
  for (const std::string& vehicle : vehicles) {
    if (report["vehicles"].size() < gate::kExamplesMax) report["vehicles"].push_back(vehicle);
  }
}

// Settings for the observer: written before the first evidence, and whenever they are others.
bool GateWatch::Prepare(Disk& disk, const Paths& environment, Installation& installation,
                        const GateQuestion& question) {
  const auto hold = [&](gate::Rule rule, std::string words) {
    sight_.report = HoldReport(sight_.settings, rule, std::move(words));
    judged_.clear();
    return false;
  };
  if (sight_.rollout != question.names.rollout) {
    *this = GateWatch();
    sight_.rollout = question.names.rollout;
  }
  if (!written_.empty() && sight_.gate == question.gate) return true;
  sight_.gate = question.gate;
  if (!parts_) {
    auto parts = ReadGateParts(disk, environment, question.names.stable, question.names.candidate);
    if (!parts.ok()) {
      return hold(gate::Rule::kSettingsInvalid,
                  "the releases cannot be read: " + parts.error().ToString());
    }
    parts_ = std::move(*parts);
  }
  sight_.settings = SettingsFor(question.gate, *parts_, question.names);
  if (const auto valid = gate::CheckSettings(sight_.settings); !valid.ok()) {
    return hold(gate::Rule::kSettingsInvalid, valid.error().message);
  }
  std::string text = gate::ToJson(sight_.settings).dump(1) + "\n";
  written_.clear();
  if (const Status written = installation.WriteGateSettings(sight_.rollout, text); !written.ok()) {
    return hold(gate::Rule::kSettingsInvalid,
                "the observer cannot be told what to count: " + written.error().ToString());
  }
  written_ = std::move(text);
  return true;
}

void GateWatch::Judge(const Result<std::string>& text, const GateQuestion& question, Micros now) {
  if (!text.ok()) {
    const bool is_missing = text.error().code == Code::kNotFound;
    sight_.report = HoldReport(
        sight_.settings, is_missing ? gate::Rule::kSourceStale : gate::Rule::kEvidenceInconsistent,
        is_missing ? "there is no evidence yet: the role gate of the environment counts it"
                   : "the evidence cannot be read: " + text.error().ToString());
    return;
  }
  const json parsed = json::parse(*text, nullptr, /*allow_exceptions=*/false);
  auto evidence = parsed.is_discarded()
                      ? Result<gate::Evidence>(Error{Code::kInvalid, "it is no JSON"})
                      : gate::EvidenceFromJson(parsed);
  if (!evidence.ok()) {
    sight_.report = HoldReport(sight_.settings, gate::Rule::kEvidenceInconsistent,
                               "the evidence cannot be read: " + evidence.error().message);
    return;
  }
  // Who said what is known here, and not by who counts.
  evidence->approvals.clear();
  evidence->confirmations = ConfirmationsIn(question);
  sight_.report = gate::Judge(*evidence, sight_.settings, now.value);
  LookBack(std::move(*evidence), now);
}

Status GateWatch::FindOpened(Disk& disk, const Paths& environment, const GateNames& names) {
  if (opened_) return Ok();
  ASSIGN_OR_RETURN(opened_, OpenedFieldsOf(disk, environment, names.stable, names.candidate));
  return Ok();
}

// The alerts are the same by how it is built; for the rest there is what the lake compares, and a
// person who has looked at it. No observer counts here, so what is to lie open is looked at too.
void GateWatch::JudgeOneSpeaker(Disk& disk, const Paths& environment,
                                const GateQuestion& question) {
  if (const Status found = FindOpened(disk, environment, question.names); !found.ok()) {
    sight_.report = HoldReport(sight_.settings, gate::Rule::kSettingsInvalid,
                               "the contracts cannot be read: " + found.error().ToString());
    return;
  }
  if (!opened_->empty()) {
    sight_.report = HoldReport(sight_.settings, gate::Rule::kSealedToOpen, "");
    sight_.report.holds.clear();
    sight_.report.gate_digest = gate::GateDigest(sight_.settings);
    sight_.report.verdict = {
        gate::Outcome::kHalt, gate::Rule::kSealedToOpen,
        fmt::format("{} fields that stable's contract seals are open in the candidate's, {} first, "
                    "and it declares nothing of them",
                    opened_->size(), opened_->front())};
    return;
  }
  gate::Report report = HoldReport(
      sight_.settings, gate::Rule::kConfirmation,
      "one worker computes for both releases, so nothing of their alerts can be compared: somebody "
      "has to look at what the lake found, and say that it will do");
  report.needs_confirmation = true;
  report.gate_digest = gate::GateDigest(sight_.settings);
  const auto confirmations = ConfirmationsIn(question);
  const bool is_confirmed = std::any_of(
      confirmations.begin(), confirmations.end(),
      [&](const gate::Confirmation& one) { return one.gate_digest == report.gate_digest; });
  if (is_confirmed) {
    report.holds.clear();
    report.verdict = {gate::Outcome::kPass, gate::Rule::kNone,
                      "one worker computes for both releases, and a person confirmed the rest"};
  }
  sight_.report = std::move(report);
}

void GateWatch::LookBack(gate::Evidence evidence, Micros now) {
  if (evidence.basis.gate_digest != sight_.report.gate_digest) return;  // void, or just begun
  const bool is_comparable = before_ && before_->basis.gate_digest == evidence.basis.gate_digest;
  const Status forward = is_comparable ? gate::CheckForward(*before_, evidence) : Ok();
  if (!forward.ok()) {
    if (!back_since_) back_since_ = now;
    if (now - *back_since_ < kBackHold) {
      if (sight_.report.verdict.outcome == gate::Outcome::kHalt) return;
      sight_.report = HoldReport(sight_.settings, gate::Rule::kEvidenceInconsistent,
                                 forward.error().message + " since the last look");
      return;
    }
  }
  back_since_.reset();
  before_ = std::move(evidence);
}

GateSight GateWatch::Look(Disk& disk, const Paths& environment, Installation& installation,
                          const GateQuestion& question, Micros now) {
  if (!Prepare(disk, environment, installation, question)) return sight_;
  if (question.has_one_speaker) {
    JudgeOneSpeaker(disk, environment, question);
    return sight_;
  }
  const auto text = installation.GateEvidence(sight_.rollout);
  const std::string about = (text.ok() ? seal::Sha256(*text) : text.error().ToString()) + written_ +
                            question.approvals.dump() + std::to_string(question.stage);
  if (about == judged_ && now - judged_at_ < kAgain) return sight_;
  Judge(text, question, now);
  judged_ = about;
  judged_at_ = now;
  return sight_;
}

}  // namespace telltale::control
