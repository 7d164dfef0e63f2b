// A worker's state of one shard on disk (docs/formats/snapshot.md).
#pragma once

#include <map>
#include <string>

#include "base/format_version.h"
#include "log/log.h"
#include "safety/state.h"

namespace telltale::safety {

struct SnapshotHead {
  std::string release;  // 64 hex digits
  std::uint16_t shard = 0;
  std::uint16_t shards = 1;
  std::uint16_t partitions = 1;
  std::uint16_t rules = 0;
  friend bool operator==(const SnapshotHead&, const SnapshotHead&) = default;
};

struct Snapshot {
  SnapshotHead head;
  log::Position position;
  std::map<PartitionId, PartitionState> partitions;
};

// A borrowed Snapshot, for writing without a copy of the state.
std::string EncodeSnapshot(const SnapshotHead& head, const log::Position& position,
                           const std::map<PartitionId, PartitionState>& partitions);

//   kCorrupt      cut, torn or not a snapshot
//   kUnsupported  written by a newer version that this build may not read
//   kInvalid      of another release, shard or layout than `expected`
Result<Snapshot> DecodeSnapshot(ByteSpan file, const SnapshotHead& expected);
// The part between header and check; for the fuzzer, which does not guess CRCs.
Result<Snapshot> DecodeSnapshotBody(ByteSpan body,
                                    std::uint32_t version = VersionOf(Format::kSnapshot).written);
std::string EncodeSnapshotBody(const Snapshot& snapshot);

}  // namespace telltale::safety
