// What a worker knows of one partition, and the one function that moves it by one record.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "log/record.h"
#include "safety/safety.h"
#include "sequence/sequence.h"

namespace telltale::safety {

// Of everything since offset 0: they lie in the snapshot and go on after a restart.
enum class Count : std::uint8_t {
  kRecords,
  kNew,
  kDuplicate,
  kSeqConflict,
  kOutOfOrder,
  kPastHorizon,
  kMalformed,
  kOutOfRange,
  kOpened,
  kClosed,
};
inline constexpr std::size_t kCounts = 10;
using Counts = std::array<std::uint64_t, kCounts>;

struct ActiveRule {
  std::uint8_t rule = 0;  // index in the RuleSet
  Episode episode;        // never idle
};

struct VehicleState {
  sequence::VehicleSequence sequence;
  Micros newest_event{INT64_MIN};
  std::vector<ActiveRule> active;  // in rule order; empty for a quiet vehicle
};

struct PartitionState {
  Micros log_time;
  std::int64_t evicted_hour = 0;  // log time / 1 h, up to which old boots were dropped
  ConfigSeq config_seq;
  std::uint32_t contract_number = 0;
  Counts counts{};
  std::unordered_map<VehicleRef, VehicleState, VehicleRefHash> vehicles;

  std::uint64_t& count(Count which) { return counts[static_cast<std::size_t>(which)]; }
  std::uint64_t count(Count which) const { return counts[static_cast<std::size_t>(which)]; }
};

// One output of one input record; the worker makes its bytes (output.h).
struct Output {
  std::uint32_t index = 0;  // among the outputs of this record
  std::uint8_t rule = 0;
  Change change;
};

// The rules of a release in running form. Immutable: any thread.
struct Engine {
  explicit Engine(RuleSet rules) : set(std::move(rules)), scanner(set.slots) {}
  RuleSet set;
  Scanner scanner;
};

// Applies one record of `safety`; `out` gets its outputs (cleared first).
//   kUnsupported  a control record of a kind this build does not know, or one that cannot be read:
//                 the partition stops here; the state is as before
Status Apply(const Engine& engine, const log::RecordView& record, PartitionState& state,
             std::vector<Output>& out);

}  // namespace telltale::safety
