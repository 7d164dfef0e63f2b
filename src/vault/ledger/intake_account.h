// What became of each offset of the stream `sealed`: a value that the store saves in the same
// commit as its positions, so that the two never differ. Owner thread; copy it to roll back.
// Bytes: docs/formats/vault-ledger.md, "Account".
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"

namespace telltale::vault {

// The numbers are stored: append, never renumber.
enum class Outcome : std::uint8_t {
  kStored = 0,         // opened and stored
  kQuarantined = 1,    // stored as bytes the door refused
  kRefused = 2,        // did not open: kept aside, sealed
  kExpired = 3,        // past its window on arrival: dropped
  kWindowZero = 4,     // its class is not kept: dropped
  kErasedVehicle = 5,  // of an erased vehicle: dropped
  kControl = 6,        // config records and ticks
};
inline constexpr std::size_t kOutcomes = 7;
std::string_view NameOf(Outcome outcome);
inline constexpr std::array kKeptOutcomes = {Outcome::kStored, Outcome::kQuarantined};
inline constexpr std::array kDroppedOutcomes = {Outcome::kExpired, Outcome::kWindowZero,
                                                Outcome::kErasedVehicle};

// Offsets [from, to) that the vault never saw, noticed at `at`.
struct OffsetGap {
  std::uint64_t from = 0;
  std::uint64_t to = 0;
  Micros at;
  friend bool operator==(const OffsetGap&, const OffsetGap&) = default;
};

// Gaps listed by partition; of later ones only the number of offsets is kept.
inline constexpr std::size_t kGapsListedMax = 1000;

// Invariant: next - first = sum of outcomes + gap_offsets.
struct PartitionAccount {
  std::uint64_t first = 0;
  std::uint64_t next = 0;
  std::array<std::uint64_t, kOutcomes> outcomes{};
  std::uint64_t gap_offsets = 0;
  std::uint64_t repeated = 0;  // offsets that came again; not in the sum
  std::vector<OffsetGap> gaps;

  std::uint64_t Sum() const;  // of outcomes
  bool Balanced() const { return next - first == Sum() + gap_offsets; }
  std::uint64_t Of(Outcome outcome) const { return outcomes[static_cast<std::size_t>(outcome)]; }
  friend bool operator==(const PartitionAccount&, const PartitionAccount&) = default;
};

enum class Arrival { kInOrder, kAfterGap, kRepeated };

class IntakeAccount {
 public:
  // A vault that takes over in the middle of a stream counts from `first` on; otherwise from 0, and
  // what the log no longer had is a gap. Only before the partition's first offset.
  void StartAt(PartitionId partition, Offset first);
  // kRepeated: the offset was counted before, and is not counted again.
  Arrival Add(PartitionId partition, Offset offset, Outcome outcome, Micros now);
  // [first, first + count), all with one outcome.
  Arrival AddRun(PartitionId partition, Offset first, std::uint64_t count, Outcome outcome,
                 Micros now);

  const std::map<PartitionId, PartitionAccount>& partitions() const { return partitions_; }

  std::string Encode() const;
  //   kCorrupt      cut or altered
  //   kUnsupported  newer
  static Result<IntakeAccount> Parse(ByteSpan bytes);
  friend bool operator==(const IntakeAccount&, const IntakeAccount&) = default;

 private:
  std::map<PartitionId, PartitionAccount> partitions_;
};

}  // namespace telltale::vault
