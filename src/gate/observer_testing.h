// What the tests of the observer share: two journals, a log and a rollout, on a simulated disk.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/sim_disk.h"
#include "gate/comparison.h"
#include "log/log.h"

namespace telltale::gate::testing {

inline const std::string kStableId(64, 'a');
inline const std::string kCandidateId(64, 'b');
inline constexpr std::uint16_t kPartitions = 4;
inline constexpr std::uint16_t kShards = 2;

template <typename T>
T Must(Result<T> result) {
  if (!result.ok()) ADD_FAILURE() << result.error().ToString();
  return std::move(result).value();
}
inline void Must(const Status& status) { EXPECT_TRUE(status.ok()) << status.error().ToString(); }

// Vehicle n of a partition.
inline VehicleRef CarOf(std::uint16_t partition, std::uint8_t n) {
  VehicleRef ref;
  ref.bytes[7] = static_cast<std::uint8_t>(n * kPartitions + partition);
  ref.bytes[15] = n;
  return ref;
}

struct Opening {
  std::uint16_t partition = 0;
  std::uint64_t input = 0;
  VehicleRef vehicle = {};
  std::string rule = "hard_braking";
  std::int64_t event_ms = 0;  // receipt too
  double peak = -5.5;
  std::uint32_t index = 0;
};

inline internal::v1::JournalEntry::Output OutputOf(const Opening& of) {
  internal::v1::JournalEntry::Output output;
  output.set_partition(of.partition);
  output.set_input_offset(of.input);
  output.set_index(of.index);
  output.set_event_time_us(of.event_ms * 1000);
  output.set_receipt_time_us(of.event_ms * 1000);
  internal::v1::Alert& alert = *output.mutable_alert();
  alert.set_output_id(std::string(16, '\x01'));
  alert.set_rule(of.rule);
  alert.set_vehicle_ref(std::string(AsText(of.vehicle.bytes)));
  alert.set_revision(1);
  alert.set_state(internal::v1::EPISODE_STATE_OPEN);
  alert.set_severity(internal::v1::SEVERITY_HIGH);
  alert.set_started_at_us(of.event_ms * 1000);
  alert.set_peak_value(of.peak);
  return output;
}

inline journal::Mark MarkAt(std::uint64_t below, std::int64_t log_ms, std::uint32_t lots = kLots,
                            std::int64_t since_ms = 0) {
  return {.below = Offset{below},
          .log_time = Micros{log_ms * 1000},
          .config_seq = ConfigSeq{1},
          .lots = lots,
          .lots_since = Micros{since_ms * 1000}};
}

inline contract::Rollout RolloutOfAll() {
  return {.id = "prod-1",
          .candidate = kCandidateId,
          .order = {.per_10000 = 0, .salt = "s", .always = {}, .never = {}},
          .shadow_lots = kLots,
          .authority_lots = 0,
          .warm_up = Micros::Seconds(1),
          .began = ConfigSeq{1}};
}

// The journal of one release, written as its worker does.
class Journal {
 public:
  Journal(Disk& disk, const std::string& release)
      : log_(Must(log::Log::Open(disk, {.dir = "/journal/" + release,
                                        .streams = {"journal"},
                                        .partitions = kPartitions,
                                        .shards = kShards,
                                        .segment_bytes = 64u << 10,
                                        .ticks = false}))) {}

  void Say(const Opening& opening) {
    internal::v1::JournalEntry entry;
    *entry.mutable_output() = OutputOf(opening);
    Append(opening.partition, entry);
  }
  void Mark(std::uint16_t partition, const journal::Mark& mark) {
    internal::v1::JournalEntry entry;
    auto& progress = *entry.mutable_progress();
    progress.set_partition(partition);
    progress.set_below_offset(mark.below.value);
    progress.set_log_time_us(mark.log_time.value);
    progress.set_config_seq(mark.config_seq.value);
    progress.set_lots(mark.lots);
    progress.set_lots_since_us(mark.lots_since.value);
    Append(partition, entry);
  }

  void SayBroken(std::uint16_t partition) { AppendBytes(partition, "\xff"); }

 private:
  void Append(std::uint16_t partition, const internal::v1::JournalEntry& entry) {
    AppendBytes(partition, entry.SerializeAsString());
  }
  void AppendBytes(std::uint16_t partition, const std::string& payload) {
    log::BatchBuilder batch(PartitionId{partition});
    batch.Add(log::RecordHeader{}, "", AsBytes(payload));
    log::ShardWriter& shard = log_->shard(log::ShardOf(PartitionId{partition}, kShards));
    const log::ShardWriter::Staged staged{0, &batch};
    Must(shard.Append({&staged, 1}));
    Must(shard.SyncNow());
  }
  std::unique_ptr<log::Log> log_;
};

}  // namespace telltale::gate::testing
