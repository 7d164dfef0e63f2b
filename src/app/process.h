// Child processes: started in the right user, ended with their parent.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "app/users.h"
#include "base/ids.h"
#include "base/result.h"

namespace telltale::app {

// Settings that a child has before its program begins. A zero leaves ours.
struct ProcessLimits {
  std::uint64_t memory_bytes = 0;  // of address space; a soft limit, so that it can be lifted
  std::uint64_t files = 0;         // open at a time; likewise
  int nice = 0;                    // above ours
  int oom_score_adj = 0;           // what the kernel kills first when memory is short; up to 1000
  bool no_core = false;            // a core file would hold reports
  friend bool operator==(const ProcessLimits&, const ProcessLimits&) = default;
};

struct Program {
  std::string name;                    // for messages
  std::vector<std::string> arguments;  // arguments[0] is the path of the program
  std::vector<std::string> variables;  // "NAME=value", added to ours
  std::optional<User> user;            // nullopt = ours
  int output_fd = -1;                  // becomes its standard output; -1 = ours
  ProcessLimits limits = {};
  int error_fd = -1;  // becomes its standard error; -1 = ours
};

// Starts it with signals as a fresh process has them. It is killed when this process dies, however
// that happens; so call it from the main thread, which lives as long as the process.
//   kUnavailable  no more processes, or the program cannot be executed as that user
Result<pid_t> Start(const Program& program);

// The same for one that runs, as far as we may: what root started can be lifted again, so only root
// changes its nice value. What cannot be changed stays until its next start.
void ChangeLimits(pid_t pid, const ProcessLimits& limits);

// User and system time that a process of ours has used so far, all its threads together; nullopt
// when that cannot be told.
std::optional<Micros> CpuTimeOf(pid_t pid);
// Bytes of memory that it holds now; nullopt likewise.
std::optional<std::uint64_t> ResidentBytesOf(pid_t pid);

struct Ended {
  int wait_status = 0;
  Micros cpu = {};  // user and system time that it had used, all in all
};
// Of a child, when it has ended; it is forgotten then. Does not block.
std::optional<Ended> TakeEnded(pid_t pid);

// Blocks until it ends; gives the wait status.
Result<int> WaitFor(pid_t pid);
// "exited with code 3", "was killed by signal 9 (Killed)"
std::string DescribeEnd(int wait_status);

}  // namespace telltale::app
