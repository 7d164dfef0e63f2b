// A file that a child process writes its messages to.
#pragma once

#include <string>
#include <utility>

#include "base/result.h"

namespace telltale::app {

// Open for as long as the child may be started again.
class ChildLog {
 public:
  // Goes on at the end of what is there.
  //   kUnavailable  it cannot be written
  static Result<ChildLog> Open(const std::string& path);
  ChildLog(ChildLog&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ChildLog& operator=(ChildLog&&) = delete;
  ~ChildLog();
  int fd() const { return fd_; }

 private:
  explicit ChildLog(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace telltale::app
