// Control's errands to the lakes: what the candidate of a rollout would have put into its
// environment's lake is computed beside what is there, for the cohort of the stage at hand, and
// given up to be dropped when the rollout is over. docs/lake.md, "The shadow of a candidate".
//   in      rollouts and diffs, asked of the plane; each environment's reports in data/lake/shadow
//   out     runs of `python -m telltale_lake shadow …`, one at a time; what they said, in the log
//   thread  one, which lives longer than the object (process.h)
// Nothing waits for an errand: one that fails is said in the log and costs the rollout nothing.
#pragma once

#include <sys/types.h>

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "app/control_lake_errands.h"
#include "app/layout.h"
#include "base/clock.h"
#include "base/disk.h"
#include "base/result.h"
#include "control/plane.h"

namespace telltale::app {

inline constexpr Micros kLakeErrandMax = Micros::Seconds(30 * 60);  // then it is killed
inline constexpr Micros kLakeErrandPause = Micros::Seconds(30);     // after a failure
inline constexpr int kLakeErrandTries = 3;

class ControlLake {
 public:
  // References must outlive it. `actor` may read everything.
  ControlLake(control::Plane& plane, control::Actor actor, Disk& disk, const Clock& clock,
              Layout layout);
  ~ControlLake();  // kills what runs
  ControlLake(const ControlLake&) = delete;
  ControlLake& operator=(const ControlLake&) = delete;

  // Call about every second. Begins nothing unless the plane leads.
  void Look();

  pid_t pid() const { return pid_; }  // of what runs; 0 = nothing
  const LakeOutcomes& outcomes() const { return outcomes_; }

 private:
  struct Tries {
    int count = 0;
    Micros due = {};  // monotonic
  };

  Status See();
  Result<std::vector<LakeRollout>> AskRollouts();
  void AskDiff(LakeRollout& one);
  bool HasTheInstalledFeatures(const LakeRollout& one);
  std::optional<LakeErrand> Next();
  bool IsThere(const LakeErrand& errand) const;
  bool IsUseless(const LakeErrand& errand) const;
  void Start(const LakeErrand& errand);
  void Watch();
  void Finish(int wait_status);
  void Fail(const LakeErrand& errand, const std::string& why);
  Result<nlohmann::json> Ask(std::string_view operation, const nlohmann::json& arguments) {
    return plane_.Do(actor_, operation, arguments);
  }

  control::Plane& plane_;
  const control::Actor actor_;
  Disk& disk_;
  const Clock& clock_;
  const Layout layout_;

  bool is_leader_ = false;
  nlohmann::json places_;  // where each environment's newest rollout was when we asked for all
  std::vector<LakeRollout> rollouts_;
  std::string trouble_;  // what was said of the plane last
  LakeOutcomes outcomes_;
  std::map<std::string, Tries> tries_;  // by the errand's name

  pid_t pid_ = 0;
  LakeErrand running_;
  int said_fd_ = -1;  // its standard output and error
  Micros kill_at_;    // monotonic
};

}  // namespace telltale::app
