#include "app/run_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <system_error>
#include <utility>

namespace telltale::app {
namespace {

constexpr const char* kWanted = "roles";

std::string LockPath(const std::string& run_folder) { return run_folder + "/supervisor.lock"; }

Error Failed(const std::string& path) {
  return Error{Code::kUnavailable,
               fmt::format("cannot write {}: {}", path, std::generic_category().message(errno))};
}

}  // namespace

Status RunFiles::Write(const std::string& name, const std::string& content) const {
  const std::string path = folder_ + "/" + name;
  const std::string beside = path + ".new";
  unlink(beside.c_str());
  const int fd = open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (fd < 0) return Failed(beside);
  const ssize_t put = write(fd, content.data(), content.size());
  const bool whole = put == static_cast<ssize_t>(content.size()) && fchmod(fd, 0644) == 0;
  const Status result = whole ? Ok() : Status(Failed(beside));
  close(fd);
  RETURN_IF_ERROR(result);
  return rename(beside.c_str(), path.c_str()) == 0 ? Ok() : Status(Failed(path));
}

void RunFiles::Remove(const std::string& name) const { unlink((folder_ + "/" + name).c_str()); }

bool RunFiles::Exists(const std::string& name) const {
  return access((folder_ + "/" + name).c_str(), F_OK) == 0;
}

std::optional<std::string> RunFiles::Read(const std::string& name) const {
  const int fd = open((folder_ + "/" + name).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  std::array<char, 4096> buffer{};
  const ssize_t got = read(fd, buffer.data(), buffer.size());
  close(fd);
  if (got < 0) return std::nullopt;
  return std::string(buffer.data(), static_cast<std::size_t>(got));
}

std::optional<pid_t> RunFiles::ReadPid(const std::string& name) const {
  const auto text = Read(name + ".pid");
  if (!text) return std::nullopt;
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), pid);
  if (error != std::errc() || pid <= 0) return std::nullopt;
  return pid;
}

std::optional<Micros> RunFiles::ChangedAt(const std::string& name) const {
  struct stat info{};
  if (lstat((folder_ + "/" + name).c_str(), &info) != 0) return std::nullopt;
  return Micros{info.st_mtim.tv_sec * 1'000'000 + info.st_mtim.tv_nsec / 1000};
}

Status RunFiles::WriteWanted(const std::vector<std::string>& roles) const {
  return Write(kWanted, fmt::format("{}\n", fmt::join(roles, "\n")));
}

bool RunFiles::IsWanted(const std::string& role) const {
  const auto roles = Read(kWanted);
  return !roles || ("\n" + *roles).find("\n" + role + "\n") != std::string::npos;
}

void RunFiles::RemoveStale() const {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder_ + "/counters", error)) {
    Remove("counters/" + entry.path().filename().string());
  }
  for (const auto& entry : std::filesystem::directory_iterator(folder_, error)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".pid") || name.ends_with(".port") || name.ends_with(".conditions") ||
        name == "ready" || name == "releases.json" || name == kWanted) {
      Remove(name);
    }
  }
}

Result<SupervisorLock> SupervisorLock::Take(const std::string& run_folder) {
  const std::string path = LockPath(run_folder);
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (fd < 0) return Failed(path);
  SupervisorLock lock(fd);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    return Error{Code::kExists, "`telltale serve` runs here already (" + path + " is held)"};
  }
  return lock;
}

bool SupervisorLock::IsHeld(const std::string& run_folder) {
  const int fd = open(LockPath(run_folder).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return false;
  const bool held = flock(fd, LOCK_SH | LOCK_NB) != 0;
  close(fd);
  return held;
}

SupervisorLock::SupervisorLock(SupervisorLock&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)) {}

SupervisorLock::~SupervisorLock() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace telltale::app
