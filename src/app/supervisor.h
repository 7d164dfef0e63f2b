// Keeps child processes running: starts them, says why one died, starts it again with back-off, and
// ends them all.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "app/backoff.h"
#include "app/process.h"
#include "app/run_files.h"
#include "base/clock.h"
#include "base/result.h"

namespace telltale::app {

inline constexpr std::chrono::milliseconds kEndGrace{5000};  // from SIGTERM to SIGKILL

// Main thread only (process.h). Whatever happens to this process, its children end with it.
class Supervisor {
 public:
  // `clock` and `run_files` must outlive it. `end_grace`: from SIGTERM to SIGKILL.
  Supervisor(Clock& clock, const RunFiles& run_files,
             std::chrono::milliseconds end_grace = kEndGrace)
      : clock_(clock), run_files_(run_files), end_grace_(end_grace) {}
  ~Supervisor() { EndAll(); }
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // Starts `program` and keeps it running. Errors as Start(): then it is not kept.
  Status Keep(const Program& program);
  // The same for one that nothing waits for: when it does not start it is tried again, and
  // AllRunFor() does not count it. Nothing of that name is kept.
  void KeepTrying(const Program& program);
  // SIGTERM, and SIGKILL after kEndGrace; forgotten by the Look() that finds it ended. A name that
  // is not kept is fine.
  void Drop(const std::string& name);
  bool Keeps(const std::string& name) const { return Find(name) != nullptr; }
  // For what runs and for its next start.
  void ChangeLimits(const std::string& name, const ProcessLimits& limits);
  // Whether AllRunFor() counts it.
  void SetCounted(const std::string& name, bool is_counted);

  struct State {
    pid_t pid = 0;  // 0 = it does not run
    bool is_leaving = false;
    std::uint32_t restarts = 0;
    std::string last_end;  // "exited with code 3"; "" = it never ended
  };
  std::optional<State> StateOf(const std::string& name) const;
  // User and system time of all its incarnations since it is kept; never less than before.
  // nullopt: no such name.
  std::optional<Micros> CpuOf(const std::string& name);
  // Looks after ended children and starts those whose time has come. Call every 100 ms or so.
  void Look();
  // SIGTERM to all, SIGKILL to what is left after the grace. Nothing is kept afterwards.
  void EndAll();

  // All that are counted run, each for `at_least` without a break: one that dies on its own start
  // is not ready.
  bool AllRunFor(std::chrono::milliseconds at_least) const;
  // Ends since the last time it ran for kBackoffResetAfter; 0 for a name that is not kept.
  std::uint32_t early_ends(const std::string& name) const;

 private:
  struct Child {
    Program program;
    pid_t pid = 0;          // 0 = not running
    Micros started_at;      // monotonic
    Micros start_again_at;  // monotonic, when not running
    Backoff backoff;
    bool is_counted = true;  // by AllRunFor
    bool is_leaving = false;
    Micros kill_at;  // monotonic, when leaving
    std::uint32_t restarts = 0;
    std::string last_end = {};
    Micros cpu_of_ended = {};  // of all incarnations before
    Micros cpu_seen = {};      // of the one that runs
  };
  static Child ChildOf(const Program& program);
  const Child* Find(const std::string& name) const;
  Child* Find(const std::string& name);
  void LookAtLeaving(Child& child);
  Status StartChild(Child& child);
  void Reap(Child& child, bool ending);
  void SignalAll(int signal_number);
  bool any_runs() const;

  Clock& clock_;
  const RunFiles& run_files_;
  const std::chrono::milliseconds end_grace_;
  std::vector<Child> children_;
};

}  // namespace telltale::app
