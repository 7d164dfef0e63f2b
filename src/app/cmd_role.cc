#include <CLI/CLI.hpp>
#include <functional>
#include <memory>

#include "app/commands.h"
#include "app/control_role.h"
#include "app/gate_role.h"
#include "app/operations.h"
#include "base/config.h"
#include "base/role.h"
#include "base/stop.h"
#include "feed/role.h"
#include "gateway/role.h"
#include "log/kafka/open_streams.h"
#include "publish/authority.h"
#include "publish/role.h"
#include "registry/role.h"

namespace telltale::app {
namespace {

struct RoleFlags {
  RoleOptions role;
  std::string release;
};

// A role says how it ended by a Status or by an exit code.
int ToExitCode(const Status& status) { return ExitCode(status); }
int ToExitCode(int exit_code) { return exit_code; }

using RunRole = std::function<int(const RoleFlags&)>;

void AddOne(CLI::App& parent, const char* name, const char* what, int& exit_code, RunRole run) {
  const auto flags = std::make_shared<RoleFlags>();
  CLI::App* command = parent.add_subcommand(name, what);
  command->add_option("--dir", flags->role.dir, "The folder that `telltale init` made")
      ->required()
      ->check(CLI::ExistingDirectory);
  command->add_flag("--demo", flags->role.demo, "Allow what only a demonstration may do");
  command->add_option("--seed", flags->role.seed, "With --demo: seeds references, so runs compare")
      ->needs("--demo");
  if (std::string_view(name) == "first-authority") {
    command->add_option("--release", flags->release, "Release that gets authority")->required();
  }
  command->callback([flags, run = std::move(run), &exit_code] {
    WatchForStop();
    exit_code = run(*flags);
  });
}

// Run by `serve` as a process of its own, so that the alert store belongs to the right user.
Status InstallFirstAuthority(const RoleFlags& flags) {
  PosixDisk disk;
  ASSIGN_OR_RETURN(const Config config, Config::Load(disk, Paths(flags.role.dir).config()));
  return publish::InstallFirstAuthority(flags.role.dir, flags.release, config.log_partitions);
}

}  // namespace

void AddRoleCommand(CLI::App& app, int& exit_code) {
  CLI::App* roles = app.add_subcommand("role", "Run one process of the platform; `serve` does it");
  roles->require_subcommand(1);
  AddOne(*roles, "registry", "Vehicles and their references", exit_code,
         [](const RoleFlags& flags) { return ToExitCode(registry::RunRegistryRole(flags.role)); });
  AddOne(*roles, "gateway", "The vehicles' door, and the log", exit_code,
         [](const RoleFlags& flags) {
           return ToExitCode(gateway::RunGatewayRole(flags.role, log::kafka::OpenStreams));
         });
  AddOne(*roles, "publisher", "Alert store and feed", exit_code,
         [](const RoleFlags& flags) { return ToExitCode(publish::RunPublisherRole(flags.role)); });
  AddOne(*roles, "lake-feed", "Copies the streams from Kafka for the lake and the vault", exit_code,
         [](const RoleFlags& flags) {
           return ToExitCode(feed::RunLakeFeedRole(flags.role, log::kafka::OpenStreams));
         });
  AddOne(*roles, "operations", "Metrics and health over HTTP", exit_code,
         [](const RoleFlags& flags) { return RunOperationsRole(flags.role); });
  AddOne(*roles, "control", "Releases, environments and rollouts, and their API over HTTP",
         exit_code, [](const RoleFlags& flags) { return RunControlRole(flags.role); });
  AddOne(*roles, "gate", "Compares the releases of a rollout", exit_code,
         [](const RoleFlags& flags) { return RunGateRole(flags.role, log::kafka::OpenStreams); });
  AddOne(*roles, "first-authority", "Give a release authority over a new alert store; ends at once",
         exit_code,
         [](const RoleFlags& flags) { return ToExitCode(InstallFirstAuthority(flags)); });
}

}  // namespace telltale::app
