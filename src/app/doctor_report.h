// What `telltale doctor` says: a closed list of findings, counted and sorted by what they ask for.
// Docs: docs/doctor.md. Nothing here names a VIN or a place; vehicles are references in hex.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"

namespace telltale::app {

enum class FindingKind {
  // Stored bytes, or places in them, that cannot be.
  kFileBroken,
  kReadFailed,
  kPositionBeyondEnd,
  kSnapshotBeyondEnd,
  kHandoffBeyondEnd,
  kJournalBeyondEnd,
  kAlertBeyondEnd,
  kLedgerBeyondEnd,
  kDataFileMissing,
  kTableDisagrees,
  // Needs someone, but all bytes are whole.
  kPositionBeforeStart,
  kHandoffGap,
  kOrphanSafety,
  kOrphanTelemetry,
  kOrphanSealed,
  kOrphanAlert,
  kUnknownVehicle,
  kLakeRowsMissing,
  kSeqConflict,
  kConfigDisagrees,
  // Could not be looked at.
  kNotAllowed,
  kNewerFormat,
  kTooBig,
  // Good to know.
  kResendPending,
  kRepeat,
  kMissing,
  kLakeRowsMore,
  kOrphanDataFile,
  kOrphanVault,
  kTornTail,
  kStrayTemporary,
  kUnknownFile,
  kMovedOn,
};

enum class Severity { kBroken, kAttention, kUnseen, kNote };  // in the order they are shown

struct FindingText {
  FindingKind kind;
  std::string_view name;  // as in --json
  Severity severity;
  std::string_view means;
  std::string_view remedy;
};
const FindingText& TextOf(FindingKind kind);
std::string_view SeverityName(Severity severity);

// Sequence numbers of one boot; `first` and `last` bound them.
struct SeqRange {
  VehicleRef vehicle;
  BootId boot;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::uint64_t count = 0;
};

struct Finding {
  std::string where;   // a path, or stream, partition, offset
  std::string detail;  // may be empty
  std::optional<SeqRange> seqs;
};

inline constexpr std::size_t kFindingExamplesMax = 50;  // of each kind; all are counted

// One thread.
class DoctorReport {
 public:
  void Add(FindingKind kind, Finding finding);
  void Count(const std::string& what, std::uint64_t by) { looked_at_[what] += by; }

  std::uint64_t total(FindingKind kind) const;
  const std::vector<Finding>& examples(FindingKind kind) const;
  std::vector<FindingKind> kinds() const;  // that were found, gravest first
  const std::map<std::string, std::uint64_t>& looked_at() const { return looked_at_; }

  // 0 healthy, 1 something needs someone, 2 nothing does but not all could be looked at.
  int exit_code() const;
  nlohmann::json ToJson() const;
  std::string ToText(bool color) const;

 private:
  struct Group {
    std::uint64_t total = 0;  // sequence numbers where there are, else findings
    std::vector<Finding> examples;
  };
  std::map<FindingKind, Group> groups_;
  std::map<std::string, std::uint64_t> looked_at_;
};

}  // namespace telltale::app
