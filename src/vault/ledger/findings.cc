#include "vault/ledger/findings.h"

#include <algorithm>
#include <array>

namespace telltale::vault {
namespace {

struct Words {
  std::string_view name;
  std::string_view advice;
};

// In the order of the enum.
constexpr std::array<Words, kFindingKinds> kWords = {{
    {"hour_past_window", "see in the vault's log why destruction does not run"},
    {"accepted_past_window",
     "compare the vault's clock with the time of storing; the frames go with their hour"},
    {"key_past_expiry", "see why destruction does not run: keys, provider and disk in the log"},
    {"key_of_dropped_hour",
     "the receipt says destroyed and the key is there: stop restoring old key files, then let the "
     "vault destroy it again"},
    {"key_of_lifted_hold", "let the vault destroy the hold's key; see the log for the provider"},
    {"segment_of_dropped_hour", "the key is gone, the file is not: see the disk, then restart"},
    {"stream_past_retention", "see the retention of stream sealed and what holds it back"},
    {"export_past_expiry", "remove the export; see why the vault did not"},
    {"transport_key_past_expiry", "destroy the old sealing key; see docs/vault.md"},
    {"key_destruction_pending",
     "a key is gone from memory and not yet from the disk, its replica or the provider: see in the "
     "log which of them refuses"},
    {"key_missing",
     "frames of the hour cannot be read: restore the key tree from its replica; if the hour was "
     "destroyed, look for its receipt"},
    {"hour_not_in_ledger",
     "the vault has frames that the ledger does not know: keep both, report it"},
    {"ledger_frames_short", "the ledger knows fewer frames than are stored: keep both, report it"},
    {"segment_number_missing",
     "a segment is neither live nor gone: compare the catalogue's backup"},
    {"segment_number_twice", "the catalogue contradicts itself: compare its backup"},
    {"segment_unlisted", "a file that no catalogue knows: find out who put it there"},
    {"segment_file_missing", "frames are lost: restore the file; look for who removed it"},
    {"segment_file_short", "frames are lost: restore the file; see the disk"},
    {"destroyed_without_receipt",
     "the audit log lacks the receipt: the vault writes it when the "
     "log can be appended to"},
    {"offset_gap", "the vault never saw these records: see the stream's retention at that time"},
    {"offset_repeated", "records came twice: see the vault's log around its last restart"},
    {"offsets_unbalanced", "the account contradicts itself: restore vault.db from its backup"},
    {"vault_ahead_of_log", "the log is older than the vault: one of them was restored alone"},
    {"partition_not_consumed", "the vault does not read this partition: see its shards"},
    {"hold_unknown", "the ledger and the list of holds differ: compare vault.db's backup"},
    {"ledger_damaged", "restore the file from a backup, or file the damage and move the copy away"},
    {"ledger_cannot_answer", "ask for a moment at which the ledger was there"},
    {"ledger_hour_unreadable", "see the disk; the number of vehicles is that of the index"},
    {"audit_chain_broken", "compare the log with a copy of its head; queries stay refused"},
}};

}  // namespace

std::string_view NameOf(FindingKind kind) { return kWords[static_cast<std::size_t>(kind)].name; }
std::string_view AdviceOn(FindingKind kind) {
  return kWords[static_cast<std::size_t>(kind)].advice;
}

bool IsViolation(FindingKind kind) { return kind < FindingKind::kKeyMissing; }

std::string_view NameOf(Verdict verdict) {
  constexpr std::array<std::string_view, 3> kNames = {"clean", "violation", "incomplete"};
  return kNames[static_cast<std::size_t>(verdict)];
}

Verdict VerdictOf(const std::vector<Finding>& findings) {
  if (findings.empty()) return Verdict::kClean;
  const bool violation = std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
    return IsViolation(finding.kind);
  });
  return violation ? Verdict::kViolation : Verdict::kIncomplete;
}

int ExitCodeOf(Verdict verdict) { return static_cast<int>(verdict); }

}  // namespace telltale::vault
