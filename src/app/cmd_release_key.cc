#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/cmd_release.h"
#include "app/commands.h"
#include "seal/seal.h"

namespace telltale::app {
namespace {

using nlohmann::json;

struct ReleaseKeyFlags {
  std::string dir;
  std::string file;
  std::string name;
  bool as_json = false;
};

Status New(const ReleaseKeyFlags& flags) {
  PosixDisk disk;
  const std::string stem =
      flags.file.ends_with(".key") ? flags.file.substr(0, flags.file.size() - 4) : flags.file;
  for (const char* suffix : {".key", ".pub"}) {
    if (!disk.Exists(stem + suffix)) continue;
    return Error{Code::kExists, stem + suffix + " is there already; a key is never overwritten"};
  }
  ASSIGN_OR_RETURN(const seal::KeyPair key, seal::MakeEd25519());
  RETURN_IF_ERROR(
      seal::StoreKey(disk, stem + ".key", key.private_raw, seal::KeyFile{.is_private = true}));
  RETURN_IF_ERROR(seal::StoreKey(disk, stem + ".pub", key.public_raw, seal::KeyFile{}));
  fmt::print("{}.key signs releases: keep it where the author works; key {}\n", stem,
             HexEncode(seal::KeyId(key.public_raw)));
  fmt::print("who shall take them:  telltale release key trust {}.pub --name NAME --dir DIR\n",
             stem);
  return Ok();
}

Status Trust(const ReleaseKeyFlags& flags) {
  PosixDisk disk;
  const Paths paths(flags.dir);
  ASSIGN_OR_RETURN(const Config config, Config::Load(disk, paths.config()));
  ASSIGN_OR_RETURN(const bool is_demo, seal::IsDemoKey(disk, flags.file));
  if (is_demo && config.environment_kind == "prod") {
    return Error{Code::kRefused,
                 "this key was made for a demonstration: an environment of kind prod takes none of "
                 "its releases"};
  }
  RETURN_IF_ERROR(control::TrustKey(disk, paths, flags.name, flags.file));
  return GiveControlFiles(paths);
}

Status Distrust(const ReleaseKeyFlags& flags) {
  PosixDisk disk;
  const Paths paths(flags.dir);
  ASSIGN_OR_RETURN(const auto keys, control::ReadTrustedKeys(disk, paths));
  for (const control::TrustedKey& key : keys) {
    if (key.name != flags.name) continue;
    RETURN_IF_ERROR(disk.Remove(control::ReleaseKeysFolder(paths) + "/" + key.name + ".pub"));
    return disk.SyncFolder(control::ReleaseKeysFolder(paths));
  }
  return Error{
      Code::kNotFound,
      fmt::format("no key called {} is trusted: see `telltale release key list`", flags.name)};
}

Status List(const ReleaseKeyFlags& flags) {
  PosixDisk disk;
  ASSIGN_OR_RETURN(const auto keys, control::ReadTrustedKeys(disk, Paths(flags.dir)));
  if (flags.as_json) {
    json items = json::array();
    for (const auto& key : keys) items.push_back({{"name", key.name}, {"key_id", key.key_id}});
    fmt::print("{}\n", json{{"items", items}}.dump(2));
    return Ok();
  }
  for (const auto& key : keys) fmt::print("{} {}\n", key.key_id, key.name);
  return Ok();
}

void AddDir(CLI::App& command, ReleaseKeyFlags& flags) {
  command.add_option("--dir", flags.dir, "The installation that control runs in")
      ->required()
      ->check(CLI::ExistingDirectory);
}

}  // namespace

void AddReleaseKey(CLI::App& release, int& exit_code) {
  CLI::App* key = release.add_subcommand("key", "Who may sign releases for an installation");
  key->require_subcommand(1);
  const auto flags = std::make_shared<ReleaseKeyFlags>();

  CLI::App* made = key->add_subcommand("new", "Makes a key pair, FILE.key and FILE.pub");
  made->add_option("FILE", flags->file, "Where to; neither may be there")->required();
  made->callback([flags, &exit_code] { exit_code = ExitCode(New(*flags)); });

  CLI::App* trust = key->add_subcommand("trust", "Takes releases of this key from now on");
  trust->add_option("FILE", flags->file, "The public key, FILE.pub")
      ->required()
      ->check(CLI::ExistingFile);
  trust->add_option("--name", flags->name, "Whose it is; shown as who signed")->required();
  AddDir(*trust, *flags);
  trust->callback([flags, &exit_code] { exit_code = ExitCode(Trust(*flags)); });

  CLI::App* distrust = key->add_subcommand(
      "distrust", "Takes no more of its releases, and starts none that are here");
  distrust->add_option("NAME", flags->name, "As `list` shows it")->required();
  AddDir(*distrust, *flags);
  distrust->callback([flags, &exit_code] { exit_code = ExitCode(Distrust(*flags)); });

  CLI::App* list = key->add_subcommand("list", "The keys that are trusted");
  AddDir(*list, *flags);
  list->add_flag("--json", flags->as_json, "As JSON");
  list->callback([flags, &exit_code] { exit_code = ExitCode(List(*flags)); });
}

}  // namespace telltale::app
