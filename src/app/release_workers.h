// One worker for each speaker of the releases that the config in force names, kept by `telltale
// serve`: started, limited while on trial, and ended when it is no longer named.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "app/layout.h"
#include "app/process.h"
#include "app/run_files.h"
#include "app/supervisor.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/disk.h"
#include "control/config_record.h"

namespace telltale::app {

// What a release is for.
enum class Place { kStable, kPrevious, kCandidate };
const char* NameOf(Place place);  // "stable"

struct WantedWorker {
  std::string release;
  Place place = Place::kStable;
};
// The speakers: stable's first; no release twice.
std::vector<WantedWorker> WorkersOf(const control::InForce& in_force);

// "worker-" and the first 8 digits: its process, files in run/ and consumer.
std::string WorkerName(const std::string& release);

// The previous release is the way back: it keeps what it needed as the stable one, and only goes
// first when memory is short.
ProcessLimits LimitsOf(Place place, const Config& config);

// The program of a release's engine: data/engines/<digest>, else the installation's own.
//   kRefused   the installation's is another, and the environment's kind is not dev (there: a
//              warning)
//   kCorrupt   the file in data/engines is not what its name says
//   others     of control::LoadRelease
Result<std::string> EngineOf(Disk& disk, const Paths& paths, const Layout& layout,
                             const Config& config, const std::string& release);

// Main thread.
class ReleaseWorkers {
 public:
  struct Options {
    Paths paths;
    Layout layout;
    Config config;
    // As a role is started; its engine and limits are filled in.
    std::function<Program(const std::string& release)> program;
  };
  // What is referred to must outlive it.
  ReleaseWorkers(Options options, Disk& disk, Clock& clock, Supervisor& supervisor,
                 const RunFiles& run_files)
      : options_(std::move(options)),
        disk_(disk),
        clock_(clock),
        supervisor_(supervisor),
        run_files_(run_files) {}

  // Takes `first`, or a newer one that is kept and signed with control's key (32 raw bytes). To be
  // called before the others.
  void Begin(const control::InForce& first, const std::string& control_public);
  // The newest config in force that control signed.
  const control::InForce& in_force() const { return in_force_; }

  // Starts the worker of stable's speaker; Look() starts the others. Errors of EngineOf and Keep.
  Status StartStable();
  // Call every 100 ms or so, with the supervisor's.
  void Look();

  std::string stable_name() const { return WorkerName(in_force_.SpeakerOfStable()); }

 private:
  struct Worker {
    Place place = Place::kStable;
    std::string stopped = {};         // why it is not to run under this config; "" = it is
    std::string waits_for = {};       // why it was not started
    Micros try_at;                    // monotonic
    std::uint64_t journal_bytes = 0;  // as last seen
    std::uint64_t journal_from = 0;   // with which this config came into force
    // What it cost in this place: of every incarnation, since this count began.
    std::string cpu_for = {};  // place and rollout that are counted
    Micros cpu_since;          // UTC
    Micros cpu;
    Micros cpu_seen;              // of the supervisor's own count
    std::uint64_t rss_bytes = 0;  // at the last look; 0 = none runs, or it cannot be told
  };

  bool TakeNewestConfig();
  void Apply();
  void StartWaiting();
  Status StartOne(const std::string& release, Worker& worker);
  void LookAtJournals();
  void LookAtCosts();
  void CountCpu(const std::string& release, Worker& worker);
  void ForgetDropped();
  // Of a release that is not named any more: what would hold retention and erasure back.
  void RemoveTraces(const std::string& name);
  void RemoveOldJournals();
  nlohmann::ordered_json SpokenForBy(const std::string& release) const;
  void Tell();

  const Options options_;
  Disk& disk_;
  Clock& clock_;
  Supervisor& supervisor_;
  const RunFiles& run_files_;

  std::string control_public_;
  control::InForce in_force_;
  std::map<std::string, Worker> workers_;  // by release
  std::string refused_;                    // what was wrong with the newest config
  Micros looked_at_config_;                // monotonic
  Micros looked_at_journals_;
  Micros looked_at_cpu_;
  Micros swept_at_;
  std::string told_;
};

}  // namespace telltale::app
