#include "base/file_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace telltale {
namespace {

class PosixFileLock final : public FileLock {
 public:
  explicit PosixFileLock(int fd) : fd_(fd) {}
  ~PosixFileLock() override { close(fd_); }
  PosixFileLock(const PosixFileLock&) = delete;
  PosixFileLock& operator=(const PosixFileLock&) = delete;

 private:
  const int fd_;
};

}  // namespace

Result<std::unique_ptr<FileLock>> LockFile(Disk& disk, const std::string& path) {
  if (auto* own = dynamic_cast<LockingDisk*>(&disk)) return own->TryLock(path);
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (fd < 0) {
    return Error{Code::kUnavailable,
                 fmt::format("cannot open {}: {}", path, std::generic_category().message(errno))};
  }
  auto lock = std::make_unique<PosixFileLock>(fd);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    return Error{Code::kUnavailable, fmt::format("{} is held by another process; stop it", path)};
  }
  return std::unique_ptr<FileLock>(std::move(lock));
}

}  // namespace telltale
