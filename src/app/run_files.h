// Small files in run/ that say what runs: <role>.pid, supervisor.pid, ready.
//
// The supervisor may be root while run/ belongs to `telltale`. So a file is written beside its name
// without following links and then renamed over it: nothing outside run/ can be reached.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace telltale::app {

// One thread.
class RunFiles {
 public:
  explicit RunFiles(std::string folder) : folder_(std::move(folder)) {}

  // Not synced: what runs is no promise across a power cut.
  Status Write(const std::string& name, const std::string& content) const;
  void Remove(const std::string& name) const;  // one that is not there is fine
  bool Exists(const std::string& name) const;
  std::optional<std::string> Read(const std::string& name) const;  // at most 4 KiB
  // <name>.pid; nullopt when there is none or it is no number.
  std::optional<pid_t> ReadPid(const std::string& name) const;
  // When it was last written (wall clock); nullopt when it is not there.
  std::optional<Micros> ChangedAt(const std::string& name) const;
  // The roles that are kept, for who looks at the folder.
  Status WriteWanted(const std::vector<std::string>& roles) const;
  bool IsWanted(const std::string& role) const;  // true when nothing was written
  // What a run before this one left: *.pid, *.port, *.conditions, ready, roles,
  // releases.json, counters/*.
  void RemoveStale() const;
  const std::string& folder() const { return folder_; }

 private:
  std::string folder_;
};

// Held by the one supervisor of a folder, for as long as the object lives; the kernel lets go of it
// when the process ends, however it ends.
class SupervisorLock {
 public:
  //   kExists  another supervisor holds it
  static Result<SupervisorLock> Take(const std::string& run_folder);
  // Whether somebody holds it.
  static bool IsHeld(const std::string& run_folder);
  SupervisorLock(SupervisorLock&& other) noexcept;
  SupervisorLock& operator=(SupervisorLock&&) = delete;
  ~SupervisorLock();

 private:
  explicit SupervisorLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace telltale::app
