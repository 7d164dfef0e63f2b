// What a report or a reconciliation can find wrong: a closed list. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace telltale::vault {

// The names are in reports and audit entries: append, never rename.
enum class FindingKind {
  // Violations: something is kept, or was taken, that must not be.
  kHourPastWindow,
  kAcceptedPastWindow,
  kKeyPastExpiry,
  kKeyOfDroppedHour,
  kKeyOfLiftedHold,
  kSegmentOfDroppedHour,
  kStreamPastRetention,
  kExportPastExpiry,
  kTransportKeyPastExpiry,
  kKeyDestructionPending,
  // Incomplete: the answer cannot be relied on.
  kKeyMissing,
  kHourNotInLedger,
  kLedgerFramesShort,
  kSegmentNumberMissing,
  kSegmentNumberTwice,
  kSegmentUnlisted,
  kSegmentFileMissing,
  kSegmentFileShort,
  kDestroyedWithoutReceipt,
  kOffsetGap,
  kOffsetRepeated,
  kOffsetsUnbalanced,
  kVaultAheadOfLog,
  kPartitionNotConsumed,
  kHoldUnknown,
  kLedgerDamaged,
  kLedgerCannotAnswer,
  kLedgerHourUnreadable,
  kAuditChainBroken,
};
inline constexpr int kFindingKinds = static_cast<int>(FindingKind::kAuditChainBroken) + 1;

struct Finding {
  FindingKind kind;
  std::string
      place;  // "position hour 480000", "partition 3 offsets 17..18": no vehicle but ordinals
  friend bool operator==(const Finding&, const Finding&) = default;
};

std::string_view NameOf(FindingKind kind);    // "hour_past_window"
std::string_view AdviceOn(FindingKind kind);  // one sentence: what to do
bool IsViolation(FindingKind kind);

enum class Verdict { kClean, kViolation, kIncomplete };
std::string_view NameOf(Verdict verdict);
// A violation outweighs what is incomplete.
Verdict VerdictOf(const std::vector<Finding>& findings);
// Exit status of the command: 0 clean, 1 violation, 2 incomplete.
int ExitCodeOf(Verdict verdict);

}  // namespace telltale::vault
