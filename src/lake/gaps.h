// Which sequence numbers of one boot never came, so far, and whether that is booked as missing.
// A gap is booked when it is older than kLatenessUs in log time or its boot was followed by a later
// one; a report that comes after all takes it back.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"

namespace telltale::lake {

// A car that leaves out more numbers than this at once is not losing reports, it is miscounting:
// such a gap is counted apart and never booked.
inline constexpr std::uint64_t kGapReportsMax = 10'000'000;
// Above it the oldest gap of a boot is booked and forgotten (it can no longer be taken back).
inline constexpr std::size_t kGapsPerBootMax = 4096;

// A change of `missing` in the event hour of the report that revealed the gap.
struct MissingDelta {
  Micros hour;
  std::int64_t missing = 0;
};

class BootGaps {
 public:
  struct Gap {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    Micros hour;     // event hour of the report that revealed it
    Micros noticed;  // log time
    bool is_booked = false;
  };

  // A report that was not seen before. Appends what changes in `missing`. True when a gap opened.
  bool See(std::uint64_t seq, Micros hour, Micros log_time, std::vector<MissingDelta>& deltas);
  // Everything up to and including `last_seq` was sent. True when a gap opened.
  bool ExpectThrough(std::uint64_t last_seq, Micros hour, Micros log_time);
  // Books the gaps noticed more than kLatenessUs before `log_time`, or all of them once closed.
  void Book(Micros log_time, std::vector<MissingDelta>& deltas);
  void Close(std::vector<MissingDelta>& deltas);

  bool is_closed() const { return is_closed_; }
  const std::vector<Gap>& gaps() const { return gaps_; }
  Micros last_seen() const { return last_seen_; }
  std::uint64_t implausible() const { return implausible_; }

  void Encode(std::string& out) const;
  static bool Decode(ByteReader& in, BootGaps& out);

 private:
  // Books and forgets the oldest gaps above kGapsPerBootMax.
  void Trim(std::vector<MissingDelta>& deltas);
  bool Open(std::uint64_t first, std::uint64_t last, Micros hour, Micros log_time);

  std::uint64_t next_ = 0;  // lowest number not yet expected
  bool is_closed_ = false;  // a later boot was seen
  Micros last_seen_;        // log time
  std::uint64_t implausible_ = 0;
  std::vector<Gap> gaps_;  // rising, disjoint
};

}  // namespace telltale::lake
