// What the lake decides of each record, before any row is made: seen before or new, late, missing,
// which cell it may carry. A pure state machine over (record) in offset order; it reads no clock,
// so the same records give the same answer. Its state goes into each hand-off.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/counters.h"
#include "lake/gaps.h"
#include "lake/held_cell.h"
#include "log/record.h"
#include "sequence/sequence.h"

namespace telltale::lake {

// What is in force in one partition.
struct PartitionConfig {
  std::uint64_t config_seq = 0;  // 0 = none yet
  std::uint32_t contract_number = 0;
  std::string contract_digest;  // hex
  std::string release;          // hex
  std::string environment;
  friend bool operator==(const PartitionConfig&, const PartitionConfig&) = default;
};

// Payload of a telemetry record, docs/formats/telemetry-record.md.
struct TelemetryPayload {
  std::optional<BootId> previous_boot;
  std::uint64_t previous_last_seq = 0;
  ByteSpan fields;  // protobuf wire bytes
};
//   kCorrupt  shorter than its flags say
Result<TelemetryPayload> ParseTelemetryPayload(const log::RecordView& record);

// A change of the counts of one (vehicle, boot, event hour).
struct ArrivalKey {
  VehicleRef vehicle;
  BootId boot;
  Micros hour;
  friend auto operator<=>(const ArrivalKey&, const ArrivalKey&) = default;
};
struct ArrivalDelta {
  std::int64_t received = 0;
  std::int64_t missing = 0;
  std::int64_t late = 0;
  std::int64_t duplicate = 0;
  // Stamps of the last record that changed it.
  PartitionId partition;
  Offset offset;
  Micros receipt_time;
  Micros log_time;
};
using ArrivalDeltas = std::map<ArrivalKey, ArrivalDelta>;

class Intake {
 public:
  // `counters` must outlive it.
  Intake(std::uint16_t partitions, Counters& counters);

  struct Accepted {
    Micros event_time;  // never before 1970
    std::uint64_t cell = 0;
    bool is_late = false;
    bool is_past_horizon = false;
  };
  // Nothing when the record repeats an earlier one, or its vehicle was erased.
  std::optional<Accepted> See(const log::RecordView& record, const TelemetryPayload& payload);
  // Forgets the vehicles that `is_erased` names, with their pending changes; See() takes no more of
  // theirs while it says so. Their number.
  using IsErased = std::function<bool(VehicleRef)>;
  std::size_t Erase(IsErased is_erased);

  // Any record moves its partition's log time: books the gaps that have become old.
  void SeeLogTime(const log::RecordView& record);

  // Changes since the last call.
  ArrivalDeltas TakeArrivals();
  std::size_t pending_arrivals() const { return arrivals_.size(); }

  PartitionConfig& config(PartitionId partition) { return partitions_[partition.value].config; }
  const PartitionConfig& config(PartitionId partition) const {
    return partitions_[partition.value].config;
  }
  std::uint16_t partitions() const { return static_cast<std::uint16_t>(partitions_.size()); }
  std::size_t vehicles() const { return vehicles_.size(); }

  // Lets go of what is older than the horizon. Changes no answer: See() does the same to the
  // vehicle it looks at.
  void Forget();

  // The state without the deltas: take those first.
  void Encode(std::string& out) const;
  //   kCorrupt  not what Encode() writes; kInvalid when the number of partitions differs
  Status Decode(ByteReader& in);

 private:
  struct Vehicle {
    PartitionId partition;
    sequence::VehicleSequence sequence;
    HeldCells held;
    std::map<BootId, BootGaps> gaps;
  };
  struct Timer {
    Micros noticed;
    VehicleRef vehicle;
    BootId boot;
  };
  struct Partition {
    Micros log_time;
    PartitionConfig config;
    std::deque<Timer> timers;  // rising: log time never goes back
  };

  void SeePreviousBoot(const log::RecordView& record, const TelemetryPayload& payload,
                       Vehicle& vehicle, Micros hour);
  void SeeNew(const log::RecordView& record, Vehicle& vehicle, Micros hour);
  void CloseEarlierBoots(const log::RecordView& record, Vehicle& vehicle, BootId boot);
  void Evict(Vehicle& vehicle, Micros log_time);
  ArrivalDelta& DeltaOf(const log::RecordView& record, VehicleRef vehicle, BootId boot,
                        Micros hour);
  void Apply(const log::RecordView& record, VehicleRef vehicle, BootId boot,
             const std::vector<MissingDelta>& deltas);
  std::uint64_t CheckedCell(std::uint64_t cell);
  bool DecodeVehicle(ByteReader& in);
  void RestoreTimers();

  std::vector<Partition> partitions_;
  IsErased is_erased_;  // null: nobody
  std::unordered_map<VehicleRef, Vehicle, VehicleRefHash> vehicles_;
  ArrivalDeltas arrivals_;
  std::vector<MissingDelta> deltas_;  // scratch

  Counter& duplicates_;
  Counter& conflicts_;
  Counter& erased_;
  Counter& past_horizon_;
  Counter& clamped_;
  Counter& bad_cell_;
  Counter& late_;
  Counter& implausible_gaps_;
};

}  // namespace telltale::lake
