#include "sequence/sequence.h"

#include <algorithm>
#include <limits>

namespace telltale::sequence {
namespace {

constexpr std::uint64_t kSeqMax = std::numeric_limits<std::uint64_t>::max();

// True when `next` starts right after `last` ends; careful at the end of the numbers.
bool Touches(std::uint64_t last, std::uint64_t next) { return last != kSeqMax && last + 1 == next; }

}  // namespace

bool IntervalSet::Contains(std::uint64_t seq) const {
  const auto after =
      std::upper_bound(intervals_.begin(), intervals_.end(), seq,
                       [](std::uint64_t s, const Interval& i) { return s < i.first; });
  return after != intervals_.begin() && seq <= std::prev(after)->last;
}

bool IntervalSet::Insert(std::uint64_t seq) {
  // Nearly every report continues the newest interval.
  if (!intervals_.empty() && Touches(intervals_.back().last, seq)) {
    intervals_.back().last = seq;
    return true;
  }
  const auto after =
      std::upper_bound(intervals_.begin(), intervals_.end(), seq,
                       [](std::uint64_t s, const Interval& i) { return s < i.first; });
  const bool has_before = after != intervals_.begin();
  if (has_before && seq <= std::prev(after)->last) return false;
  const bool joins_before = has_before && Touches(std::prev(after)->last, seq);
  const bool joins_after = after != intervals_.end() && Touches(seq, after->first);
  if (joins_before && joins_after) {
    std::prev(after)->last = after->last;
    intervals_.erase(after);
  } else if (joins_before) {
    std::prev(after)->last = seq;
  } else if (joins_after) {
    after->first = seq;
  } else {
    intervals_.insert(after, Interval{seq, seq});
  }
  return true;
}

std::uint64_t IntervalSet::count() const {
  std::uint64_t total = 0;
  for (const Interval& i : intervals_) {
    const std::uint64_t below = i.last - i.first;  // one less than its size, which may be 2^64
    if (below == kSeqMax || total > kSeqMax - below - 1) return kSeqMax;
    total += below + 1;
  }
  return total;
}

std::vector<IntervalSet::Interval> IntervalSet::Gaps() const {
  std::vector<Interval> gaps;
  std::uint64_t expected = 0;
  for (const Interval& i : intervals_) {
    if (i.first > expected) gaps.push_back({expected, i.first - 1});
    expected = i.last + 1;  // wraps only behind the last interval
  }
  return gaps;
}

void IntervalSet::Encode(std::string& out) const {
  PutLe(out, static_cast<std::uint32_t>(intervals_.size()));
  for (const Interval& i : intervals_) {
    PutLe(out, i.first);
    PutLe(out, i.last);
  }
}

bool IntervalSet::Decode(ByteReader& in, IntervalSet& out) {
  out.intervals_.clear();
  const auto size = in.Get<std::uint32_t>();
  if (!in.ok() || size > in.remaining() / 16) return false;
  out.intervals_.reserve(size);
  for (std::uint32_t n = 0; n < size; ++n) {
    const auto first = in.Get<std::uint64_t>();
    const auto last = in.Get<std::uint64_t>();
    if (first > last) return false;
    if (n > 0) {
      const std::uint64_t before = out.intervals_.back().last;
      // Touching intervals would be one: a set has exactly one encoding.
      if (before >= first || Touches(before, first)) return false;
    }
    out.intervals_.push_back({first, last});
  }
  return in.ok();
}

Verdict BootSequence::See(std::uint64_t seq, std::uint64_t content_hash) {
  if (!seen_.Insert(seq)) {
    for (const auto& [known_seq, known_hash] : recent_) {
      if (known_seq == seq && known_hash != content_hash) return Verdict::kSeqConflict;
    }
    return Verdict::kDuplicate;
  }
  if (recent_.size() < kContentHashesPerBoot) {
    recent_.emplace_back(seq, content_hash);
  } else {
    recent_[next_slot_] = {seq, content_hash};
    next_slot_ = (next_slot_ + 1) % kContentHashesPerBoot;
  }
  return Verdict::kNew;
}

void BootSequence::Encode(std::string& out) const {
  seen_.Encode(out);
  PutLe(out, static_cast<std::uint32_t>(recent_.size()));
  // Oldest first, so that equal histories give equal bytes whatever slot is next.
  for (std::size_t n = 0; n < recent_.size(); ++n) {
    const auto& [seq, hash] = recent_[(next_slot_ + n) % recent_.size()];
    PutLe(out, seq);
    PutLe(out, hash);
  }
}

bool BootSequence::Decode(ByteReader& in, BootSequence& out) {
  out.recent_.clear();
  out.next_slot_ = 0;
  if (!IntervalSet::Decode(in, out.seen_)) return false;
  const auto size = in.Get<std::uint32_t>();
  if (!in.ok() || size > kContentHashesPerBoot || size > in.remaining() / 16) return false;
  out.recent_.reserve(size);
  for (std::uint32_t n = 0; n < size; ++n) {
    const auto seq = in.Get<std::uint64_t>();
    const auto hash = in.Get<std::uint64_t>();
    if (!out.seen_.Contains(seq)) return false;
    out.recent_.emplace_back(seq, hash);
  }
  return in.ok();
}

Verdict VehicleSequence::See(BootId boot, std::uint64_t seq, std::uint64_t content_hash,
                             Micros log_time) {
  const auto [last, first_of_boot] = last_seen_.try_emplace(boot, log_time);
  if (!first_of_boot) last->second = std::max(last->second, log_time);
  return boots_[boot].See(seq, content_hash);
}

void VehicleSequence::Evict(Micros log_time) {
  for (auto at = last_seen_.begin(); at != last_seen_.end();) {
    if (at->second.value < log_time.value - kIdentityHorizonUs) {
      boots_.erase(at->first);
      at = last_seen_.erase(at);
    } else {
      ++at;
    }
  }
}

void VehicleSequence::Encode(std::string& out) const {
  PutLe(out, static_cast<std::uint32_t>(boots_.size()));
  for (const auto& [boot, sequence] : boots_) {
    PutLe(out, boot.counter);
    PutLe(out, boot.random);
    PutLe(out, last_seen_.at(boot).value);
    sequence.Encode(out);
  }
}

bool VehicleSequence::Decode(ByteReader& in, VehicleSequence& out) {
  out.boots_.clear();
  out.last_seen_.clear();
  const auto size = in.Get<std::uint32_t>();
  // The smallest boot: id 12, time 8, two counts 8.
  if (!in.ok() || size > in.remaining() / 28) return false;
  for (std::uint32_t n = 0; n < size; ++n) {
    const auto counter = in.Get<std::uint32_t>();
    const BootId boot{counter, in.Get<std::uint64_t>()};
    const Micros last{in.Get<std::int64_t>()};
    // Rising order: one encoding per state, and no boot twice.
    if (!out.boots_.empty() && !(out.boots_.rbegin()->first < boot)) return false;
    if (!BootSequence::Decode(in, out.boots_[boot])) return false;
    out.last_seen_[boot] = last;
  }
  return in.ok();
}

}  // namespace telltale::sequence
