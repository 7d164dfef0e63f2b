// ledger/ - which vehicles the vault has, hour by hour, without a coordinate; what became of each
// record of the stream `sealed`; and the report that answers a regulator from both.
//   in      ordinals and hours from the store, offsets from intake, inventories from the owner loop
//   out     findings and a report; fields of audit entries
//   owns    <vault>/ledger; no other module opens these files
//   thread  one owner thread writes, any thread reads views
//   not here: which vehicle an ordinal is (keys/), storing and destroying (the store)
//
// This header: what the ledger knows, as values.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "vault/hour.h"
#include "vault/ledger/ordinal_set.h"

namespace telltale::vault {

// No window: lives until it is marked dropped (holds).
inline constexpr std::uint32_t kNoWindow = 0xffffffff;  // hours

// From the first frame stored under a key of the hour until that key was destroyed. An hour has a
// second life only when frames came after its destruction, under a window lengthened since.
struct Life {
  std::uint32_t window_hours = kNoWindow;  // in force at first_stored
  Micros first_stored;
  Micros last_stored;
  std::uint64_t frames = 0;       // at least those stored: a crash may count some twice
  std::uint64_t late_frames = 0;  // of these, stored at or after expiry
  bool dropped = false;
  Micros dropped_at;
  std::uint64_t audit_entry = 0;  // the receipt's number; 0 = none yet
  friend bool operator==(const Life&, const Life&) = default;
};

struct HourState {
  HourKeyId id;
  std::uint64_t vehicles = 0;  // of all lives
  std::vector<Life> lives;     // never empty; only the last may be live
  bool live() const { return !lives.back().dropped; }
  friend bool operator==(const HourState&, const HourState&) = default;
};

struct WindowChange {
  RetentionClass retention_class = RetentionClass::kPosition;
  Micros at;
  std::uint32_t hours = kNoWindow;
  friend bool operator==(const WindowChange&, const WindowChange&) = default;
};

struct HeldHour {
  Micros since;
  std::shared_ptr<const OrdinalSet> vehicles;
};

struct HoldState {
  Micros placed_at;
  bool lifted = false;
  Micros lifted_at;
  std::map<HourKeyId, HeldHour> hours;
};

struct Erasure {
  Micros at;
  std::uint32_t ordinal = 0;
};

// When the life's frames had to be gone: the earliest moment at which a window in force since its
// first frame had passed. Windows only ever shorten a life that has begun. `changes` in the order
// of time; only those up to `until` count. kNever without a window.
inline constexpr Micros kNever{INT64_MAX};
Micros DueAt(const HourKeyId& id, const Life& life, const std::vector<WindowChange>& changes,
             Micros until);

// The ledger at one moment; does not change. Any thread; the ledger must outlive it.
struct LedgerView {
  Micros answers_from;           // earlier moments cannot be answered
  std::vector<HourState> hours;  // by id
  std::vector<WindowChange> windows;
  std::map<std::uint64_t, HoldState> holds;  // by number
  std::vector<Erasure> erasures;             // in the order they came
  std::vector<std::string> damaged;          // names of files put aside

  // Vehicles of an hour, as of now.
  //   kNotFound    not in the ledger (any more)
  //   kCorrupt     the file fails its check
  //   kUnavailable disk
  std::function<Result<OrdinalSet>(const HourKeyId&)> vehicles;

  OrdinalSet ErasedBy(Micros at) const;
  const HourState* Find(const HourKeyId& id) const;  // nullptr: none
};

}  // namespace telltale::vault
