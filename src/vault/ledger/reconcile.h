// Whether files, keys, catalogue and ledger tell one story. The owner loop asks hourly, and each
// report does: take the inventories on the owner thread, after a commit. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "vault/keys/key_tree.h"
#include "vault/ledger/findings.h"
#include "vault/ledger/presence.h"

namespace telltale::vault {

// Destruction begins at the start of the expiry hour and takes a moment: what is younger is not
// called late.
inline constexpr Micros kDestructionGrace = Micros::Seconds(300);

struct ListedFile {
  std::string name;
  std::uint64_t bytes = 0;
};
// Every file below the segments' folder, by any order.
struct Listing {
  std::vector<ListedFile> files;
};

struct KeyInventory {
  std::vector<HourKeyInfo> hours;    // KeyTree::Hours()
  bool destruction_pending = false;  // KeyTree::destruction_pending()
};

struct SegmentFact {
  std::uint64_t number = 0;
  HourKeyId id;
  std::string name;         // as listed
  std::uint64_t bytes = 0;  // committed; the file may be longer
  std::uint64_t frames = 0;
};
enum class Gone { kDestroyed, kReplaced };  // replaced: rewritten by erasure, hold or compaction
struct GoneSegments {
  std::uint64_t from = 0;  // numbers [from, to)
  std::uint64_t to = 0;
  Gone why = Gone::kDestroyed;
  std::uint64_t audit_entry = 0;  // receipt; 0 = none. Replaced ones need none
};
struct Catalogue {
  std::uint64_t next_segment = 0;
  std::vector<SegmentFact> live;
  std::vector<GoneSegments> gone;
};

struct Reconciliation {
  Micros at;
  std::vector<Finding> findings;
  std::uint64_t files = 0;
  std::uint64_t keys = 0;
  std::uint64_t hours_live = 0;
  std::uint64_t segments_live = 0;
  std::uint64_t segments_destroyed = 0;
  std::uint64_t segments_replaced = 0;
  std::uint64_t next_segment = 0;
};

Reconciliation Reconcile(const Listing& listing, const KeyInventory& keys,
                         const Catalogue& catalogue, const LedgerView& ledger, Micros now,
                         Micros grace = kDestructionGrace);

// For an audit entry "reconciled": values are JSON text. At most kFindingsAudited places.
inline constexpr std::size_t kFindingsAudited = 20;
std::vector<std::pair<std::string, std::string>> AuditFieldsOf(const Reconciliation& result);

// "position hour 480000"; holds: "hold 7".
std::string PlaceOf(const HourKeyId& id);

}  // namespace telltale::vault
