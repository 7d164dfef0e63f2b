#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/disk.h"

namespace telltale {
namespace {

Error Failure(const char* doing, const std::string& path, int error) {
  Code code = Code::kUnavailable;
  if (error == ENOENT) code = Code::kNotFound;
  if (error == EEXIST) code = Code::kExists;
  if (error == ENOSPC || error == EDQUOT) code = Code::kOverloaded;
  if (error == EACCES || error == EPERM) code = Code::kRefused;
  return Error{
      code, fmt::format("cannot {} {}: {}", doing, path, std::generic_category().message(error))};
}

class PosixFile final : public File {
 public:
  PosixFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~PosixFile() override { close(fd_); }
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;

  Result<std::size_t> ReadAt(std::uint64_t at, std::span<std::uint8_t> out) const override {
    std::size_t done = 0;
    while (done < out.size()) {
      const ssize_t got =
          pread(fd_, out.data() + done, out.size() - done, static_cast<off_t>(at + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return Failure("read", path_, errno);
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    return done;
  }

  Status WriteAt(std::uint64_t at, ByteSpan bytes) override {
    std::size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t put =
          pwrite(fd_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(at + done));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) return Failure("write", path_, errno);
      done += static_cast<std::size_t>(put);
    }
    return Ok();
  }

  Status Sync() override {
    return fdatasync(fd_) == 0 ? Ok() : Status(Failure("sync", path_, errno));
  }

  Result<std::uint64_t> Size() const override {
    struct stat info{};
    if (fstat(fd_, &info) != 0) return Failure("stat", path_, errno);
    return static_cast<std::uint64_t>(info.st_size);
  }

  Status Truncate(std::uint64_t size) override {
    if (ftruncate(fd_, static_cast<off_t>(size)) != 0) return Failure("truncate", path_, errno);
    return Ok();
  }

  Status Preallocate(std::uint64_t size) override {
    const int error = posix_fallocate(fd_, 0, static_cast<off_t>(size));
    if (error != 0) return Failure("reserve space for", path_, error);
    return Ok();
  }

 private:
  const int fd_;
  const std::string path_;
};

int FlagsOf(OpenMode mode) {
  switch (mode) {
    case OpenMode::kRead:
      return O_RDONLY;
    case OpenMode::kReadWrite:
      return O_RDWR;
    case OpenMode::kCreate:
      return O_RDWR | O_CREAT | O_EXCL;
    case OpenMode::kCreateOrOpen:
      return O_RDWR | O_CREAT;
  }
  return O_RDONLY;
}

}  // namespace

Result<std::unique_ptr<File>> PosixDisk::Open(const std::string& path, OpenMode mode,
                                              std::uint32_t permissions) {
  const int fd = open(path.c_str(), FlagsOf(mode) | O_CLOEXEC, permissions);
  if (fd < 0) return Failure("open", path, errno);
  return std::unique_ptr<File>(std::make_unique<PosixFile>(fd, path));
}

Result<std::vector<std::string>> PosixDisk::List(const std::string& folder) {
  DIR* dir = opendir(folder.c_str());
  if (dir == nullptr) return Failure("list", folder, errno);
  std::vector<std::string> names;
  while (const dirent* entry = readdir(dir)) {  // NOLINT(concurrency-mt-unsafe): own DIR
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  closedir(dir);
  std::sort(names.begin(), names.end());
  return names;
}

bool PosixDisk::Exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

Status PosixDisk::MakeFolders(const std::string& folder, std::uint32_t permissions) {
  for (std::size_t at = 1; at <= folder.size(); ++at) {
    if (at != folder.size() && folder[at] != '/') continue;
    const std::string part = folder.substr(0, at);
    if (mkdir(part.c_str(), permissions) != 0 && errno != EEXIST) {
      return Failure("make folder", part, errno);
    }
  }
  return Ok();
}

Status PosixDisk::Rename(const std::string& from, const std::string& to) {
  return rename(from.c_str(), to.c_str()) == 0 ? Ok() : Status(Failure("rename", from, errno));
}

Status PosixDisk::Remove(const std::string& path) {
  return remove(path.c_str()) == 0 ? Ok() : Status(Failure("remove", path, errno));
}

Status PosixDisk::SyncFolder(const std::string& folder) {
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Failure("open folder", folder, errno);
  const int failed = fsync(fd);
  const int error = errno;
  close(fd);
  return failed == 0 ? Ok() : Status(Failure("sync folder", folder, error));
}

}  // namespace telltale
