#include "app/ownership.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <string_view>

namespace telltale::app {
namespace {

enum class Owner { kCaller, kPlatform, kVault };
enum class Group { kOwners, kVault };

struct OwnedPlace {
  std::string_view path;  // below DIR
  Owner owner;
  Group group;
  mode_t mode;
};

// Parents before children. 02000: files made inside belong to the folder's group; 01000: who may
// write into the folder may still not replace another's file.
constexpr std::array kOwnedPlaces = {
    OwnedPlace{"", Owner::kCaller, Group::kOwners, 0755},
    OwnedPlace{"/ca", Owner::kCaller, Group::kOwners, 0755},
    OwnedPlace{"/certs", Owner::kPlatform, Group::kOwners, 0755},
    OwnedPlace{"/offline", Owner::kCaller, Group::kOwners, 0700},
    OwnedPlace{"/keys", Owner::kPlatform, Group::kOwners, 0755},
    OwnedPlace{"/vault", Owner::kVault, Group::kOwners, 0700},
    OwnedPlace{"/vault/keys", Owner::kVault, Group::kOwners, 0700},
    OwnedPlace{"/vault/keys/transport", Owner::kVault, Group::kOwners, 0700},
    OwnedPlace{"/vault/gateways", Owner::kVault, Group::kOwners, 0700},
    OwnedPlace{"/data", Owner::kPlatform, Group::kOwners, 0751},
    OwnedPlace{"/data/control", Owner::kPlatform, Group::kOwners, 0755},
    OwnedPlace{"/data/contracts", Owner::kPlatform, Group::kOwners, 0755},
    OwnedPlace{"/data/releases", Owner::kPlatform, Group::kOwners, 0755},
    OwnedPlace{"/data/registry", Owner::kPlatform, Group::kOwners, 0750},
    OwnedPlace{"/data/journal", Owner::kPlatform, Group::kOwners, 0750},
    OwnedPlace{"/data/worker", Owner::kPlatform, Group::kOwners, 0750},
    OwnedPlace{"/data/publish", Owner::kPlatform, Group::kOwners, 0750},
    OwnedPlace{"/data/lake", Owner::kPlatform, Group::kOwners, 0750},
    OwnedPlace{"/data/log", Owner::kPlatform, Group::kOwners, 0751},
    OwnedPlace{"/data/log/sealed", Owner::kPlatform, Group::kVault, 02750},
    OwnedPlace{"/data/positions", Owner::kPlatform, Group::kOwners, 0751},
    // The vault reads the list of the erased.
    OwnedPlace{"/data/erased", Owner::kPlatform, Group::kOwners, 0755},
    OwnedPlace{"/data/positions/vault", Owner::kVault, Group::kOwners, 0755},
    OwnedPlace{"/run", Owner::kPlatform, Group::kOwners, 0755},
    OwnedPlace{"/run/counters", Owner::kPlatform, Group::kVault, 01775},
    OwnedPlace{"/run/log", Owner::kPlatform, Group::kVault, 02750},
    OwnedPlace{"/run/registry", Owner::kPlatform, Group::kOwners, 0750},
    OwnedPlace{"/run/vault", Owner::kVault, Group::kOwners, 0755},
};

// The users for one installation, with the caller in the place of those it does not have.
struct Owners {
  User caller;
  User platform;
  User vault;

  const User& Of(Owner owner) const {
    switch (owner) {
      case Owner::kCaller:
        return caller;
      case Owner::kPlatform:
        return platform;
      case Owner::kVault:
        return vault;
    }
    return caller;
  }
};

const OwnedPlace* PlaceOf(std::string_view below) {
  for (const OwnedPlace& place : kOwnedPlaces) {
    if (place.path == below) return &place;
  }
  return nullptr;
}

// What has no line of its own belongs to whom the nearest folder with one does.
const OwnedPlace& NearestPlace(std::string_view below) {
  while (true) {
    if (const OwnedPlace* place = PlaceOf(below)) return *place;
    below = below.substr(0, below.rfind('/'));
  }
}

Status SetOne(const std::filesystem::directory_entry& entry, std::string_view below,
              const Owners& owners) {
  if (entry.is_symlink()) return Ok();
  const OwnedPlace& place = NearestPlace(below);
  const User& owner = owners.Of(place.owner);
  const gid_t group = place.group == Group::kVault ? owners.vault.gid : owner.gid;
  const std::string path = entry.path().string();
  RETURN_IF_ERROR(SetOwner(path, owner, group));
  if (!entry.is_directory()) return Ok();  // files keep the mode they were made with
  // After the owner: changing that clears the set-group bit.
  return SetMode(path, place.mode);
}

}  // namespace

Status MakeFolders(Disk& disk, const Paths& paths) {
  for (const OwnedPlace& place : kOwnedPlaces) {
    RETURN_IF_ERROR(disk.MakeFolders(paths.root + std::string(place.path), place.mode & 0777));
  }
  return Ok();
}

Status SetOwnership(const Paths& paths, const std::optional<Users>& users) {
  const User caller{geteuid(), getegid()};
  const Owners owners{caller, users ? users->platform : caller, users ? users->vault : caller};
  std::error_code error;
  std::filesystem::recursive_directory_iterator entries(paths.root, error);
  for (const std::filesystem::recursive_directory_iterator end; !error && entries != end;
       entries.increment(error)) {
    const std::string below = entries->path().string().substr(paths.root.size());
    RETURN_IF_ERROR(SetOne(*entries, below, owners));
  }
  if (error) {
    return Error{Code::kUnavailable, fmt::format("{}: {}", paths.root, error.message())};
  }
  return SetOne(std::filesystem::directory_entry(paths.root), "", owners);
}

}  // namespace telltale::app
