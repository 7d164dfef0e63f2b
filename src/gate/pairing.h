// Pairs what stable and candidate concluded of the same input. It looks below both releases' marks
// alone, in input order and at log time, so the same journals give the same counts however they
// were read. A value with a bound on its memory; one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/erasure_list.h"
#include "contract/rollout_wire.h"
#include "gate/evidence.h"
#include "journal/journal.h"

namespace telltale::gate {

enum class Side : std::uint8_t { kStable, kCandidate };

// Named bounds. Over one of them nothing is forgotten in silence: overflow() says so, and the
// comparison holds.
inline constexpr std::size_t kPendingMax = 200'000;  // openings that wait for their like
inline constexpr std::size_t kVotesMax = 4'000'000;  // vehicles by rule
inline constexpr std::size_t kRulesMax = 1'024;      // names; a release has at most 32
inline constexpr std::size_t kQueuedMax = 100'000;   // outputs of a shard that wait for the other
inline constexpr std::size_t kUnjudgedMax = 1'000;   // of a partition, between two marks; one tells
inline constexpr Micros kToleranceMore = Micros::Seconds(1);

struct PairingOptions {
  contract::Rollout rollout = {};
  // Of each rule the longer hold of the two releases; of one that is not named, 0.
  std::map<std::string, Micros> holds = {};
  Micros lateness = Micros::Seconds(300);  // log time that an opening waits for its like
  Micros not_before = Micros{INT64_MIN};   // log time; what was before is of another gate
  const ErasureList* erased = nullptr;     // must outlive it; of who is in it nothing is taken
};

// What a vehicle has said of a rule; bits.
// Whether stable's is missing is decided by the vehicle's first opening alone: a vehicle with a
// hundred of them would else miss one in the end, however seldom a twin does.
inline constexpr std::uint8_t kStableSpoke = 1;     // its first is decided
inline constexpr std::uint8_t kMissed = 2;          // that one has no like
inline constexpr std::uint8_t kCandidateSpoke = 4;  // decided, too
inline constexpr std::uint8_t kInvented = 8;
inline constexpr std::uint8_t kBothSpoke = 16;
inline constexpr std::uint8_t kToldOtherwise = 32;  // the first, with another payload
inline constexpr std::uint8_t kStableBegan = 64;    // its first was seen, and may be waiting

struct RuleVotes {
  std::unordered_map<VehicleRef, std::uint8_t, VehicleRefHash> vehicles = {};
  std::vector<PairedExample> examples = {};  // a few of each side
};

class Pairing {
 public:
  explicit Pairing(PairingOptions options) : options_(std::move(options)) {}

  // The stage grew: whoever has the new lots is compared as soon as the candidate is warm there.
  void SetRollout(const contract::Rollout& rollout) { options_.rollout = rollout; }

  // What a journal says of a partition from where it was heard last; then Settle().
  void Take(PartitionId partition, Side side, journal::Part&& part);
  // Decides all that lies below both marks.
  void Settle(PartitionId partition);

  // All input offsets below it are decided, or wait in here.
  Offset DoneTo(PartitionId partition) const;
  // Log time there; nullopt: nothing was heard of both.
  std::optional<Micros> LogTime(PartitionId partition) const;
  Micros NewestLogTime() const;  // of all; INT64_MIN: nothing was heard
  // Log time from which the vehicle's lot is warm in its partition; nullopt: it is not, or is not
  // in the shadow.
  std::optional<Micros> WarmSince(PartitionId partition, const VehicleRef& vehicle) const;
  // Outputs that wait for the other release's mark.
  std::size_t queued(PartitionId partition, Side side) const;

  void Forget(const ErasureList& erased);  // whoever is in it leaves counts and examples

  const std::map<std::string, RuleVotes>& rules() const { return rules_; }
  // Outputs of the candidate, since the rollout began, for vehicles that no config gave it: by the
  // lots of its marks on both sides of them, and of the config in force. Known at the mark above.
  std::int64_t outside_cohort() const { return outside_cohort_; }
  const std::vector<VehicleRef>& outside_vehicles() const { return outside_vehicles_; }
  std::string_view overflow() const { return overflow_; }  // "" = all was counted

  void Encode(std::string& out) const;
  //   kCorrupt
  static Result<Pairing> Decode(ByteReader& in, PairingOptions options);

 private:
  struct Told {
    std::uint32_t severity = 0;
    std::uint64_t peak_bits = 0;
    std::uint64_t speed_bits = 0;
    std::int64_t started_at_us = 0;
    std::uint64_t cell = 0;
    std::uint32_t heading_octant = 0;
    std::uint32_t vehicle_class = 0;
    std::string unit = {};
  };
  struct Waiting {
    Side side = Side::kStable;
    bool is_counted = false;  // the vehicle was warm there; of stable: and it is its first
    Offset input = {};
    std::uint32_t index = 0;
    Micros event_at = {};
    Told told = {};
  };
  struct Expiry {
    Micros at = {};  // log time
    std::string rule = {};
    VehicleRef vehicle = {};
    Side side = Side::kStable;
    Offset input = {};
    std::uint32_t index = 0;
  };
  struct Warm {
    std::uint32_t lots = 0;  // of lower lots
    Micros since = {};       // of the mark
    Offset from = {};
    Micros from_log_time = {};
  };
  struct Queue {
    std::deque<internal::v1::JournalEntry::Output> outputs = {};
    std::deque<journal::Mark> marks = {};
    Offset next = {};
    bool is_heard = false;
  };
  using Key = std::pair<std::string, VehicleRef>;
  struct Partition {
    Queue queues[2] = {};
    Offset done = {};
    Micros log_time = Micros{INT64_MIN};
    std::uint32_t lots = 0;                 // of the candidate's newest mark
    ConfigSeq config_seq = {};              // likewise
    std::vector<VehicleRef> unjudged = {};  // of its outputs above that mark, outside those lots
    std::vector<Warm> warm = {};
    std::map<Key, std::vector<Waiting>> waiting = {};
    std::deque<Expiry> expiries = {};
  };

  void TakeMark(Partition& partition, Side side, const journal::Mark& mark);
  void JudgeOutside(Partition& partition, const journal::Mark& mark);
  void NoteWarm(Partition& partition, const journal::Mark& mark) const;
  void TakeOutput(Partition& partition, Side side,
                  const internal::v1::JournalEntry::Output& output);
  void Expire(Partition& partition);
  void Match(const Key& key, const Waiting& a, const Waiting& b);
  void Vote(const Key& key, std::uint8_t bits);
  void AddExample(const Key& key, std::string_view side, Micros event_at, std::string what);
  bool IsWarm(const Partition& partition, std::uint32_t lot, Offset input) const;
  bool IsFirst(const Key& key, Side side);
  Micros ToleranceOf(const std::string& rule) const;
  static Told ToldOf(const internal::v1::Alert& alert);
  static std::string Difference(const Told& a, const Told& b);  // names of members; "" = none
  static void EncodePartition(const Partition& partition, std::string& out);
  static bool DecodePartition(ByteReader& in, Partition& out);

  PairingOptions options_;
  std::map<PartitionId, Partition> partitions_;
  std::map<std::string, RuleVotes> rules_;
  std::size_t pending_ = 0;
  std::size_t votes_ = 0;
  std::int64_t outside_cohort_ = 0;
  std::vector<VehicleRef> outside_vehicles_;
  std::string overflow_;
};

}  // namespace telltale::gate
