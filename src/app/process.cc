#include "app/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>

#include "base/check.h"

namespace telltale::app {
namespace {

// Everything the child needs is made before fork: between fork and exec it may not allocate.
struct Prepared {
  std::vector<char*> arguments;
  std::vector<char*> variables;
  const User* user = nullptr;
  ProcessLimits limits;
  std::string oom_score_adj;  // as text
  pid_t parent = 0;
  int report_fd = -1;  // closed by a successful exec; carries errno otherwise
  int output_fd = -1;
  int error_fd = -1;
};

[[noreturn]] void GiveUp(int report_fd) {
  const int error = errno;
  // Nobody to tell when this fails; the parent sees the exit code.
  [[maybe_unused]] const ssize_t told = write(report_fd, &error, sizeof error);
  _exit(127);
}

void ResetSignals() {
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
}

using Resource = decltype(RLIMIT_AS);

// The soft limit; 0: all that the hard one allows.
void LimitTo(pid_t pid, Resource resource, std::uint64_t most) {
  rlimit limit{};
  if (prlimit(pid, resource, nullptr, &limit) != 0) return;
  limit.rlim_cur = most == 0 ? limit.rlim_max : std::min<rlim_t>(most, limit.rlim_max);
  prlimit(pid, resource, &limit, nullptr);
}

void WriteText(const char* path, const std::string& text) {
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  [[maybe_unused]] const ssize_t put = write(fd, text.data(), text.size());
  close(fd);
}

// Before setuid, which closes our own folder in /proc to us.
void Limit(const Prepared& prepared) {
  const ProcessLimits& limits = prepared.limits;
  if (limits.memory_bytes != 0) LimitTo(0, RLIMIT_AS, limits.memory_bytes);
  if (limits.files != 0) LimitTo(0, RLIMIT_NOFILE, limits.files);
  if (limits.nice != 0) setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + limits.nice);
  if (limits.oom_score_adj != 0) WriteText("/proc/self/oom_score_adj", prepared.oom_score_adj);
  const rlimit none{0, 0};
  if (limits.no_core) setrlimit(RLIMIT_CORE, &none);
}

[[noreturn]] void BecomeProgram(const Prepared& prepared) {
  ResetSignals();
  umask(0022);
  Limit(prepared);
  if (prepared.user != nullptr) {
    const gid_t group = prepared.user->gid;
    if (setgroups(1, &group) != 0 || setgid(group) != 0 || setuid(prepared.user->uid) != 0) {
      GiveUp(prepared.report_fd);
    }
  }
  // After setuid, which clears it. If the parent died before this line, it will not tell us.
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) GiveUp(prepared.report_fd);
  if (getppid() != prepared.parent) _exit(127);
  if (prepared.output_fd >= 0 && dup2(prepared.output_fd, STDOUT_FILENO) < 0) {
    GiveUp(prepared.report_fd);
  }
  if (prepared.error_fd >= 0 && dup2(prepared.error_fd, STDERR_FILENO) < 0) {
    GiveUp(prepared.report_fd);
  }
  execve(prepared.arguments[0], prepared.arguments.data(), prepared.variables.data());
  GiveUp(prepared.report_fd);
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> VariablesFor(const Program& program) {
  std::vector<std::string> variables = program.variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view name =
        std::string_view(*variable).substr(0, std::string_view(*variable).find('=') + 1);
    bool replaced = false;
    for (const std::string& own : program.variables) replaced |= own.starts_with(name);
    if (!replaced) variables.emplace_back(*variable);
  }
  return variables;
}

Error Failed(const Program& program, const char* doing, int error) {
  return Error{Code::kUnavailable,
               fmt::format("cannot {} {}: {}", doing,
                           program.arguments.empty() ? program.name : program.arguments[0],
                           std::generic_category().message(error))};
}

}  // namespace

Result<pid_t> Start(const Program& program) {
  CHECK(!program.arguments.empty());
  std::vector<std::string> arguments = program.arguments;
  std::vector<std::string> variables = VariablesFor(program);
  int report[2];
  if (pipe2(report, O_CLOEXEC) != 0) return Failed(program, "start", errno);
  const Prepared prepared{.arguments = Pointers(arguments),
                          .variables = Pointers(variables),
                          .user = program.user ? &*program.user : nullptr,
                          .limits = program.limits,
                          .oom_score_adj = std::to_string(program.limits.oom_score_adj),
                          .parent = getpid(),
                          .report_fd = report[1],
                          .output_fd = program.output_fd,
                          .error_fd = program.error_fd};
  const pid_t pid = fork();
  if (pid == 0) BecomeProgram(prepared);
  const int fork_error = errno;
  close(report[1]);
  if (pid < 0) {
    close(report[0]);
    return Failed(program, "start", fork_error);
  }
  int error = 0;
  ssize_t got = 0;
  do {
    got = read(report[0], &error, sizeof error);
  } while (got < 0 && errno == EINTR);
  close(report[0]);
  if (got != sizeof error) return pid;
  ASSIGN_OR_RETURN([[maybe_unused]] const int status, WaitFor(pid));
  return Failed(program, "execute", error);
}

void ChangeLimits(pid_t pid, const ProcessLimits& limits) {
  LimitTo(pid, RLIMIT_AS, limits.memory_bytes);
  LimitTo(pid, RLIMIT_NOFILE, limits.files);
  WriteText(fmt::format("/proc/{}/oom_score_adj", pid).c_str(),
            std::to_string(limits.oom_score_adj));
  if (geteuid() != 0) return;
  setpriority(PRIO_PROCESS, static_cast<id_t>(pid), getpriority(PRIO_PROCESS, 0) + limits.nice);
}

std::optional<Micros> CpuTimeOf(pid_t pid) {
  clockid_t clock{};
  timespec used{};
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0) {
    return std::nullopt;
  }
  return Micros::Seconds(used.tv_sec) + Micros{used.tv_nsec / 1000};
}

std::optional<std::uint64_t> ResidentBytesOf(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/statm", pid));
  std::uint64_t all = 0;
  std::uint64_t resident = 0;
  if (!(file >> all >> resident)) return std::nullopt;  // in pages
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

std::optional<Ended> TakeEnded(pid_t pid) {
  Ended ended;
  rusage used{};
  if (wait4(pid, &ended.wait_status, WNOHANG, &used) != pid) return std::nullopt;
  ended.cpu = Micros::Seconds(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
              Micros{used.ru_utime.tv_usec + used.ru_stime.tv_usec};
  return ended;
}

Result<int> WaitFor(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return Error{Code::kUnavailable, "cannot wait for a child process"};
  }
  return status;
}

std::string DescribeEnd(int wait_status) {
  if (WIFEXITED(wait_status)) {
    return fmt::format("exited with code {}", WEXITSTATUS(wait_status));
  }
  const int number = WTERMSIG(wait_status);
  const char* const name = sigdescr_np(number);
  return fmt::format("was killed by signal {} ({})", number, name == nullptr ? "unknown" : name);
}

}  // namespace telltale::app
