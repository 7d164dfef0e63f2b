// What the tests of this module share.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "publish/alert_store.h"

namespace telltale::publish {

inline const std::string kReleaseA(64, 'a');
inline const std::string kReleaseB(64, 'b');

class TempFolder {
 public:
  TempFolder() {
    std::string name = std::filesystem::temp_directory_path() / "telltale-publish-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    path = name;
  }
  ~TempFolder() { std::filesystem::remove_all(path); }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  std::string path;
};

template <typename T>
T Must(Result<T> result) {
  if (!result.ok()) ADD_FAILURE() << result.error().ToString();
  return std::move(result).value();
}

// Gives all lots of a partition to `release`, as a rollback does.
inline void FlipAll(AlertStore& store, std::uint16_t partition, const std::string& release) {
  const Lanes before = Must(store.ReadLanes())[PartitionId{partition}];
  Lanes after = before;
  ApplyFlip(after, {.release = release});
  Merge(after);
  const AuthorityChange change{.partitions = {{PartitionId{partition}, {before, after}}}};
  const Status changed = store.ChangeAuthority(change);
  EXPECT_TRUE(changed.ok()) << changed.error().ToString();
}

// Alert number `id` in its `revision`, of input record `offset` of `partition`.
inline internal::v1::JournalEntry::Output MakeOutput(std::uint16_t partition, std::uint64_t offset,
                                                     char id, std::uint32_t revision = 1) {
  internal::v1::JournalEntry::Output output;
  output.set_partition(partition);
  output.set_input_offset(offset);
  output.set_seq(40 + offset);
  output.set_event_time_us(1'700'000'000'000'000);
  output.set_receipt_time_us(1'700'000'000'500'000);
  output.set_contract_number(1);
  internal::v1::Alert& alert = *output.mutable_alert();
  alert.set_output_id(std::string(16, id));
  alert.set_rule("hard_braking");
  alert.set_vehicle_ref(std::string(16, '\x7f'));
  alert.set_revision(revision);
  alert.set_state(revision == 1 ? internal::v1::EPISODE_STATE_OPEN
                                : internal::v1::EPISODE_STATE_CLOSED);
  alert.set_severity(internal::v1::SEVERITY_HIGH);
  alert.set_boot_counter(3);
  alert.set_boot_random(0xfedcba9876543210u);
  alert.set_first_seq(38);
  alert.set_started_at_us(1'699'999'999'000'000);
  if (revision == 2) alert.set_ended_at_us(1'700'000'000'000'000);
  alert.set_peak_value(-5.5);
  alert.set_unit("m/s2");
  return output;
}

}  // namespace telltale::publish
