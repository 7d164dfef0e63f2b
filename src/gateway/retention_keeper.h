// Runs retention over the gateway's streams, and stops the door before a stream would expire under
// a reader: an alarm when the slowest reader is half of retention behind, no reading from vehicles
// at four fifths, until it has caught up. Nothing that was acknowledged goes while its reader has
// not passed it, so a reader that stands still costs disk first and new reports last.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/counters.h"
#include "base/disk.h"
#include "base/mutex.h"
#include "gateway/condition_file.h"
#include "gateway/retention_clock.h"
#include "log/streams.h"

namespace telltale::gateway {

// Alarm and stop: log::kRetentionAlarmShare and kRetentionStopShare. They end below these, so that
// a reader at the mark does not switch them on and off.
inline constexpr double kRetentionAlarmEndShare = 0.45;
inline constexpr double kRetentionResumeShare = 0.7;
inline constexpr std::chrono::milliseconds kRetentionEvery{60'000};
inline constexpr std::chrono::milliseconds kRetentionEveryStopped{5'000};

class RetentionKeeper {
 public:
  struct Options {
    std::string positions_dir;
    std::string releases_dir;  // <digest> for each release that is installed
    std::string run_folder;    // which roles are served (base/role.h)
    Micros keep_for;           // safety and telemetry
    Micros keep_sealed_for;
    std::uint64_t segment_bytes = 0;  // to say how much was removed
  };
  struct Parts {
    Disk& disk;
    log::Streams& streams;
    Clock& clock;
    Counters& counters;
    // True: do not read from vehicles; false: the reason has gone. Called when it changes.
    std::function<void(bool)> hold_reading;
  };
  // What `parts` refers to must outlive it.
  RetentionKeeper(Options options, Parts parts);
  ~RetentionKeeper() { Stop(); }

  // A first pass at once, then one a minute, on a thread of its own.
  void Start();
  void Stop();
  // One pass, on the caller's thread; waits for one that is under way. A pass that fails changes
  // nothing but what it had removed; it is logged, counted and tried again.
  void Pass();

  // For whom vehicles are not read: the slowest reader, as last seen. Any thread.
  std::optional<Conditions::RetentionStop> held() const;

 private:
  using ReaderName = std::pair<std::string, std::string>;  // stream, reader
  struct Lag {
    double share = 0;
    std::string problem;
  };

  log::StreamRetention Stream(const std::string& name, Micros keep_for,
                              const std::string& reader) const;
  void RetireWorkers();
  Micros Now() REQUIRES(pass_mutex_);
  void SayFailure(const Error& error) REQUIRES(pass_mutex_);
  void CountRemoved(const log::RetentionReport& report);
  void Alarm(const std::map<ReaderName, Lag>& lags) REQUIRES(pass_mutex_);
  void Decide(const std::map<ReaderName, Lag>& lags);
  Counter& ShareGauge(const ReaderName& name);

  const Options options_;
  Parts parts_;
  Counter& passes_;
  Counter& failures_;
  Counter& clock_doubts_;
  Counter& retired_;
  Counter& alarms_;
  Counter& stops_;
  Counter& stopped_;  // a gauge

  Mutex pass_mutex_;
  RetentionClock clock_ GUARDED_BY(pass_mutex_);
  std::map<ReaderName, bool> alarmed_ GUARDED_BY(pass_mutex_);  // every reader that was seen
  std::string failed_with_ GUARDED_BY(pass_mutex_);

  mutable Mutex mutex_;
  CondVar wake_;
  bool is_ending_ GUARDED_BY(mutex_) = false;
  std::optional<Conditions::RetentionStop> held_ GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace telltale::gateway
