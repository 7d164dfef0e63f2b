// sequence/ - identity: which reports of a vehicle's boot have been seen, which are missing, which
// came twice. Pure state machines; every consumer keeps its own inside its snapshot.
//   in      (vehicle, boot, seq, content hash, log time) in offset order
//   out     verdicts, gaps
//   thread  the owner of the partition
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/limits.h"

namespace telltale::sequence {

// Sorted, disjoint, closed intervals of seen sequence numbers.
class IntervalSet {
 public:
  struct Interval {
    std::uint64_t first;
    std::uint64_t last;
    friend bool operator==(const Interval&, const Interval&) = default;
  };
  bool Contains(std::uint64_t seq) const;
  bool Insert(std::uint64_t seq);  // false when it was there
  const std::vector<Interval>& intervals() const { return intervals_; }
  std::uint64_t count() const;
  // Closed gaps below the highest seen (from 0).
  std::vector<Interval> Gaps() const;
  void Encode(std::string& out) const;
  static bool Decode(ByteReader& in, IntervalSet& out);

 private:
  std::vector<Interval> intervals_;
};

enum class Verdict {
  kNew,
  kDuplicate,    // same identity, same content (or content no longer known)
  kSeqConflict,  // same identity, other content: the first wins
};

// One boot of one vehicle.
class BootSequence {
 public:
  Verdict See(std::uint64_t seq, std::uint64_t content_hash);
  const IntervalSet& seen() const { return seen_; }
  void Encode(std::string& out) const;
  static bool Decode(ByteReader& in, BootSequence& out);

 private:
  IntervalSet seen_;
  // Ring of the last kContentHashesPerBoot (seq, hash) in arrival order.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> recent_;
  std::uint32_t next_slot_ = 0;
};

// All boots of one vehicle. Boots whose newest report is older than the horizon (in log time) are
// dropped by Evict; a report of a dropped boot counts as new again and is to be marked
// kPastHorizon.
class VehicleSequence {
 public:
  Verdict See(BootId boot, std::uint64_t seq, std::uint64_t content_hash, Micros log_time);
  void Evict(Micros log_time);
  const std::map<BootId, BootSequence>& boots() const { return boots_; }
  void Encode(std::string& out) const;
  static bool Decode(ByteReader& in, VehicleSequence& out);

 private:
  std::map<BootId, BootSequence> boots_;
  std::map<BootId, Micros> last_seen_;
};

}  // namespace telltale::sequence
