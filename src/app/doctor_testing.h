// What the doctor's tests share: an installation on a simulated disk, and a look at it that fails
// the test when anything is written.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "app/doctor.h"
#include "base/sim_disk.h"
#include "contract/contract.h"
#include "gateway/streams.h"
#include "log/log.h"

namespace telltale::app {

using gateway::kSafety;
using gateway::kSealed;
using gateway::kTelemetry;

inline constexpr std::uint16_t kPartitions = 4;
inline constexpr std::uint16_t kShards = 2;

// Refuses what a user without rights would not see.
class RefusingDisk final : public Disk {
 public:
  RefusingDisk(Disk& disk, std::string part) : disk_(disk), part_(std::move(part)) {}
  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode,
                                     std::uint32_t permissions) override {
    if (IsRefused(path)) return Error{Code::kRefused, "cannot open " + path};
    EXPECT_EQ(mode, OpenMode::kRead) << "the doctor never writes: " << path;
    return disk_.Open(path, mode, permissions);
  }
  Result<std::vector<std::string>> List(const std::string& folder) override {
    if (IsRefused(folder)) return Error{Code::kRefused, "cannot list " + folder};
    return disk_.List(folder);
  }
  bool Exists(const std::string& path) override { return disk_.Exists(path); }
  Status MakeFolders(const std::string&, std::uint32_t) override { return Written(); }
  Status Rename(const std::string&, const std::string&) override { return Written(); }
  Status Remove(const std::string&) override { return Written(); }
  Status SyncFolder(const std::string&) override { return Written(); }

 private:
  bool IsRefused(const std::string& path) const {
    return !part_.empty() && path.find(part_) != std::string::npos;
  }
  static Status Written() {
    ADD_FAILURE() << "the doctor never writes";
    return Ok();
  }
  Disk& disk_;
  const std::string part_;
};

struct Batch {
  std::uint64_t first_seq = 0;
  std::uint64_t count = 1;
  std::int64_t receipt_us = 0;
  std::uint64_t content_hash = 7;
  bool safety = true;
  bool telemetry = true;
  bool sealed = true;
};

class DoctorTest : public testing::Test {
 protected:
  DoctorTest() : paths_("/t") {
    EXPECT_TRUE(disk_.MakeFolders(paths_.log()).ok());
    vehicle_.bytes[7] = 1;  // partition 1
    OpenLog();
  }

  log::LogOptions Options(const std::string& dir, std::vector<std::string> streams) const {
    log::LogOptions options;
    options.dir = dir;
    options.streams = std::move(streams);
    options.partitions = kPartitions;
    options.shards = kShards;
    options.segment_bytes = 64u << 10;
    options.unsynced_bytes_max = 1u << 20;
    return options;
  }

  void OpenLog() {
    auto log = log::Log::Open(disk_, Options(paths_.log(), gateway::StreamNames()));
    ASSERT_TRUE(log.ok()) << log.error().ToString();
    log_ = std::move(*log);
  }

  // What the gateway makes of a car's batch, or only some of it.
  void Append(const Batch& batch) {
    const PartitionId partition = vehicle_.PartitionOf(kPartitions);
    std::array<log::BatchBuilder, gateway::kStreamCount> builders;
    for (auto& builder : builders) builder.Clear(partition);
    log::RecordHeader header;
    header.vehicle = vehicle_;
    header.boot = {1, 2};
    header.receipt_time = Micros{batch.receipt_us};
    header.content_hash = batch.content_hash;
    std::string derived;
    contract::AppendCell(derived, 1);
    for (std::uint64_t seq = batch.first_seq; seq < batch.first_seq + batch.count; ++seq) {
      header.seq = seq;
      if (batch.telemetry) builders[kTelemetry].Add(header, "1.0.0", AsBytes(derived));
      if (batch.safety) builders[kSafety].Add(header, "1.0.0", AsBytes("s"));
    }
    header.seq = batch.first_seq;
    if (batch.sealed) builders[kSealed].Add(header, "1.0.0", AsBytes("sealed"));
    Append(builders);
  }

  void Append(std::span<const log::BatchBuilder> builders) {
    std::vector<log::ShardWriter::Staged> staged;
    for (std::size_t i = 0; i < builders.size(); ++i) {
      if (builders[i].count() > 0) staged.push_back({i, &builders[i]});
    }
    auto& shard = log_->shard(log::ShardOf(vehicle_.PartitionOf(kPartitions), kShards));
    ASSERT_TRUE(shard.Append(staged).ok());
    ASSERT_TRUE(shard.SyncNow().ok());
  }

  void WriteFile(const std::string& path, std::string_view content) {
    ASSERT_TRUE(disk_.MakeFolders(ParentFolder(path)).ok());
    ASSERT_TRUE(WriteFileDurably(disk_, path, content).ok());
  }

  log::Position PositionAt(std::uint64_t offset) const {
    log::Position position;
    position.next.resize(kPartitions);
    position.next[1] = Offset{offset};
    return position;
  }

  DoctorReport Look(const std::string& refused = "", std::uint64_t per_pass = 1000) {
    RefusingDisk disk(disk_, refused);
    DoctorOptions options;
    options.records_per_pass_max = per_pass;
    auto report = Examine(disk, paths_, options);
    EXPECT_TRUE(report.ok()) << report.error().ToString();
    return report.ok() ? std::move(*report) : DoctorReport();
  }

  // Exactly these kinds, and `total` of the first.
  void ExpectOnly(const std::vector<FindingKind>& kinds, std::uint64_t total = 1) {
    const DoctorReport report = Look();
    EXPECT_EQ(report.kinds(), kinds) << report.ToText(false);
    if (kinds.empty()) return;
    EXPECT_EQ(report.total(kinds.front()), total) << report.ToText(false);
  }

  SimDisk disk_;
  const Paths paths_;
  VehicleRef vehicle_;
  std::unique_ptr<log::Log> log_;
};

}  // namespace telltale::app
