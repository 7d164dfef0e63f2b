#include "app/doctor_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/check.h"

namespace telltale::app {
namespace {

using enum FindingKind;

constexpr std::array kTexts = {
    FindingText{kFileBroken, "file_broken", Severity::kBroken,
                "Stored bytes fail their check; what lies behind them was not judged.",
                "Look at the disk (smartctl, dmesg). Keep the file; its readers stop there."},
    FindingText{kReadFailed, "read_failed", Severity::kBroken,
                "The disk gave an error, or a file that must be there is not.",
                "Look at the disk (dmesg) and at who removed files by hand."},
    FindingText{kPositionBeyondEnd, "position_beyond_end", Severity::kBroken,
                "A consumer is ahead of the log: the log lost what was said to be durable.",
                "Restore the log, or the consumer skips what comes next. Look at the disk."},
    FindingText{kSnapshotBeyondEnd, "snapshot_beyond_end", Severity::kBroken,
                "A worker's state holds records that the log no longer has.",
                "Stop the worker, put its snapshot aside: it replays from the log."},
    FindingText{kHandoffBeyondEnd, "handoff_beyond_end", Severity::kBroken,
                "The lake took records that the log no longer has.",
                "Restore the log before anything is appended. Look at the disk."},
    FindingText{kJournalBeyondEnd, "journal_beyond_end", Severity::kBroken,
                "A result without its input: an alert names a record that the log lost.",
                "Look at the disk. The alert stands; its report must be sent again by the car."},
    FindingText{kLedgerBeyondEnd, "ledger_beyond_end", Severity::kBroken,
                "A config is noted at a place that the log no longer has.",
                "Look at the disk, then send the config again under a new number."},
    FindingText{kAlertBeyondEnd, "alert_beyond_end", Severity::kBroken,
                "The alert store is ahead of the log: the log lost what was said to be durable.",
                "Restore the log. The alerts stand; their reports must be sent again by the car."},
    FindingText{kDataFileMissing, "data_file_missing", Severity::kBroken,
                "A hand-off names a data file that is not there.",
                "Stop the committer. Find out who removed files below data/lake/warehouse."},
    FindingText{kTableDisagrees, "table_disagrees", Severity::kBroken,
                "A table of the lake has other rows or files than lie in its folder.",
                "Find out who removed or added files below data/lake/warehouse."},
    FindingText{kPositionBeforeStart, "position_before_start", Severity::kAttention,
                "Records were expired before this consumer had read them.",
                "They are lost to it. Raise the retention or find out why it lagged."},
    FindingText{kHandoffGap, "handoff_gap", Severity::kAttention,
                "A hand-off does not begin where the one before ended.",
                "Stop the committer; compare both files with docs/formats/handoff.md."},
    FindingText{kOrphanSafety, "orphan_safety", Severity::kAttention,
                "The safety path saw reports that history has not, and their car went on.",
                "QoS 0 and a crash do this. With QoS 1 look for a disk that lied."},
    FindingText{kOrphanTelemetry, "orphan_telemetry", Severity::kAttention,
                "Reports had an exact place, but nothing sealed came with them; their car went on.",
                "QoS 0 and a crash do this. With QoS 1 look for a disk that lied."},
    FindingText{kOrphanSealed, "orphan_sealed", Severity::kAttention,
                "Something sealed belongs to reports that history has not; their car went on.",
                "QoS 0 and a crash do this. With QoS 1 look for a disk that lied."},
    FindingText{kOrphanAlert, "orphan_alert", Severity::kAttention,
                "Alerts without their changes, or changes without their alert.",
                "Someone wrote into the alert store. Restore it, or look at who has access."},
    FindingText{kUnknownVehicle, "unknown_vehicle", Severity::kAttention,
                "Reports or alerts of a vehicle that the registry does not know.",
                "Unless it was erased on purpose: the registry is older than the log. Restore it."},
    FindingText{kLakeRowsMissing, "lake_rows_missing", Severity::kAttention,
                "The lake has fewer rows than the log has reports that were handed to it.",
                "Compare the tables with the log (telltale log dump) before retention takes it."},
    FindingText{kSeqConflict, "seq_conflict", Severity::kAttention,
                "The same identity came with another content; the first is kept.",
                "Two units with one boot, or a counter that went back: look at the car."},
    FindingText{kConfigDisagrees, "config_disagrees", Severity::kAttention,
                "The streams of one partition have different configs in force.",
                "Start the gateway: it finishes what a crash cut short. Then look again."},
    FindingText{kNotAllowed, "not_allowed", Severity::kUnseen,
                "This user may not read it; what depends on it was not judged.",
                "Run `telltale doctor` as root to have all looked at."},
    FindingText{kNewerFormat, "newer_format", Severity::kUnseen,
                "Written by a newer Telltale than this one.",
                "Run the doctor of the version that serves."},
    FindingText{kTooBig, "too_big", Severity::kUnseen,
                "Too big for the doctor to copy into memory; it was not checked.",
                "Check a backup of it with sqlite3: PRAGMA integrity_check."},
    FindingText{kResendPending, "resend_pending", Severity::kNote,
                "A crash cut a batch before it was acknowledged; its car was not heard since.",
                "Nothing: the car sends it again."},
    FindingText{kRepeat, "repeat", Severity::kNote,
                "Reports came again with the same content; readers drop them.",
                "Nothing: normal after a reconnect or a crash."},
    FindingText{kMissing, "missing", Severity::kNote,
                "Numbers that no report had: not sent yet, lost in the car, or refused.",
                "Nothing, unless one vehicle has many: look at its buffer."},
    FindingText{kLakeRowsMore, "lake_rows_more", Severity::kNote,
                "The lake has more rows than the log has reports that were handed to it.",
                "Nothing: a report sent again long after its boot was forgotten is a new row."},
    FindingText{kOrphanDataFile, "orphan_data_file", Severity::kNote,
                "A data file that no hand-off names: left by a crash, or being written right now.",
                "Nothing: the lake removes what is left when it starts."},
    FindingText{kOrphanVault, "orphan_vault", Severity::kNote,
                "A part of the vault without its counterpart: left by a crash or by a destruction.",
                "Nothing: the vault removes it when it starts, a key at the latest at its hour."},
    FindingText{kTornTail, "torn_tail", Severity::kNote,
                "The end of the file was cut by a crash, or is being written right now.",
                "Nothing: the owner cuts it off at its next start."},
    FindingText{kStrayTemporary, "stray_temporary", Severity::kNote,
                "A temporary file: left by a crash, or being written right now.",
                "Remove it while nothing is served, if it is still there then."},
    FindingText{kUnknownFile, "unknown_file", Severity::kNote,
                "No part of Telltale makes a file of this name here.",
                "Find out who put it there; Telltale ignores it."},
    FindingText{kMovedOn, "moved_on", Severity::kNote,
                "It changed all the time while it was read (retention, a busy writer); not judged.",
                "Look again."},
};

nlohmann::json ToJson(const Finding& finding) {
  nlohmann::json one;
  one["where"] = finding.where;
  if (!finding.detail.empty()) one["detail"] = finding.detail;
  if (const auto& seqs = finding.seqs) {
    one["vehicle"] = seqs->vehicle.ToHex();
    one["boot"] = fmt::format("{}/{:016x}", seqs->boot.counter, seqs->boot.random);
    one["first_seq"] = seqs->first;
    one["last_seq"] = seqs->last;
    one["count"] = seqs->count;
  }
  return one;
}

std::string ToLine(const Finding& finding) {
  std::string line = "    " + finding.where;
  if (const auto& seqs = finding.seqs) {
    line +=
        fmt::format(": vehicle {} boot {}/{:016x}, {} in seq {} to {}", seqs->vehicle.ToHex(),
                    seqs->boot.counter, seqs->boot.random, seqs->count, seqs->first, seqs->last);
  }
  if (!finding.detail.empty()) line += ": " + finding.detail;
  return line + "\n";
}

std::string_view ColorOfFinding(Severity severity) {
  switch (severity) {
    case Severity::kBroken:
      return "\x1b[31m";
    case Severity::kAttention:
      return "\x1b[33m";
    case Severity::kUnseen:
      return "\x1b[35m";
    case Severity::kNote:
      break;
  }
  return "\x1b[2m";
}

constexpr std::size_t kLinesOfKindMax = 5;  // in the text; --json has more

}  // namespace

const FindingText& TextOf(FindingKind kind) {
  const auto* found = std::find_if(kTexts.begin(), kTexts.end(),
                                   [kind](const FindingText& text) { return text.kind == kind; });
  CHECK(found != kTexts.end());
  return *found;
}

std::string_view SeverityName(Severity severity) {
  constexpr std::array<std::string_view, 4> kNames = {"broken", "attention", "unseen", "note"};
  return kNames[static_cast<std::size_t>(severity)];
}

void DoctorReport::Add(FindingKind kind, Finding finding) {
  Group& group = groups_[kind];
  group.total += finding.seqs ? finding.seqs->count : 1;
  if (group.examples.size() < kFindingExamplesMax) group.examples.push_back(std::move(finding));
}

std::uint64_t DoctorReport::total(FindingKind kind) const {
  const auto found = groups_.find(kind);
  return found == groups_.end() ? 0 : found->second.total;
}

const std::vector<Finding>& DoctorReport::examples(FindingKind kind) const {
  static const std::vector<Finding> kNone;
  const auto found = groups_.find(kind);
  return found == groups_.end() ? kNone : found->second.examples;
}

std::vector<FindingKind> DoctorReport::kinds() const {
  std::vector<FindingKind> kinds;
  for (const auto& [kind, group] : groups_) kinds.push_back(kind);
  std::stable_sort(kinds.begin(), kinds.end(), [](FindingKind a, FindingKind b) {
    return TextOf(a).severity < TextOf(b).severity;
  });
  return kinds;
}

int DoctorReport::exit_code() const {
  int code = 0;
  for (const auto& [kind, group] : groups_) {
    const Severity severity = TextOf(kind).severity;
    if (severity == Severity::kBroken || severity == Severity::kAttention) return 1;
    if (severity == Severity::kUnseen) code = 2;
  }
  return code;
}

nlohmann::json DoctorReport::ToJson() const {
  nlohmann::json report;
  report["exit_code"] = exit_code();
  report["looked_at"] = looked_at_;
  report["findings"] = nlohmann::json::array();
  for (const FindingKind kind : kinds()) {
    const FindingText& text = TextOf(kind);
    nlohmann::json one{{"kind", text.name},
                       {"severity", SeverityName(text.severity)},
                       {"means", text.means},
                       {"remedy", text.remedy},
                       {"total", total(kind)}};
    one["examples"] = nlohmann::json::array();
    for (const Finding& finding : examples(kind)) {
      one["examples"].push_back(app::ToJson(finding));
    }
    report["findings"].push_back(std::move(one));
  }
  return report;
}

std::string DoctorReport::ToText(bool color) const {
  std::string text = "looked at";
  for (const auto& [what, count] : looked_at_) text += fmt::format("  {} {}", count, what);
  text += "\n";
  for (const FindingKind kind : kinds()) {
    const FindingText& of = TextOf(kind);
    text += fmt::format("\n{}{:<9}{} {} ({})\n  {}\n  {}\n",
                        color ? ColorOfFinding(of.severity) : "", SeverityName(of.severity),
                        color ? "\x1b[0m" : "", of.name, total(kind), of.means, of.remedy);
    const auto& found = examples(kind);
    const std::size_t shown = std::min(found.size(), kLinesOfKindMax);
    for (std::size_t i = 0; i < shown; ++i) text += ToLine(found[i]);
    if (shown < found.size()) text += "    and more: --json\n";
  }
  constexpr std::array kVerdicts = {"healthy", "needs someone",
                                    "no fault found, but not all could be looked at"};
  return text + fmt::format("\n{}\n", kVerdicts[static_cast<std::size_t>(exit_code())]);
}

}  // namespace telltale::app
