// Observes one rollout: ties pairing, exposure and invariants together, keeps what it knows in
// <folder>/state (docs/formats/gate-state.md) and tells it in <folder>/evidence.json
// (docs/formats/gate-evidence.md). It moves nothing and judges nothing. One thread.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/counters.h"
#include "base/disk.h"
#include "gate/comparison.h"
#include "gate/ingest.h"
#include "gate/invariants.h"
#include "gate/looks.h"
#include "gate/settings.h"
#include "gate/sights.h"

namespace telltale::gate {

inline constexpr Micros kEvidencePace = Micros::Seconds(2);
inline constexpr Micros kStatePace = Micros::Seconds(30);
inline constexpr Micros kLookPace{500'000};            // at settings, erasures and surroundings
inline constexpr std::size_t kTurnRecordsMax = 4'096;  // by journal or stream, and shard
inline constexpr std::uint64_t kStateBytesMax = 1u << 30;

struct ObserverOptions {
  std::string environment = {};
  std::string stable = {};
  std::string stable_speaker = {};  // whose worker computes for it (docs/releases.md)
  contract::Rollout rollout = {};
  std::string journals = {};  // the folder of all releases' journals
  std::string folder = {};    // data/gate/<rollout>; made when needed
  std::string erasure_list = {};
  std::uint16_t shards = 1;
  std::uint16_t partitions = 1;
  Micros lateness = Micros::Seconds(300);
};

class Observer {
 public:
  // What is referred to must outlive it.
  struct Parts {
    Disk& disk;
    log::Streams& streams;
    const Clock& clock;
    Counters& counters;
    Surroundings& surroundings;
  };
  Observer(Parts parts, ObserverOptions options)
      : parts_(parts), options_(std::move(options)), erased_(parts.disk, options_.erasure_list) {}

  // Goes on from the state, if there is one of the same candidate, stable release and gate.
  //   errors of Surroundings, of the folder and of the erasure list: try again
  Status Start();
  // The stage grew. The same rollout, candidate and stable release.
  void SetRollout(const contract::Rollout& rollout);

  // Reads on, and tells what is due. True when more may be waiting.
  //   errors of the folder's disk and of the erasure list: try again, nothing is lost
  Result<bool> RunOnce();
  Status SaveState();
  Status WriteEvidence();

  const ObserverOptions& options() const { return options_; }
  gate::Evidence Evidence() const;

 private:
  // Counts from this log time on.
  void Begin(Micros not_before);
  std::string Binding() const;
  Status LookAtSettings(bool& has_changed);
  Status LookAround();
  Status Restore();
  void Count();
  void LookAtBlocks(const Sights& sights, Micros now);
  double ScaleOf(std::string_view metric) const;

  Parts parts_;
  ObserverOptions options_;
  ErasureList erased_;
  GateSettings settings_;
  std::string settings_digest_;  // "" = none are given
  std::vector<std::string> rules_;
  std::map<std::string, Micros> holds_;
  std::string rules_digest_;
  std::unique_ptr<Comparison> comparison_;
  std::unique_ptr<Ingest> ingest_;
  std::unique_ptr<Invariants> invariants_;
  std::unique_ptr<Looks> looks_;
  bool must_save_ = false;  // a breach that is told has to outlive the process
  // What was read before is read again: until then its counts would go back.
  bool has_caught_up_ = false;
  std::optional<Micros> counters_at_;         // UTC, when the surroundings were seen last
  Micros looked_at_ = Micros{INT64_MIN / 2};  // monotonic, as all below
  Micros opened_at_ = Micros{INT64_MIN / 2};  // when it began, or another gate did
  Micros told_at_ = Micros{INT64_MIN / 2};
  Micros saved_at_ = Micros{INT64_MIN / 2};
};

// The head and the check around a state's body; "" for a binding of another rollout.
std::string EncodeState(std::string_view binding, std::string_view body);
struct State {
  std::string binding = {};
  std::string body = {};
};
//   kCorrupt      cut, torn or no state
//   kUnsupported  of a newer version
Result<State> DecodeState(std::string_view file);

}  // namespace telltale::gate
