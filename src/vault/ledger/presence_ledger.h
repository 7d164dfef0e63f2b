// The presence ledger on disk: which vehicles have frames in which hour, and when hours were
// dropped, held or erased. Files: docs/formats/vault-ledger.md.
//
// A presence is durable before the store's own commit: what the store has, the ledger has. After a
// crash between the two it may name a vehicle, and count frames, that the store then reads again or
// refuses; it never lacks one.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/disk.h"
#include "base/mutex.h"
#include "vault/ledger/ledger_journal.h"
#include "vault/ledger/ledger_records.h"
#include "vault/ledger/presence.h"

namespace telltale::vault {

inline constexpr std::uint32_t kLedgerDays = 400;
// Over it the journal is folded into hour files.
inline constexpr std::uint64_t kJournalBytesMax = 16u << 20;
// Hours whose vehicles are in memory (up to 1.3 MB each with 10 M vehicles); over it: fold.
inline constexpr std::size_t kHotHoursMax = 64;

struct PresenceLedgerOptions {
  std::string folder;                // <vault>/ledger
  std::uint32_t days = kLedgerDays;  // dropped hours and lifted holds are remembered so long
  std::uint64_t journal_bytes_max = kJournalBytesMax;
  std::size_t hot_hours_max = kHotHoursMax;
};

// View(): any thread. The others: owner thread.
class PresenceLedger {
 public:
  // Reads the index and what was appended since, cuts a torn tail, removes leftovers. Damaged files
  // are put aside as <name>.damaged and the ledger goes on, for keys must die in time; every report
  // names them until somebody takes them away.
  //   kUnavailable, kOverloaded  disk
  //   kUnsupported               newer
  static Result<std::unique_ptr<PresenceLedger>> Open(Disk& disk, Micros now,
                                                      PresenceLedgerOptions options);

  // The window of a class from `now` on, in hours. Durable on return; the same again is free.
  // Not between Note() and Commit().
  Status SetWindow(RetentionClass retention_class, std::uint32_t hours, Micros now);

  // `frames` of the vehicle are being stored under the hour's key. Cheap unless the hour is not in
  // memory. A class without SetWindow() has kNoWindow.
  //   kUnavailable  the hour's file cannot be read; nothing noted
  Status Note(const HourKeyId& id, Ordinal ordinal, std::uint64_t frames, Micros now);
  // Makes what was noted durable. Before the store's commit. After an error it is still noted.
  Status Commit();
  void Rollback();

  // Each is durable on return and safe to repeat. Hours the ledger does not know are passed over;
  // a repeated drop may bring the receipt's number.
  Status MarkDropped(std::span<const HourKeyId> hours, Micros at, std::uint64_t audit_entry);
  // `id` is the hour the held frames were stored under at first, not the hold's own key.
  Status MarkHeld(std::uint64_t hold, const HourKeyId& id, const OrdinalSet& vehicles, Micros at);
  Status MarkHoldLifted(std::uint64_t hold, Micros at);
  Status MarkErased(std::span<const Ordinal> ordinals, Micros at);

  // Writes hour files and the index, empties the journal, forgets what is older than `days`. Call
  // it hourly; Commit() does when the journal is full. Safe to repeat.
  Status Fold(Micros now);

  LedgerView View() const;

  std::uint64_t journal_bytes() const;
  std::size_t hot_hours() const;

 private:
  struct Entry {
    HourState state;
    std::optional<OrdinalSet> vehicles;  // when in memory
    bool dirty = false;                  // not in its file as it is
    std::uint64_t touched = 0;           // journal of the newest presence
  };
  struct Pending {
    PresenceRecord record;  // without ordinals
    OrdinalSet fresh;
    const OrdinalSet* known = nullptr;  // the entry's, nullptr for a new hour
    Micros due;
  };

  PresenceLedger(Disk& disk, PresenceLedgerOptions options)
      : disk_(disk), options_(std::move(options)) {}

  std::string HourPath(const HourKeyId& id) const;
  std::string JournalPath(std::uint64_t number) const;

  Status ReadIndex(Micros now) REQUIRES(mutex_);
  Status ReadJournals() REQUIRES(mutex_);
  Status ReadJournal(std::uint64_t number, bool last) REQUIRES(mutex_);
  Status ReadDamaged() REQUIRES(mutex_);
  Status RemoveLeftovers() REQUIRES(mutex_);
  Status PutAside(const std::string& path, std::string_view content) REQUIRES(mutex_);

  Result<Pending*> StartPending(const HourKeyId& id, Micros now) REQUIRES(mutex_);
  Status Append(std::span<LedgerRecord> records) REQUIRES(mutex_);
  // What a record means; the same live and when read back.
  Status Apply(const LedgerRecord& record) REQUIRES(mutex_);
  Status ApplyOne(const PresenceRecord& record) REQUIRES(mutex_);
  Status ApplyOne(const DroppedRecord& record) REQUIRES(mutex_);
  Status ApplyOne(const HeldRecord& record) REQUIRES(mutex_);
  Status ApplyOne(const LiftedRecord& record) REQUIRES(mutex_);
  Status ApplyOne(const ErasedRecord& record) REQUIRES(mutex_);
  Status ApplyOne(const WindowChange& record) REQUIRES(mutex_);
  Status Load(Entry& entry) REQUIRES(mutex_);
  std::uint32_t WindowOf(RetentionClass retention_class) const REQUIRES(mutex_);

  Status FoldLocked(Micros now) REQUIRES(mutex_);
  void Prune(Micros now) REQUIRES(mutex_);
  void Evict() REQUIRES(mutex_);
  LedgerIndex IndexNow() const REQUIRES(mutex_);
  Result<OrdinalSet> VehiclesOf(const HourKeyId& id) const;

  Disk& disk_;
  const PresenceLedgerOptions options_;
  mutable Mutex mutex_;
  std::map<HourKeyId, Entry> entries_ GUARDED_BY(mutex_);
  std::map<HourKeyId, Pending> pending_ GUARDED_BY(mutex_);
  Pending* last_pending_ GUARDED_BY(mutex_) = nullptr;
  Micros last_now_ GUARDED_BY(mutex_);
  std::uint64_t fold_at_bytes_ GUARDED_BY(mutex_) = 0;

  std::unique_ptr<LedgerJournal> journal_ GUARDED_BY(mutex_);
  Micros begun_at_ GUARDED_BY(mutex_);
  Micros pruned_before_ GUARDED_BY(mutex_);
  std::uint64_t folded_through_ GUARDED_BY(mutex_) = 0;
  bool index_read_ GUARDED_BY(mutex_) = false;
  std::vector<WindowChange> windows_ GUARDED_BY(mutex_);
  std::map<std::uint64_t, HoldState> holds_ GUARDED_BY(mutex_);
  std::vector<Erasure> erasures_ GUARDED_BY(mutex_);
  OrdinalSet erased_ GUARDED_BY(mutex_);
  std::vector<std::string> damaged_ GUARDED_BY(mutex_);
  std::size_t hot_ GUARDED_BY(mutex_) = 0;
};

}  // namespace telltale::vault
