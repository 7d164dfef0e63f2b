#include "vault/keys/command_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

// Debian 12's header says C++ where it means C.
extern "C" {
#include <sys/pidfd.h>
}

#include "base/bytes.h"
#include "seal/derive.h"

namespace telltale::vault {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  ~Descriptor() { Close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  void Reset(int fd) {
    Close();
    fd_ = fd;
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

struct Pipe {
  Descriptor read;
  Descriptor write;
  bool Make() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    read.Reset(ends[0]);
    write.Reset(ends[1]);
    return true;
  }
};

Error Failed(const Command& command, std::string_view what) {
  return Error{Code::kUnavailable, fmt::format("the command {} {}", command.program, what)};
}

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// A group of its own, so that what it starts can be ended with it; no signal blocked or ignored.
Result<pid_t> Spawn(const Command& command, const Pipe& in, const Pipe& out) {
  std::vector<std::string> words = {command.program};
  words.insert(words.end(), command.arguments.begin(), command.arguments.end());
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  sigset_t all;
  sigset_t none;
  sigfillset(&all);
  sigemptyset(&none);
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, in.read.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&files, out.write.get(), STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  pid_t child = 0;
  const int failed = posix_spawn(&child, command.program.c_str(), &files, &attributes,
                                 Pointers(words).data(), Pointers(command.environment).data());
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (failed != 0) {
    return Failed(command, "does not start: " + std::generic_category().message(failed));
  }
  return child;
}

// A child that is waited for on every path.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  ~Child() {
    if (pid_ == 0) return;
    kill(-pid_, SIGKILL);
    Wait();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  int Wait() {
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    return status;
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

class Deadline {
 public:
  Deadline(const Clock& clock, Micros timeout)
      : clock_(clock), end_(clock.NowMonotonic() + timeout) {}
  // Whether `fd` has something, or its other end is closed, before the time is over.
  bool WaitFor(int fd) const {
    for (;;) {
      const std::int64_t left_ms = ((end_ - clock_.NowMonotonic()).value + 999) / 1000;
      if (left_ms <= 0) return false;
      pollfd one{.fd = fd, .events = POLLIN, .revents = 0};
      const int ready = poll(&one, 1, static_cast<int>(left_ms));
      if (ready > 0) return true;
      if (ready < 0 && errno != EINTR) return false;
    }
  }

 private:
  const Clock& clock_;
  const Micros end_;
};

Status ReadAll(const Command& command, int fd, const Deadline& deadline, std::string& output) {
  std::array<char, 4096> buffer;
  for (;;) {
    if (!deadline.WaitFor(fd)) return Failed(command, "took too long and was ended");
    const ssize_t got = read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Failed(command, "cannot be read from");
    if (got == 0) return Ok();
    output.append(buffer.data(), static_cast<std::size_t>(got));
    OPENSSL_cleanse(buffer.data(), buffer.size());
    if (output.size() > kCommandOutputBytesMax) {
      return Error{Code::kTooBig, "the command " + command.program + " answers more than it may"};
    }
  }
}

}  // namespace

Result<CommandEnd> RunCommand(const Command& command, const Clock& clock) {
  if (command.input.size() > kCommandInputBytesMax) {
    return Error{Code::kTooBig, "more input than a command takes"};
  }
  Pipe in;
  Pipe out;
  if (!in.Make() || !out.Make()) return Failed(command, "has no pipe to talk through");
  // All of it fits into the pipe: written before there is a reader that could go away.
  if (write(in.write.get(), command.input.data(), command.input.size()) !=
      static_cast<ssize_t>(command.input.size())) {
    return Failed(command, "cannot be written to");
  }
  in.write.Close();
  const Deadline deadline(clock, command.timeout);
  ASSIGN_OR_RETURN(const pid_t pid, Spawn(command, in, out));
  Child child(pid);
  out.write.Close();
  in.read.Close();
  CommandEnd end;
  Status status = ReadAll(command, out.read.get(), deadline, end.output);
  const Descriptor process(pidfd_open(pid, 0));
  if (status.ok() && (process.get() < 0 || !deadline.WaitFor(process.get()))) {
    status = Failed(command, "took too long and was ended");
  }
  if (!status.ok()) {
    seal::Wipe(end.output);
    return status.error();
  }
  const int how = child.Wait();
  if (WIFEXITED(how)) {
    end.status = WEXITSTATUS(how);
    return end;
  }
  seal::Wipe(end.output);
  return Failed(command, "was ended by a signal");
}

}  // namespace telltale::vault
