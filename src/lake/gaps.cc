#include "lake/gaps.h"

#include <algorithm>
#include <limits>

#include "base/limits.h"

namespace telltale::lake {
namespace {

constexpr std::uint64_t kSeqMax = std::numeric_limits<std::uint64_t>::max();

std::int64_t SizeOf(const BootGaps::Gap& gap) {
  return static_cast<std::int64_t>(gap.last - gap.first + 1);  // at most kGapReportsMax
}

}  // namespace

bool BootGaps::Open(std::uint64_t first, std::uint64_t last, Micros hour, Micros log_time) {
  if (last - first >= kGapReportsMax) {
    ++implausible_;
    return false;
  }
  gaps_.push_back(Gap{first, last, hour, log_time, false});
  return true;
}

void BootGaps::Trim(std::vector<MissingDelta>& deltas) {
  if (gaps_.size() <= kGapsPerBootMax) return;
  const auto end = gaps_.end() - static_cast<std::ptrdiff_t>(kGapsPerBootMax);
  for (auto gap = gaps_.begin(); gap != end; ++gap) {
    if (!gap->is_booked) deltas.push_back({gap->hour, SizeOf(*gap)});
  }
  gaps_.erase(gaps_.begin(), end);
}

bool BootGaps::See(std::uint64_t seq, Micros hour, Micros log_time,
                   std::vector<MissingDelta>& deltas) {
  last_seen_ = std::max(last_seen_, log_time);
  if (seq >= next_) {
    const bool is_open = seq > next_ && Open(next_, seq - 1, hour, log_time);
    next_ = seq == kSeqMax ? kSeqMax : seq + 1;
    Trim(deltas);
    return is_open;
  }
  const auto gap = std::lower_bound(gaps_.begin(), gaps_.end(), seq,
                                    [](const Gap& g, std::uint64_t s) { return g.last < s; });
  if (gap == gaps_.end() || seq < gap->first) return false;  // the gap was forgotten
  if (gap->is_booked) deltas.push_back({gap->hour, -1});
  if (gap->first == gap->last) {
    gaps_.erase(gap);
  } else if (seq == gap->first) {
    ++gap->first;
  } else if (seq == gap->last) {
    --gap->last;
  } else {
    Gap upper = *gap;
    upper.first = seq + 1;
    gap->last = seq - 1;
    gaps_.insert(gap + 1, upper);
    Trim(deltas);  // a car that fills a hole from within splits it without end
  }
  return false;
}

bool BootGaps::ExpectThrough(std::uint64_t last_seq, Micros hour, Micros log_time) {
  last_seen_ = std::max(last_seen_, log_time);
  if (last_seq < next_ || last_seq == kSeqMax) return false;
  const bool is_open = Open(next_, last_seq, hour, log_time);
  next_ = last_seq + 1;
  return is_open;
}

void BootGaps::Book(Micros log_time, std::vector<MissingDelta>& deltas) {
  for (Gap& gap : gaps_) {
    if (gap.is_booked) continue;
    if (!is_closed_ && log_time.value - gap.noticed.value <= kLatenessUs) continue;
    gap.is_booked = true;
    deltas.push_back({gap.hour, SizeOf(gap)});
  }
}

void BootGaps::Close(std::vector<MissingDelta>& deltas) {
  is_closed_ = true;
  Book(last_seen_, deltas);
  Trim(deltas);
}

void BootGaps::Encode(std::string& out) const {
  PutLe(out, next_);
  PutLe(out, static_cast<std::uint8_t>(is_closed_ ? 1 : 0));
  PutLe(out, last_seen_.value);
  PutLe(out, implausible_);
  PutLe(out, static_cast<std::uint32_t>(gaps_.size()));
  for (const Gap& gap : gaps_) {
    PutLe(out, gap.first);
    PutLe(out, gap.last);
    PutLe(out, gap.hour.value);
    PutLe(out, gap.noticed.value);
    PutLe(out, static_cast<std::uint8_t>(gap.is_booked ? 1 : 0));
  }
}

bool BootGaps::Decode(ByteReader& in, BootGaps& out) {
  out.gaps_.clear();
  out.next_ = in.Get<std::uint64_t>();
  out.is_closed_ = in.Get<std::uint8_t>() != 0;
  out.last_seen_ = Micros{in.Get<std::int64_t>()};
  out.implausible_ = in.Get<std::uint64_t>();
  const auto count = in.Get<std::uint32_t>();
  // No limit but the bytes: a state written by a version that kept more has to open.
  if (!in.ok() || count > in.remaining() / 33) return false;
  for (std::uint32_t i = 0; i < count; ++i) {
    Gap gap;
    gap.first = in.Get<std::uint64_t>();
    gap.last = in.Get<std::uint64_t>();
    gap.hour = Micros{in.Get<std::int64_t>()};
    gap.noticed = Micros{in.Get<std::int64_t>()};
    gap.is_booked = in.Get<std::uint8_t>() != 0;
    if (gap.last < gap.first || gap.last - gap.first >= kGapReportsMax) return false;
    if (gap.last >= out.next_) return false;
    if (!out.gaps_.empty() && out.gaps_.back().last >= gap.first) return false;
    out.gaps_.push_back(gap);
  }
  return in.ok();
}

}  // namespace telltale::lake
