#include "app/subject.h"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include "app/users.h"
#include "base/stop.h"
#include "registry/client.h"
#include "registry/role.h"

namespace telltale::app {
namespace {

using namespace std::chrono_literals;

constexpr auto kLockPause = 100ms;
constexpr int kLockTries = 1200;  // two minutes: the lake may be rewriting files

}  // namespace

Subject::Subject(const std::string& dir, Config config, Layout layout)
    : vault_(Paths(dir).vault_socket()),
      lake_(std::move(layout)),
      parts_{.disk = disk_,
             .clock = clock_,
             .paths = Paths(dir),
             .config = std::move(config),
             .vault = vault_,
             .lake = lake_,
             .erase_in_registry =
                 [this](const VehicleRef& vehicle) { return EraseInRegistry(vehicle); }},
      erased_(disk_, parts_.paths.erasure_list()),
      erasure_(std::make_unique<Erasure>(disk_, clock_, random_, parts_.paths.erased() + "/jobs",
                                         ErasureSteps(parts_))) {}

Result<std::unique_ptr<Subject>> Subject::Open(const std::string& dir) {
  PosixDisk disk;
  ASSIGN_OR_RETURN(Config config, Config::Load(disk, Paths(dir).config()));
  ASSIGN_OR_RETURN(Layout layout, Layout::OfThisProgram());
  return std::unique_ptr<Subject>(new Subject(dir, std::move(config), std::move(layout)));
}

Result<registry::Registry> Subject::OpenRegistry() {
  const std::string path = registry::DatabasePath(parts_.paths.root);
  if (!disk_.Exists(path)) {
    return Error{Code::kNotFound, "there is no registry below " + parts_.paths.root};
  }
  ASSIGN_OR_RETURN(registry::Registry registry,
                   registry::Registry::Open(path, references_, clock_));
  registry.AvoidErased(erased_);
  return registry;
}

Result<std::uint32_t> Subject::EraseInRegistry(const VehicleRef& vehicle) {
  auto client = registry::Client::Connect(parts_.paths.registry_socket());
  if (client.ok()) return client->Erase(vehicle);
  auto registry = OpenRegistry();
  if (!registry.ok() && registry.error().code == Code::kNotFound) return 0u;
  if (!registry.ok()) return registry.error();
  ASSIGN_OR_RETURN(const registry::Registry::Erased erased, registry->Erase(vehicle));
  return erased.rows;
}

Result<VehicleRef> Subject::Resolve(const SubjectName& name) {
  if (name.vin.empty() == name.vehicle.empty()) {
    return Error{Code::kInvalid, "name a vehicle by --vin or by --vehicle, and not by both"};
  }
  if (!name.vehicle.empty()) return VehicleRef::FromHex(name.vehicle);
  const auto find = [&name](auto& where) {
    return name.ownership_epoch == 0 ? where.FindByVin(name.vin)
                                     : where.FindByVin(name.vin, name.ownership_epoch);
  };
  auto client = registry::Client::Connect(parts_.paths.registry_socket());
  if (client.ok()) {
    ASSIGN_OR_RETURN(const registry::Vehicle vehicle, find(*client));
    return vehicle.vehicle_ref;
  }
  ASSIGN_OR_RETURN(registry::Registry registry, OpenRegistry());
  ASSIGN_OR_RETURN(const registry::Vehicle vehicle, find(registry));
  return vehicle.vehicle_ref;
}

Result<std::optional<registry::Vehicle>> Subject::RowOf(const VehicleRef& vehicle) {
  const auto find = [&]() -> Result<registry::Vehicle> {
    auto client = registry::Client::Connect(parts_.paths.registry_socket());
    if (client.ok()) return client->FindByRef(vehicle);
    ASSIGN_OR_RETURN(registry::Registry registry, OpenRegistry());
    return registry.FindByRef(vehicle);
  };
  auto found = find();
  if (found.ok()) return std::optional(std::move(found).value());
  if (found.error().code == Code::kNotFound) return std::optional<registry::Vehicle>();
  return found.error();
}

Result<std::unique_ptr<FileLock>> Subject::Lock() {
  RETURN_IF_ERROR(disk_.MakeFolders(parts_.paths.erased(), 0755));
  for (int tries = 0; tries < kLockTries; ++tries) {
    auto lock = LockFile(disk_, parts_.paths.erased() + "/lock");
    if (lock.ok()) return lock;
    if (WaitForStop(kLockPause)) break;
  }
  return Error{Code::kUnavailable, "another erasure is under way; ask again"};
}

Status Subject::BecomePlatform() {
  ASSIGN_OR_RETURN(const auto users, UsersOf(parts_.paths));
  if (!users || geteuid() != 0) return Ok();
  const gid_t group = users->platform.gid;
  if (setgroups(1, &group) == 0 && setgid(group) == 0 && setuid(users->platform.uid) == 0) {
    return Ok();
  }
  return Error{Code::kUnavailable, "cannot become the platform's user"};
}

std::string Subject::AskedBy() {
  const uid_t uid = getuid();
  const passwd* const user = getpwuid(uid);  // NOLINT(concurrency-mt-unsafe): one thread
  return user == nullptr ? fmt::format("uid {}", uid)
                         : fmt::format("uid {} ({})", uid, user->pw_name);
}

}  // namespace telltale::app
