// What a worker knows of one partition, and the one function that moves it by one record.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "log/record.h"
#include "safety/lots.h"
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
  kOutsideLots,
};
inline constexpr std::size_t kCounts = 11;
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
  Lots lots;  // all, until a config record says otherwise
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
  explicit Engine(RuleSet rules, std::string of_release = "")
      : set(std::move(rules)), release(std::move(of_release)), scanner(set.slots) {}
  RuleSet set;
  std::string release;  // 64 hex digits; config records say what it computes
  Scanner scanner;
};

// Applies one record of `safety`; `out` gets its outputs (cleared first).
//   kUnsupported  a control record of a kind this build does not know, or one that cannot be read:
//                 the partition stops here; the state is as before
// A record of a vehicle that the release does not compute moves log time and counts, no more.
Status Apply(const Engine& engine, const log::RecordView& record, PartitionState& state,
             std::vector<Output>& out);

// Begins a partition that is not read from its first record: `config` is in force already.
void BeginUnder(const Engine& engine, const internal::v1::ConfigRecord& config, Micros log_time,
                PartitionState& state);

}  // namespace telltale::safety
