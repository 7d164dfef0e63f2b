#include "app/subject_lake.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "app/process.h"

namespace telltale::app {
namespace {

constexpr int kUsageExit = 2;       // argparse
constexpr int kIncompleteExit = 3;  // of `erase`: what it printed says for whom it waits

// To its end. The program writes while this reads, so no pipe fills up.
std::string ReadAll(int fd) {
  std::string text;
  char piece[64 << 10];
  while (true) {
    const ssize_t got = read(fd, piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(piece, static_cast<std::size_t>(got));
  }
}

}  // namespace

Result<std::string> LakePython::Run(const std::vector<std::string>& arguments) {
  Program program{.name = "telltale_lake", .arguments = {}, .variables = {}, .user = {}};
  program.arguments = {layout_.python, "-m", "telltale_lake"};
  program.arguments.insert(program.arguments.end(), arguments.begin(), arguments.end());
  program.variables = {"PYTHONPATH=" + layout_.python_site, "PYTHONDONTWRITEBYTECODE=1"};
  int output[2];
  if (pipe2(output, O_CLOEXEC) != 0) return Error{Code::kUnavailable, "no more files"};
  program.output_fd = output[1];
  const auto pid = Start(program);
  close(output[1]);
  const std::string text = pid.ok() ? ReadAll(output[0]) : "";
  close(output[0]);
  if (!pid.ok()) return pid.error();
  ASSIGN_OR_RETURN(const int status, WaitFor(*pid));
  if (WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == kIncompleteExit)) {
    return text;
  }
  const Code code = WIFEXITED(status) && WEXITSTATUS(status) == kUsageExit ? Code::kUnsupported
                                                                           : Code::kUnavailable;
  return Error{code, fmt::format("telltale_lake {} {}", arguments.empty() ? "" : arguments[0],
                                 DescribeEnd(status))};
}

}  // namespace telltale::app
