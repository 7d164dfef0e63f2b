#include "app/up_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <system_error>

namespace telltale::app {

Result<ChildLog> ChildLog::Open(const std::string& path) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
  if (fd >= 0) return ChildLog(fd);
  return Error{Code::kUnavailable, path + ": " + std::generic_category().message(errno)};
}

ChildLog::~ChildLog() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace telltale::app
