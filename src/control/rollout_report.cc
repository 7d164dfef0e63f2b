#include "control/rollout_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "control/json_reader.h"

namespace telltale::control {
namespace {

using nlohmann::json;

std::string ReportTextOf(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return "";
  return found->is_string() ? found->get<std::string>() : Canonical(*found);
}

// What someone wrote, on one line of a table or a list.
std::string Cell(std::string text) {
  std::string cell;
  for (const char c : text) {
    if (c == '\n' || c == '\r') {
      cell += ' ';
    } else {
      if (c == '|' || c == '<' || c == '`' || c == '*' || c == '[' || c == '_') cell += '\\';
      cell += c;
    }
  }
  return cell;
}

std::string Cell(const json& object, const char* name) { return Cell(ReportTextOf(object, name)); }

std::string Head(const json& rollout) {
  return fmt::format(
      "# Rollout {}\n\n| | |\n| --- | --- |\n| environment | {} |\n| outcome | {} |\n"
      "| candidate | {} |\n| stable before | {} |\n| policy | {} ({}) |\n| promoted by | {} |\n"
      "| promoted at | {} |\n| ended at | {} |\n| break-glass | {} |\n| reason | {} |\n",
      Cell(rollout, "id"), Cell(rollout, "environment"), Cell(rollout, "phase"),
      ReportTextOf(rollout, "candidate"), ReportTextOf(rollout, "stable"), Cell(rollout, "policy"),
      Cell(rollout, "policy_kind"), Cell(rollout, "requested_by"), Cell(rollout, "created_at"),
      Cell(rollout, "closed_at"), Cell(rollout, "break_glass"), Cell(rollout, "reason"));
}

std::string Changes(const ReportParts& parts) {
  std::string text = "\n## What changes\n\n";
  if (!parts.diff.is_object()) {
    text += "One of the two releases is not on control's shelf.\n";
  } else {
    text +=
        "```json\n" + parts.diff.dump(2, ' ', false, json::error_handler_t::replace) + "\n```\n";
  }
  text += "\n## Declared changes\n\n";
  const auto declared =
      parts.candidate.is_object() ? parts.candidate.find("declared") : parts.candidate.end();
  if (declared == parts.candidate.end() || !declared->is_array() || declared->empty()) {
    return text + "None.\n";
  }
  for (const json& one : *declared) {
    const bool has_words = one.is_object() && one.contains("in_words");
    text += "- " + Cell(has_words ? ReportTextOf(one, "in_words") : Canonical(one)) + "\n";
  }
  return text;
}

std::string Stages(const json& rollout) {
  std::string text =
      "\n## Stages\n\n| stage | per 10,000 | shadow, s | soak, s | approvals asked | gate |\n"
      "| --- | --- | --- | --- | --- | --- |\n";
  std::size_t index = 0;
  for (const json& stage : rollout.at("stages")) {
    text += fmt::format("| {} | {} | {} | {} | {} | {} |\n", index++, Cell(stage, "per_10000"),
                        Cell(stage, "shadow_s"), Cell(stage, "soak_s"), Cell(stage, "approvals"),
                        Cell(stage, "gate"));
  }
  text +=
      "\n## What happened\n\n| at | stage | phase | who | note |\n"
      "| --- | --- | --- | --- | --- |\n";
  for (const json& one : rollout.at("history")) {
    text += fmt::format("| {} | {} | {} | {} | {} |\n", Cell(one, "at"), Cell(one, "stage"),
                        Cell(one, "phase"), Cell(one, "subject"), Cell(one, "note"));
  }
  text += "\n## Approvals\n\n";
  if (rollout.at("approvals").empty()) text += "None.\n";
  for (const json& one : rollout.at("approvals")) {
    text += fmt::format("- stage {}: {} at {}{}{}\n", Cell(one, "stage"), Cell(one, "subject"),
                        Cell(one, "at"), one.at("self") == json(true) ? ", self-approved" : "",
                        ReportTextOf(one, "comment").empty() ? "" : ": " + Cell(one, "comment"));
  }
  return text;
}

struct Flip {
  std::uint64_t lanes = 0;
  std::uint64_t first_min = UINT64_MAX;
  std::uint64_t first_max = 0;
};

// Flips of this rollout by release and config, with the range of their first offsets.
std::string Flips(const ReportParts& parts) {
  std::string text = "\n## Flips\n\n";
  const auto items = parts.ledger.is_object() ? parts.ledger.find("items") : parts.ledger.end();
  if (items == parts.ledger.end() || !items->is_array()) {
    return text + "The ledger could not be read.\n";
  }
  std::map<std::pair<std::uint64_t, std::string>, Flip> flips;
  for (const json& row : *items) {
    if (ReportTextOf(row, "rollout") != ReportTextOf(parts.rollout, "id")) continue;
    Flip& flip = flips[{row.value("config_seq", std::uint64_t{0}), ReportTextOf(row, "release")}];
    const auto first = row.value("from_offset", std::uint64_t{0});
    ++flip.lanes;
    flip.first_min = std::min(flip.first_min, first);
    flip.first_max = std::max(flip.first_max, first);
  }
  if (flips.empty()) return text + "None.\n";
  text += "| config_seq | to release | lanes | first offsets |\n| --- | --- | --- | --- |\n";
  for (const auto& [key, flip] : flips) {
    text += fmt::format("| {} | {} | {} | {} to {} |\n", key.first, Cell(key.second), flip.lanes,
                        flip.first_min, flip.first_max);
  }
  return text;
}

// Whole seconds of CPU, or that nobody counted.
std::string Costs(const json& rollout) {
  const auto costs = rollout.find("costs");
  std::string text = "\n## What it cost\n\n| beside the speaker | CPU, s |\n| --- | --- |\n";
  for (const auto& [key, what] : {std::pair{"candidate_cpu_s", "candidate, on trial"},
                                  {"previous_cpu_s", "the way back, in the window"}}) {
    const json seconds = costs != rollout.end() ? costs->value(key, json()) : json();
    const std::string shown =
        seconds.is_number() ? fmt::format("{:.1f}", seconds.get<double>()) : "not counted";
    text += fmt::format("| {} | {} |\n", what, shown);
  }
  return text;
}

std::string LakeTables(const json& finding) {
  std::string text =
      "\n| table | status | same | changed | missing | extra | vehicles affected | worst |\n"
      "| --- | --- | --- | --- | --- | --- | --- | --- |\n";
  for (const json& one : finding.at("tables")) {
    std::string worst = ReportTextOf(one, "error");
    for (const json& column : one.at("worst")) {
      if (!worst.empty()) worst += ", ";
      worst += ReportTextOf(column, "column") + " (" + ReportTextOf(column, "changed") + ")";
    }
    text += fmt::format("| {} | {} | {} | {} | {} | {} | {} of {} | {} |\n", Cell(one, "name"),
                        Cell(one, "status"), Cell(one, "same"), Cell(one, "changed"),
                        Cell(one, "missing"), Cell(one, "extra"), Cell(one, "vehicles_affected"),
                        Cell(one, "vehicles"), Cell(std::move(worst)));
  }
  return text;
}

std::string Lake(const json& rollout) {
  std::string text = "\n## What the lake found\n\n";
  const auto lake = rollout.find("lake");
  bool is_any = false;
  for (const char* kind : {"features", "telemetry"}) {
    if (lake == rollout.end() || !lake->is_object()) break;
    const json& one = lake->value(kind, json());
    if (!one.is_object()) continue;
    text += fmt::format("{}{}: {}", is_any ? "\n" : "", kind, Cell(one, "verdict"));
    is_any = true;
    if (!ReportTextOf(one, "at").empty()) text += " at " + Cell(one, "at");
    if (!ReportTextOf(one, "reason").empty()) text += ", " + Cell(one, "reason");
    text += ".\n";
    if (!one.at("tables").empty()) text += LakeTables(one);
  }
  return is_any ? text : text + "Nothing was compared.\n";
}

// What the gate of kind evidence said last; nothing where there was none.
std::string Gate(const json& rollout) {
  const json gate = rollout.value("gate", json());
  if (!gate.is_object()) return "";
  std::string text =
      fmt::format("\n## What the gate said\n\n{} ({}) since {}: {}.\n", Cell(gate, "outcome"),
                  Cell(gate, "rule"), Cell(gate, "since"), Cell(gate, "words"));
  const json evidence = rollout.value("evidence", json());
  const json report = evidence.is_object() ? evidence.value("report", json()) : json();
  if (!report.is_object() || !report.contains("metrics")) return text;
  text +=
      "\n| metric | side | differ | of | at most | passes below | halts above |\n"
      "| --- | --- | --- | --- | --- | --- | --- |\n";
  for (const json& one : report["metrics"]) {
    text += fmt::format("| {} | {} | {} | {} | {} | {} | {} |\n", Cell(one, "metric"),
                        Cell(one, "side"), Cell(one, "k"), Cell(one, "n"), Cell(one, "bound"),
                        Cell(one, "margin"), Cell(one, "max"));
  }
  return text;
}

std::string Waits(const json& rollout) {
  std::string text;
  for (const json& one : rollout.at("waits_for")) {
    text += fmt::format("- {}: {}\n", Cell(one, "code"), Cell(one, "message"));
  }
  for (const json& one : rollout.at("partitions_pending")) {
    text +=
        fmt::format("- partition {} is pending: {}\n", Cell(one, "partition"), Cell(one, "reason"));
  }
  return text.empty() ? "" : "\n## It waits for\n\n" + text;
}

}  // namespace

std::string RolloutReport(const ReportParts& parts) {
  std::string text = Head(parts.rollout) + Changes(parts) + Stages(parts.rollout) + Flips(parts) +
                     Costs(parts.rollout) + Gate(parts.rollout) + Lake(parts.rollout) +
                     Waits(parts.rollout);
  if (const auto& evidence = parts.rollout.at("evidence"); !evidence.is_null()) {
    text += "\n## Evidence\n\n```json\n" +
            evidence.dump(2, ' ', false, json::error_handler_t::replace) + "\n```\n";
  }
  return text;
}

}  // namespace telltale::control
