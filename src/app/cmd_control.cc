// `telltale control token new|list|revoke`, and the list of all commands that ask control.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "app/control_commands.h"
#include "app/users.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/file_lock.h"
#include "base/random.h"
#include "control/http/tokens.h"

namespace telltale::app {
namespace {

using nlohmann::json;

struct TokenFlags {
  std::string dir;
  std::string name;
  bool as_json = false;
};

// What root wrote is the platform's.
Status GiveToPlatform(const Paths& paths, const std::string& path) {
  if (geteuid() != 0) return Ok();
  ASSIGN_OR_RETURN(const std::optional<Users> users, UsersOf(paths));
  return users ? SetOwner(path, users->platform, users->platform.gid) : Ok();
}

Status CheckInstallation(Disk& disk, const Paths& paths) {
  if (disk.Exists(paths.config())) return Ok();
  return Error{Code::kNotFound, paths.root + " is no installation; `telltale init` makes one"};
}

Status New(const TokenFlags& flags) {
  PosixDisk disk;
  SystemRandom random;
  const Paths paths(flags.dir);
  RETURN_IF_ERROR(CheckInstallation(disk, paths));
  RETURN_IF_ERROR(disk.MakeFolders(paths.data() + "/control", 0755));
  const std::string path = control::TokensPath(paths);
  ASSIGN_OR_RETURN(const auto lock, LockFile(disk, path + ".lock"));
  ASSIGN_OR_RETURN(const std::string token,
                   control::NewToken(disk, random, path, flags.name, SystemClock().NowUtc()));
  RETURN_IF_ERROR(GiveToPlatform(paths, path));
  RETURN_IF_ERROR(GiveToPlatform(paths, path + ".lock"));
  if (flags.as_json) {
    fmt::print("{}\n", json{{"subject", "token:" + flags.name}, {"token", token}}.dump(2));
    return Ok();
  }
  fmt::print("{}\n", token);
  fmt::print(
      stderr,
      "This is the token of token:{}; it is kept nowhere else. Put it into a file of mode "
      "0600. It may do nothing until a role binding names it: `telltale role-binding put`.\n",
      flags.name);
  return Ok();
}

Status ListTokens(const TokenFlags& flags) {
  PosixDisk disk;
  const Paths paths(flags.dir);
  RETURN_IF_ERROR(CheckInstallation(disk, paths));
  ASSIGN_OR_RETURN(const auto entries, control::ReadTokens(disk, control::TokensPath(paths)));
  if (flags.as_json) {
    json items = json::array();
    for (const auto& one : entries) {
      items.push_back({{"name", one.name}, {"created_at_us", one.created_at.value}});
    }
    fmt::print("{}\n", json{{"items", items}}.dump(2));
    return Ok();
  }
  for (const auto& one : entries) fmt::print("{}\n", one.name);
  if (entries.empty()) fmt::print(stderr, "no tokens yet: `telltale control token new NAME`\n");
  return Ok();
}

Status Revoke(const TokenFlags& flags) {
  PosixDisk disk;
  const Paths paths(flags.dir);
  RETURN_IF_ERROR(CheckInstallation(disk, paths));
  const std::string path = control::TokensPath(paths);
  if (!disk.Exists(path)) return Error{Code::kNotFound, "there is no token " + flags.name};
  ASSIGN_OR_RETURN(const auto lock, LockFile(disk, path + ".lock"));
  RETURN_IF_ERROR(control::RevokeToken(disk, path, flags.name));
  RETURN_IF_ERROR(GiveToPlatform(paths, path));
  if (flags.as_json) {
    fmt::print("{}\n", json{{"revoked", flags.name}}.dump(2));
  } else {
    fmt::print("{} is revoked; control refuses it within a second\n", flags.name);
  }
  return Ok();
}

void AddOne(CLI::App& parent, const char* name, const char* what, Status (*run)(const TokenFlags&),
            int& exit_code) {
  const auto flags = std::make_shared<TokenFlags>();
  CLI::App* command = parent.add_subcommand(name, what);
  if (run != ListTokens) {
    command
        ->add_option("NAME", flags->name, "Whose it is: a-z, 0-9 and -; its subject is token:NAME")
        ->required();
  }
  command->add_option("--dir", flags->dir, "The folder of the installation that keeps control")
      ->required();
  command->add_flag("--json", flags->as_json, "For programs");
  command->callback([flags, run, &exit_code] { exit_code = ExitCode(run(*flags)); });
}

}  // namespace

void AddControlCommand(CLI::App& app, int& exit_code) {
  CLI::App* control =
      app.add_subcommand("control", "Who may ask the control plane: tokens (docs/control.md)");
  control->require_subcommand(1);
  CLI::App* token = control->add_subcommand("token", "Bearer tokens of people and programs");
  token->require_subcommand(1);
  AddOne(*token, "new", "Make a token and print it once", New, exit_code);
  AddOne(*token, "list", "Names of the tokens there are", ListTokens, exit_code);
  AddOne(*token, "revoke", "Make a token worthless", Revoke, exit_code);
}

void AddControlCommands(CLI::App& app, int& exit_code) {
  AddControlCommand(app, exit_code);
  AddControlObjectCommands(app, exit_code);
  AddPromoteCommands(app, exit_code);
  AddRollbackCommand(app, exit_code);
  AddPinCommands(app, exit_code);
  AddReinstateCommands(app, exit_code);
  AddRehearsalCommand(app, exit_code);
  AddApproveCommand(app, exit_code);
  AddRolloutCommand(app, exit_code);
  AddControlAuditCommand(app, exit_code);
}

}  // namespace telltale::app
