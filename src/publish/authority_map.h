// Who speaks for which vehicles of one partition: lanes of lots, and what a config makes of them
// (docs/decisions/0009-authority-by-lot.md). Values and pure functions; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/cohort.h"
#include "base/ids.h"
#include "contract/rollout_wire.h"
#include "journal/journal.h"

namespace telltale::publish {

// Lots [lot_from, lot_to) of one partition.
struct Lane {
  std::uint32_t lot_from = 0;
  std::uint32_t lot_to = kLots;
  std::string release = {};   // 64 hex digits
  AuthorityEpoch epoch = {};  // with which it got them
  Offset first = {};          // F: nothing of lower input offsets is published under it
  Offset next = {};           // outputs of all lower input offsets are published
  friend bool operator==(const Lane&, const Lane&) = default;
};

// Of one partition. The lanes lie side by side from lot 0 to the last, without holes.
struct Lanes {
  AuthorityEpoch epoch = {};  // the newest that was given
  Cohort order = {};          // gives a vehicle its lot; the share is 0
  std::vector<Lane> lanes = {};

  // One release at one place speaks for everybody: another order may begin.
  bool IsWhole() const { return lanes.size() == 1; }
  const Lane& LaneOf(const VehicleRef& vehicle) const;
  // The lowest place of the release's lanes; nullopt: it has none.
  std::optional<Offset> NextOf(std::string_view release) const;
  Offset LowestNext() const;
  friend bool operator==(const Lanes&, const Lanes&) = default;
};

// Epoch 1, one lane, from the beginning.
Lanes FirstLanes(const std::string& release);

// The journal of `release` is published below `mark`: its lanes are there now, none goes back.
void Advance(Lanes& lanes, std::string_view release, Offset mark);

// Gives the lots to `release` under the next epoch, each lane from its own place on. Lanes that it
// has already are left as they are; when it has all of them nothing changes, nor does the epoch.
struct Flip {
  std::uint32_t lot_from = 0;
  std::uint32_t lot_to = kLots;
  std::string release = {};
  friend bool operator==(const Flip&, const Flip&) = default;
};
void ApplyFlip(Lanes& lanes, const Flip& flip);

// Neighbours with one release at one place become one lane. It has the newer epoch, under which
// alone is published from this place on; the ledger keeps who had what below it.
void Merge(Lanes& lanes);

using contract::Rollout;

// What a config record asks of every partition; the order's share is 0.
struct Wanted {
  ConfigSeq seq = {};
  std::uint64_t leader_epoch = 0;
  std::uint64_t audit_entry = 0;
  std::string stable = {};
  std::string previous = {};  // "" = none
  std::optional<Rollout> rollout = std::nullopt;
};

using journal::Mark;

// What is known of the rollout's candidate in one partition.
struct Candidate {
  std::optional<Mark> mark = std::nullopt;  // the newest
  // Outputs from here on come out of state that is warm: lanes below it wait.
  std::optional<Offset> warm_from = std::nullopt;
  bool is_stopped = false;  // its journal cannot be read on
};
// Looks at the newest mark, in the order in which they come.
void NoteMark(Candidate& candidate, const Mark& mark, const Rollout& rollout);

inline constexpr std::string_view kWarming = "warming";
inline constexpr std::string_view kNoJournal = "no_journal";
inline constexpr std::string_view kLanesApart = "lanes_apart";  // a new order needs whole lanes
inline constexpr std::string_view kJournalStopped = "journal_stopped";

struct Decision {
  std::vector<Flip> flips = {};   // now
  bool takes_order = false;       // the rollout's order is in force before they are applied
  std::string_view pending = {};  // why it will not be as the config says; "" = it will
};
// Towards the candidate only where it is warm; all else at once.
Decision Decide(const Lanes& lanes, const Wanted& wanted, const Candidate& candidate);
Lanes Apply(Lanes lanes, const Decision& decision, const Wanted& wanted);

}  // namespace telltale::publish
