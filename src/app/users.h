// Two system users keep the vault's boundary: everything runs as `telltale`, the vault as
// `telltale-vault`, which reads the stream `sealed` by its group. Without them one user runs all
// and the boundary is not enforced.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/config.h"
#include "base/result.h"

namespace telltale::app {

inline constexpr const char* kUserName = "telltale";
inline constexpr const char* kVaultUserName = "telltale-vault";

struct User {
  uid_t uid = 0;
  gid_t gid = 0;
};
struct Users {
  User platform;
  User vault;
};

std::optional<User> FindUser(const std::string& name);
// Makes the two users that do not exist yet, with groups of the same names, by useradd.
//   kUnavailable  useradd is missing or failed
Result<Users> MakeSystemUsers();

// Whether `user` may pass every folder on the way to `path` (mode bits only). kRefused names the
// first folder that is closed.
Status CheckReachable(const User& user, const std::string& path);

// Which users `telltale init` shall set up, by config.users and who is asking.
//   nullopt       one user; `warning` says why the boundary is not enforced and what to do
//   kRefused      users: required, but it cannot be done
Result<std::optional<Users>> ChooseUsers(const Config& config, const std::string& dir,
                                         const std::vector<std::string>& programs,
                                         std::string& warning);

// Which users DIR was set up for: by the owner of its vault folder.
Result<std::optional<Users>> UsersOf(const Paths& paths);

// Owner and mode of one path.
Status SetOwner(const std::string& path, const User& owner, gid_t group);
Status SetMode(const std::string& path, mode_t mode);

}  // namespace telltale::app
