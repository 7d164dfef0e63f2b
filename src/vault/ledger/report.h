// The answer to "which vehicles have a precise position outside the window?", at any moment since
// the ledger was begun. A pure function of what the vault knows. docs/vault-report.md.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "vault/ledger/intake_account.h"
#include "vault/ledger/reconcile.h"

namespace telltale::vault {

// A partition of stream `sealed`, as the log has it: what the gateways sealed.
struct SealedPartition {
  PartitionId partition;
  std::uint64_t first = 0;  // oldest offset still there
  std::uint64_t next = 0;
  std::optional<Micros> oldest_at;  // log time of `first`; none when empty
};

struct HoldFacts {
  std::uint64_t hold = 0;
  std::string basis;  // legal basis and case, as it was entered
  Micros review_at;
};

// An export or a transport key (of sealing): must be gone at `expires_at`.
struct Expiring {
  std::string name;
  Micros expires_at;
};

struct ReportInput {
  Micros now;
  Micros at;          // T <= now
  bool list = false;  // all ordinals, not only the first kOrdinalsListed
  Micros grace = kDestructionGrace;

  LedgerView ledger;
  IntakeAccount account;
  std::vector<SealedPartition> sealed;
  Micros sealed_retention;
  std::vector<HoldFacts> holds;
  std::vector<Expiring> exports;         // that are still there
  std::vector<Expiring> transport_keys;  // that are still there

  Listing listing;
  KeyInventory keys;
  Catalogue catalogue;
  std::uint64_t audit_entries = 0;
  std::string audit_hash;
  std::string audit_problem;  // empty: the chain holds
};

inline constexpr std::size_t kOrdinalsListed = 100;
inline constexpr std::size_t kHoursListed = 1000;

struct OverdueHour {
  HourKeyId id;
  Micros due_at;
  std::uint64_t vehicles = 0;  // without held and erased ones
};
// Reading (i) of one class: still stored past the window.
struct ClassAnswer {
  RetentionClass retention_class = RetentionClass::kPosition;
  std::uint64_t vehicles = 0;  // different ones
  std::uint64_t hours = 0;
  std::uint64_t frames = 0;             // at least; of all vehicles of these hours
  std::vector<OverdueHour> overdue;     // the first kHoursListed
  std::vector<std::uint32_t> ordinals;  // ascending
};
struct HeldAnswer {
  std::uint64_t hold = 0;
  Micros placed_at;
  std::string basis;
  std::optional<Micros> review_at;
  bool review_overdue = false;
  std::uint64_t vehicles = 0;
  std::uint64_t hours = 0;
  std::vector<std::uint32_t> ordinals;
};
// Reading (ii): accepted when already past it.
struct LateHour {
  HourKeyId id;
  std::uint64_t vehicles_at_most = 0;
  std::uint64_t frames = 0;
  Micros last_stored;
};
struct PartitionAnswer {
  PartitionId partition;
  std::uint64_t sealed = 0;   // the log's next offset
  std::uint64_t waiting = 0;  // sealed, not consumed yet
  PartitionAccount account;
};

struct Report {
  Verdict verdict = Verdict::kClean;
  Micros now;
  Micros at;
  Micros answers_from;
  bool exact = true;  // false: some of these hours were still being filled after T; at most so many
  std::vector<ClassAnswer> still_stored;   // classes that have some
  std::uint64_t hours_in_destruction = 0;  // past their window by less than the grace
  std::uint64_t erased_vehicles = 0;
  std::vector<HeldAnswer> held;
  std::vector<LateHour> accepted_late;  // the first kHoursListed
  std::uint64_t late_frames = 0;
  std::uint64_t expired_on_arrival = 0;  // dropped, never stored
  std::optional<Micros> stream_oldest_at;
  Micros stream_retention;
  std::vector<PartitionAnswer> partitions;
  Reconciliation reconciliation;
  std::uint64_t audit_entries = 0;
  std::string audit_hash;
  std::vector<Finding> findings;  // all, those of the reconciliation too

  std::string ToJson() const;  // one object, one line
  std::string ToText() const;  // for people
};

Report MakeReport(const ReportInput& input);

}  // namespace telltale::vault
