#include "registry/role.h"

#include <spdlog/spdlog.h>

#include "base/config.h"
#include "base/logging.h"
#include "base/stop.h"
#include "registry/server.h"

namespace telltale::registry {
namespace {

using namespace std::chrono_literals;

std::unique_ptr<ReferenceSource> ReferencesFor(const RoleOptions& options, Random& random) {
  if (options.seed) return std::make_unique<SeededReferences>(*options.seed);
  return std::make_unique<RandomReferences>(random);
}

}  // namespace

std::string DatabasePath(const std::string& dir) { return Paths(dir).registry() + "/registry.db"; }

Status RunRegistryRole(const RoleOptions& options) {
  if (options.seed && !options.demo) {
    return Error{Code::kInvalid, "--seed makes references guessable: it needs --demo"};
  }
  const Paths paths(options.dir);
  PosixDisk disk;
  StartLogging("registry");
  ASSIGN_OR_RETURN(const Config config, Config::Load(disk, paths.config()));
  RETURN_IF_ERROR(ConfigureLogging("registry", config.logging_format, config.logging_level));
  SystemClock clock;
  SystemRandom random;
  Counters counters;
  RETURN_IF_ERROR(disk.MakeFolders(paths.registry(), 0750));
  RETURN_IF_ERROR(disk.MakeFolders(ParentFolder(paths.registry_socket()), 0750));
  const std::unique_ptr<ReferenceSource> references = ReferencesFor(options, random);
  ASSIGN_OR_RETURN(Registry registry,
                   Registry::Open(DatabasePath(options.dir), *references, clock));
  ErasureList erased(disk, paths.erasure_list());
  registry.AvoidErased(erased);
  ASSIGN_OR_RETURN(const std::unique_ptr<Server> server,
                   Server::Start(std::move(registry), paths.registry_socket(), counters));
  spdlog::info("registry: serving");
  while (!WaitForStop(1s)) {
    const Status written = WriteCounters(paths.run() + "/counters", "registry", counters);
    if (!written.ok()) spdlog::warn("registry: counters: {}", written.error().message);
  }
  spdlog::info("registry: stopping");
  return Ok();
}

}  // namespace telltale::registry
