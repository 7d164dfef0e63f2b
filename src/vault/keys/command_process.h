// Runs one program to its end: no shell, no environment but the given one, a time limit.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace telltale::vault {

struct Command {
  std::string program;  // a path
  std::vector<std::string> arguments;
  std::vector<std::string> environment;  // "NAME=value"
  std::string input;                     // at most kCommandInputBytesMax
  Micros timeout;
};
struct CommandEnd {
  int status = 0;  // what it exited with
  std::string output;
};

inline constexpr std::size_t kCommandInputBytesMax = 16u << 10;  // what a pipe takes at once
inline constexpr std::size_t kCommandOutputBytesMax = 64u << 10;

// Its standard error is not kept: it may say more than a log may hold. On a timeout it is killed
// with everything it started (its process group).
//   kUnavailable  does not start, was ended by a signal, or took too long
//   kTooBig       input or output over the limits above
Result<CommandEnd> RunCommand(const Command& command, const Clock& clock);

}  // namespace telltale::vault
