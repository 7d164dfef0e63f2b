// L0: what must never happen, each from something that exists. Breaches are kept; whether stable
// shows the same is told beside them, and the verdict is the judge's. One thread.
#pragma once

#include <array>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "gate/comparison.h"
#include "gate/evidence.h"
#include "gate/settings.h"
#include "gate/sights.h"

namespace telltale::gate {

inline constexpr Micros kStuckAfter = Micros::Seconds(60);  // input, and no mark moves
inline constexpr std::uint64_t kCrashesMax = 3;             // in ...
inline constexpr Micros kCrashWindow = Micros::Seconds(600);
inline constexpr Micros kReasonStands =
    Micros::Seconds(5);                                   // until stable's counters were read too
inline constexpr std::int64_t kSilenceVehiclesMin = 3;    // of which stable spoke
inline constexpr std::size_t kSilenceCountedMax = 1'000;  // so many say enough
inline constexpr double kSilenceMissingMax = 0.5;  // a rule that may lose more is declared as less
// So long after stable's last breach its like of the candidate is not the candidate's own ...
inline constexpr Micros kMaskFor = Micros::Seconds(600);
// ... and what ended with it never was.
inline constexpr Micros kSameTrouble = Micros::Seconds(120);
inline constexpr Micros kLagPace = Micros::Seconds(10);  // how often a lag is noted
inline constexpr std::uint64_t kLagRecordsMin = 1'000;   // less is no lag

class Invariants {
 public:
  // `window`: the longest state of a rule, as far as lag goes.
  explicit Invariants(Micros window) : window_(window) {}

  // True when there is a breach that was not there before. `now` is monotonic, `at` is UTC.
  // `settings`: of the gate; nullptr: none are given.
  bool Look(const Comparison& comparison, const Sights& sights, const GateSettings* settings,
            Micros now, Micros at);
  // Of stable what is of the last kMaskFor.
  std::vector<InvariantEvidence> Evidence() const;
  void Forget(const ErasureList& erased);

  void Encode(std::string& out) const;
  Status Restore(ByteReader& in);  // kCorrupt

 private:
  struct Stuck {
    Offset below = {};
    Micros since = {};
    bool is_noted = false;
  };
  struct Lag {
    Micros grows_since = {};
    Micros noted_at = {};
    std::uint64_t records = 0;
    std::uint64_t at_start = 0;
    bool is_noted = false;
  };
  struct Crashes {
    bool has_seen = false;  // what was before the first look is not looked at
    std::uint64_t restarts = 0;
    std::vector<Micros> at = {};  // UTC
    bool is_noted = false;
  };
  static void DecodeCrashes(ByteReader& in, Crashes& out);
  // Sets what a whole look gives: never lower than before.
  void Raise(Invariant invariant, Side side, std::int64_t breaches, std::int64_t vehicles,
             const std::string& what);
  void Add(Invariant invariant, Side side, const std::string& what);
  void AddVehicles(Invariant invariant, const std::vector<VehicleRef>& vehicles);
  void Watched(Invariant invariant, Micros at);
  void Stands(Invariant invariant, Side side);  // a breach that was noted goes on
  void LetGo();                                 // what stable got over

  void LookAtJournals(const Comparison& comparison, Micros at);
  void LookAtPublished(const AuthoritySight& authority, Micros at);
  void LookAtDrops(const Sights& sights, Micros now, Micros at);
  void LookAtProgress(const Comparison& comparison, const Sights& sights, Micros now, Micros at);
  void LookAtLag(const Comparison& comparison, const Sights& sights, Micros now, Micros at);
  void LookAtCrashes(const Sights& sights, Micros at);
  void LookAtSilence(const Comparison& comparison, const GateSettings* settings, Micros at);

  const Micros window_;
  std::array<InvariantEvidence, kInvariants> seen_ = {};
  std::array<std::array<Micros, 2>, kInvariants> newest_ = {};  // UTC, of the breaches, by Side
  Micros at_ = {};                                              // of this look
  bool is_new_ = false;
  std::map<std::pair<PartitionId, Side>, Stuck> stuck_;
  std::array<Lag, 2> lags_ = {};
  std::array<Crashes, 2> crashes_ = {};
  // By reason, the most that stable ever counted: a worker's counters begin anew with it.
  std::map<std::string, std::uint64_t> stable_drops_;
  std::map<std::string, Micros> new_reasons_;  // since when only the candidate has them
  std::set<std::string> told_reasons_;
};

}  // namespace telltale::gate
