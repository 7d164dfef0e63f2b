// Two releases' journals, a publisher over them and a control plane's records: for tests of flips.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/sim_disk.h"
#include "contract/cohort_wire.h"
#include "internal/v1/internal.pb.h"
#include "publish/publish_testing.h"
#include "publish/publisher.h"
#include "seal/seal.h"
#include "store/disk_vfs.h"

namespace telltale::publish {

inline internal::v1::ConfigRecord RecordOf(std::uint64_t seq, const std::string& stable) {
  internal::v1::ConfigRecord record;
  record.set_config_seq(seq);
  record.set_environment("prod");
  record.set_stable_release(stable);
  return record;
}
inline void SetRollout(internal::v1::ConfigRecord& record, const std::string& candidate,
                       std::uint32_t authority_lots, const std::string& salt, std::uint64_t began) {
  internal::v1::Rollout& rollout = *record.mutable_rollout();
  rollout.set_id("prod-" + salt);
  rollout.set_candidate(candidate);
  rollout.mutable_order()->set_salt(salt);
  rollout.set_shadow_lots(kLots);
  rollout.set_authority_lots(authority_lots);
  rollout.set_warm_up_us(5'000);
  rollout.set_began_config_seq(began);
}
inline std::string Sign(const internal::v1::ConfigRecord& record, const seal::KeyPair& key) {
  internal::v1::SignedConfig config;
  config.set_record(record.SerializeAsString());
  config.set_signature(Must(seal::SignEd25519(key.private_raw, config.record())));
  config.set_key_id(seal::KeyId(key.public_raw));
  return config.SerializeAsString();
}

// Input n of a partition is of vehicle n mod kVehicles, and a millisecond of log time.
class FlipWorld {
 public:
  static constexpr std::uint16_t kPartitions = 4;
  static constexpr std::uint16_t kShards = 2;
  static constexpr std::uint64_t kVehicles = 7;

  FlipWorld() : key(Must(seal::MakeEd25519())), vfs_(std::make_unique<store::DiskVfs>(store_disk)) {
    EXPECT_TRUE(store_disk.MakeFolders("/publish").ok());
    for (const std::string& release : {kReleaseA, kReleaseB}) {
      journals_[release] = Must(log::Log::Open(disk, {.dir = "/journal/" + release,
                                                      .streams = {"journal"},
                                                      .partitions = kPartitions,
                                                      .shards = kShards,
                                                      .segment_bytes = 64u << 10,
                                                      .ticks = false}));
    }
    EXPECT_TRUE(OpenStore().InstallAuthority(kReleaseA, kPartitions).ok());
  }

  ~FlipWorld() { Stop(); }  // before its database's disk
  FlipWorld(const FlipWorld&) = delete;
  FlipWorld& operator=(const FlipWorld&) = delete;

  AlertStore OpenStore() { return Must(AlertStore::Open("/publish/alerts.db", vfs_.get())); }
  void Start() {
    publisher = std::make_unique<Publisher>(PublisherOptions{.journal_dir = "/journal",
                                                             .positions_dir = "/positions",
                                                             .partitions = kPartitions,
                                                             .shards = kShards,
                                                             .control_public = key.public_raw},
                                            OpenStore(), disk, clock, counters, [] {});
    EXPECT_TRUE(Must(publisher->LoadAuthority()));
  }
  void Stop() { publisher.reset(); }
  // Power is cut under the store: what was not durable is gone.
  void Crash(std::uint64_t seed) {
    Stop();
    vfs_.reset();
    store_disk.FailNever();
    store_disk.Crash(seed);
    vfs_ = std::make_unique<store::DiskVfs>(store_disk);
    Start();
  }

  static VehicleRef VehicleAt(std::uint16_t partition, std::uint64_t offset) {
    VehicleRef ref;
    ref.bytes.fill(static_cast<std::uint8_t>(1 + partition * 16 + offset % kVehicles));
    return ref;
  }
  static std::string IdAt(std::uint16_t partition, std::uint64_t offset) {
    std::string id(16, '\0');
    id[0] = static_cast<char>(partition);
    for (int n = 0; n < 8; ++n)
      id[static_cast<std::size_t>(8 + n)] = static_cast<char>(offset >> (8 * n) & 0xff);
    return id;
  }

  // What `release` concludes of the inputs below `to`, from where it began. Its rule differs from
  // the other's, so the episodes do, and often have other first reports.
  std::vector<internal::v1::JournalEntry::Output> Conclude(const std::string& release,
                                                           std::uint16_t partition,
                                                           std::uint64_t to) {
    std::array<SimEpisode, kVehicles> episodes{};
    std::vector<internal::v1::JournalEntry::Output> outputs;
    for (std::uint64_t offset = since[release][partition]; offset < to; ++offset) {
      Conclude(release == kReleaseA, partition, offset, episodes[offset % kVehicles], outputs);
    }
    return outputs;
  }

  // What a worker writes of [from, to): outputs, and a mark unless it dies before.
  void Work(const std::string& release, std::uint16_t partition, std::uint64_t from,
            std::uint64_t to, bool marks = true) {
    log::BatchBuilder batch{PartitionId{partition}};
    const auto add = [&batch](const internal::v1::JournalEntry& entry) {
      batch.Add({}, "", AsBytes(entry.SerializeAsString()));
    };
    for (auto& output : Conclude(release, partition, to)) {
      if (output.input_offset() < from) continue;
      internal::v1::JournalEntry entry;
      *entry.mutable_output() = std::move(output);
      add(entry);
    }
    if (marks) {
      internal::v1::JournalEntry entry;
      auto& mark = *entry.mutable_progress();
      mark.set_partition(partition);
      mark.set_below_offset(to);
      mark.set_log_time_us(static_cast<std::int64_t>(to) * 1000);
      mark.set_config_seq(began_config_seq);
      mark.set_lots(kLots);
      mark.set_lots_since_us(static_cast<std::int64_t>(since[release][partition]) * 1000);
      add(entry);
    }
    const log::ShardWriter::Staged staged{0, &batch};
    auto& shard = journals_[release]->shard(log::ShardOf(PartitionId{partition}, kShards));
    ASSERT_TRUE(shard.Append({&staged, 1}).ok());
    ASSERT_TRUE(shard.SyncNow().ok());
  }

  // All that is there, and what a second's pace brings.
  void Drain() {
    for (int n = 0; n < 4; ++n) {
      clock.Advance(Micros::Seconds(1));
      while (Must(publisher->RunOnce())) {
      }
    }
  }
  internal::v1::PublisherReply Ask() {
    internal::v1::PublisherRequest request;
    request.mutable_status();
    return publisher->Answer(request);
  }
  std::vector<internal::v1::PartitionAuthority> Partitions() {
    const internal::v1::PublisherReply reply = Ask();
    return {reply.partitions().begin(), reply.partitions().end()};
  }

  SimDisk disk;        // journals, positions
  SimDisk store_disk;  // alerts.db
  ManualClock clock{Micros::Seconds(1'700'000'001)};
  Counters counters;
  const seal::KeyPair key;
  std::uint64_t began_config_seq = 0;
  std::map<std::string, std::array<std::uint64_t, kPartitions>> since;  // computes all from here
  std::unique_ptr<Publisher> publisher;

 private:
  struct SimEpisode {
    bool is_pending = false;
    bool is_open = false;
    std::uint64_t first = 0;
    std::uint64_t last = 0;
  };

  static std::int64_t TimeAt(std::uint64_t offset) {
    return 1'000'000 + static_cast<std::int64_t>(offset) * 1000;
  }
  static internal::v1::JournalEntry::Output Said(std::uint16_t partition, std::uint64_t offset,
                                                 const SimEpisode& episode, std::uint64_t ended) {
    auto output = MakeOutput(partition, offset, 'x', ended == 0 ? 1 : 2);
    output.set_event_time_us(TimeAt(offset));
    auto& alert = *output.mutable_alert();
    alert.set_output_id(IdAt(partition, episode.first));
    alert.set_vehicle_ref(std::string(AsText(VehicleAt(partition, offset).bytes)));
    alert.set_started_at_us(TimeAt(episode.first));
    if (ended != 0) alert.set_ended_at_us(TimeAt(ended));
    return output;
  }
  // The first opens at once; the second waits for one more report, and leaves later.
  static void Conclude(bool is_first, std::uint16_t partition, std::uint64_t offset,
                       SimEpisode& episode,
                       std::vector<internal::v1::JournalEntry::Output>& outputs) {
    const std::uint64_t measure =
        (offset * 0x9e3779b97f4a7c15u + partition * 0xbf58476d1ce4e5b9u) >> 40;
    const std::uint64_t level = measure % 16;
    if (episode.is_open) {
      const bool was_silent = is_first && level == 15;
      if (!was_silent && level < (is_first ? 12u : 13u)) {
        episode.last = offset;
        return;
      }
      outputs.push_back(Said(partition, offset, episode, was_silent ? episode.last : offset));
      episode = {};
      if (!was_silent) return;
    } else if (level >= (is_first ? 6u : 8u)) {
      episode = {};
      return;
    }
    if (!episode.is_pending) episode.first = offset;
    episode.last = offset;
    episode.is_open = is_first || episode.is_pending;
    episode.is_pending = !episode.is_open;
    if (!episode.is_open) return;
    outputs.push_back(Said(partition, offset, episode, 0));
    const auto before = outputs.size() - 2;
    if (outputs.size() > 1 && outputs[before].input_offset() == offset) outputs.back().set_index(1);
  }

  std::map<std::string, std::unique_ptr<log::Log>> journals_;
  std::unique_ptr<store::DiskVfs> vfs_;
};

}  // namespace telltale::publish
