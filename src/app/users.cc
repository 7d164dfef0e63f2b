#include "app/users.h"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "app/process.h"

namespace telltale::app {
namespace {

constexpr const char* kUseradd = "/usr/sbin/useradd";

std::string Words(int error) { return std::generic_category().message(error); }

Result<User> MakeUser(const char* name) {
  if (const auto user = FindUser(name)) return *user;
  Program useradd;
  useradd.name = "useradd";
  useradd.arguments = {kUseradd,           "--system",          "--user-group",
                       "--no-create-home", "--home-dir",        "/nonexistent",
                       "--shell",          "/usr/sbin/nologin", name};
  ASSIGN_OR_RETURN(const pid_t pid, Start(useradd));
  ASSIGN_OR_RETURN(const int status, WaitFor(pid));
  const auto user = FindUser(name);
  // Another `telltale init` at the same moment may have been first: what counts is the user.
  if (user) return *user;
  return Error{Code::kUnavailable, fmt::format("cannot make the system user {}: useradd {}", name,
                                               DescribeEnd(status))};
}

bool MayPass(const User& user, const struct stat& folder) {
  if (folder.st_uid == user.uid) return (folder.st_mode & S_IXUSR) != 0;
  if (folder.st_gid == user.gid) return (folder.st_mode & S_IXGRP) != 0;
  return (folder.st_mode & S_IXOTH) != 0;
}

Status CheckAllReachable(const Users& users, const std::string& dir,
                         const std::vector<std::string>& programs) {
  for (const User& user : {users.platform, users.vault}) {
    RETURN_IF_ERROR(CheckReachable(user, dir));
    for (const std::string& program : programs) RETURN_IF_ERROR(CheckReachable(user, program));
  }
  return Ok();
}

}  // namespace

std::optional<User> FindUser(const std::string& name) {
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 16384> buffer{};
  if (getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0) return {};
  if (found == nullptr) return std::nullopt;
  return User{found->pw_uid, found->pw_gid};
}

Result<Users> MakeSystemUsers() {
  Users users;
  ASSIGN_OR_RETURN(users.platform, MakeUser(kUserName));
  ASSIGN_OR_RETURN(users.vault, MakeUser(kVaultUserName));
  return users;
}

Status CheckReachable(const User& user, const std::string& path) {
  std::error_code error;
  const std::filesystem::path real = std::filesystem::weakly_canonical(path, error);
  if (error) return Error{Code::kInvalid, fmt::format("{}: {}", path, error.message())};
  for (std::filesystem::path folder = real.parent_path();; folder = folder.parent_path()) {
    struct stat info{};
    if (stat(folder.c_str(), &info) == 0 && !MayPass(user, info)) {
      return Error{Code::kRefused, fmt::format("{} is closed to other users", folder.string())};
    }
    if (folder == folder.root_path()) return Ok();
  }
}

Result<std::optional<Users>> ChooseUsers(const Config& config, const std::string& dir,
                                         const std::vector<std::string>& programs,
                                         std::string& warning) {
  const bool required = config.users == "required";
  std::string why;
  if (config.users == "single") {
    why = "users: single";
  } else if (geteuid() != 0) {
    why = "not started as root";
  } else {
    ASSIGN_OR_RETURN(const Users users, MakeSystemUsers());
    const Status reachable = CheckAllReachable(users, dir, programs);
    if (reachable.ok()) return std::optional<Users>(users);
    why = reachable.error().message;
  }
  const std::string remedy =
      "run as root, with DIR and the program below folders that every user may pass (for example "
      "/srv/telltale and /opt/telltale)";
  if (required) {
    return Error{Code::kRefused, fmt::format("users: required, but {}; {}", why, remedy)};
  }
  warning = fmt::format(
      "one user runs everything ({}): the boundary around the vault is NOT enforced. To enforce "
      "it, {}",
      why, remedy);
  return std::optional<Users>();
}

Result<std::optional<Users>> UsersOf(const Paths& paths) {
  struct stat info{};
  if (stat(paths.vault().c_str(), &info) != 0) {
    return Error{Code::kNotFound,
                 fmt::format("{}: {}; `telltale init` makes it", paths.vault(), Words(errno))};
  }
  const auto platform = FindUser(kUserName);
  const auto vault = FindUser(kVaultUserName);
  if (!platform || !vault || info.st_uid != vault->uid) return std::optional<Users>();
  return std::optional<Users>(Users{*platform, *vault});
}

Status SetOwner(const std::string& path, const User& owner, gid_t group) {
  if (lchown(path.c_str(), owner.uid, group) == 0) return Ok();
  return Error{Code::kUnavailable,
               fmt::format("cannot set the owner of {}: {}", path, Words(errno))};
}

Status SetMode(const std::string& path, mode_t mode) {
  if (chmod(path.c_str(), mode) == 0) return Ok();
  return Error{Code::kUnavailable,
               fmt::format("cannot set the mode of {}: {}", path, Words(errno))};
}

}  // namespace telltale::app
