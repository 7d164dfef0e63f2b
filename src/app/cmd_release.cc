#include "app/cmd_release.h"

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "app/contract_files.h"
#include "app/control_client.h"
#include "app/layout.h"
#include "app/users.h"
#include "base/clock.h"
#include "safety/rules.h"
#include "seal/seal.h"

namespace telltale::app {
namespace {

using nlohmann::ordered_json;

struct ReleaseFlags {
  std::string sources;
  std::string out;
  std::string key;
  std::string dir;
  std::string engine;
  bool as_json = false;
  ControlFlags control = {};  // of push
};

// `--key`, or the key that `telltale init` made; nullopt: neither.
Result<std::optional<seal::KeyPair>> KeyOf(Disk& disk, const ReleaseFlags& flags) {
  std::string file = flags.key;
  if (file.empty() && !flags.dir.empty()) file = Paths(flags.dir).keys() + "/release.key";
  if (file.empty()) return std::optional<seal::KeyPair>();
  if (flags.key.empty() && !disk.Exists(file)) return std::optional<seal::KeyPair>();
  seal::KeyPair key;
  ASSIGN_OR_RETURN(key.private_raw, seal::LoadKey(disk, file));
  const std::string stem = file.ends_with(".key") ? file.substr(0, file.size() - 4) : file;
  const auto public_raw = seal::LoadKey(disk, stem + ".pub");
  if (!public_raw.ok()) {
    return Annotate(public_raw.error(),
                    "the public key lies beside the private one, as " + stem + ".pub");
  }
  key.public_raw = *public_raw;
  return std::optional(std::move(key));
}

// False: there is no key to sign with.
Result<bool> Sign(Disk& disk, const ReleaseFlags& flags, control::ReleaseContent& content) {
  ASSIGN_OR_RETURN(const auto key, KeyOf(disk, flags));
  if (!key) return false;
  const SystemClock clock;
  RETURN_IF_ERROR(control::SignBundle(content.bundle, *key, clock.NowUtc()));
  return true;
}

void Tell(const control::ReleaseContent& content, const std::string& folder,
          const ReleaseFlags& flags) {
  const bool is_signed = !content.bundle.signature.empty();
  if (flags.as_json) {
    fmt::print("{}\n", ordered_json({{"id", content.id()},
                                     {"name", content.declaration.name},
                                     {"folder", folder},
                                     {"signed", is_signed},
                                     {"components", content.components}})
                           .dump(2));
    return;
  }
  fmt::print("{} {}\n", content.declaration.name, content.id());
  for (const auto& [name, digest] : content.components) fmt::print("  {:<11}{}\n", name, digest);
  for (const auto& change : content.declaration.changes) {
    fmt::print("  declared   {} {}: {}\n", control::AboutName(change.about), change.name,
               control::InWords(change));
  }
  if (!folder.empty()) fmt::print("{}: {}\n", is_signed ? "signed" : "not signed", folder);
}

Status Build(const ReleaseFlags& flags) {
  PosixDisk disk;
  ASSIGN_OR_RETURN(control::ReleaseContent content, BuildFrom(disk, flags.sources, flags.engine));
  ASSIGN_OR_RETURN(const bool is_signed, Sign(disk, flags, content));
  const std::string out = flags.out.empty() ? fmt::format("{}-{}.ttr", content.declaration.name,
                                                          content.id().substr(0, 12))
                                            : flags.out;
  RETURN_IF_ERROR(control::WriteReleaseFolder(disk, out, content));
  Tell(content, out, flags);
  if (!is_signed) {
    fmt::print(stderr,
               "telltale: not signed, so no installation takes it: `telltale release sign {} --key "
               "KEY`\n",
               out);
  }
  return Ok();
}

Status SignFolder(const ReleaseFlags& flags) {
  PosixDisk disk;
  ASSIGN_OR_RETURN(control::ReleaseContent content,
                   control::ReadReleaseFolder(disk, flags.sources));
  ASSIGN_OR_RETURN(const bool is_signed, Sign(disk, flags, content));
  if (!is_signed) return Error{Code::kInvalid, "give --key KEY, or --dir DIR for its own key"};
  RETURN_IF_ERROR(control::WriteReleaseFolder(disk, flags.sources, content));
  Tell(content, flags.sources, flags);
  return Ok();
}

// Through the API, where control is named; into the folder that it reads otherwise.
Status PushTo(const ReleaseFlags& flags) {
  const bool is_remote = IsControlNamed(flags.control);
  if (!is_remote && flags.dir.empty()) {
    return Error{Code::kInvalid, "where is control? Give --dir DIR or --control URL"};
  }
  PosixDisk disk;
  const bool is_built = disk.Exists(flags.sources + "/manifest.json");
  ASSIGN_OR_RETURN(control::ReleaseContent content,
                   is_built ? control::ReadReleaseFolder(disk, flags.sources)
                            : BuildFrom(disk, flags.sources, flags.engine));
  if (!is_built || content.bundle.signature.empty()) {
    if (!is_built || !flags.key.empty()) {
      ASSIGN_OR_RETURN([[maybe_unused]] const bool is_signed, Sign(disk, flags, content));
    }
  }
  if (is_remote) {
    RETURN_IF_ERROR(PushToControl(flags.control, content));
  } else {
    control::ReleaseStore store = StoreOf(disk, flags.dir);
    control::StoreSink sink(store);
    const Status pushed = control::Push(content, sink);
    RETURN_IF_ERROR(GiveControlFiles(Paths(flags.dir)));
    RETURN_IF_ERROR(pushed);
  }
  Tell(content, "", flags);
  return Ok();
}

Status VerifyStored(const ReleaseFlags& flags) {
  PosixDisk disk;
  const control::ReleaseStore store = StoreOf(disk, flags.dir);
  ASSIGN_OR_RETURN(const control::StoredRelease release, store.Find(flags.sources));
  RETURN_IF_ERROR(store.Verify(release.id));
  fmt::print("{} is whole{}\n", release.id,
             release.signed_by.empty() ? "" : ", signed by " + release.signed_by);
  return Ok();
}

CLI::Option* AddDir(CLI::App& command, ReleaseFlags& flags, const char* about) {
  return command.add_option("--dir", flags.dir, about)->check(CLI::ExistingDirectory);
}
void AddKey(CLI::App& command, ReleaseFlags& flags) {
  command
      .add_option("--key", flags.key,
                  "Private release key to sign with; the public one lies beside it as .pub "
                  "(default: DIR/keys/release.key)")
      ->check(CLI::ExistingFile);
}
void AddEngine(CLI::App& command, ReleaseFlags& flags) {
  command
      .add_option("--engine", flags.engine,
                  "Another program telltale-worker than the one beside this program")
      ->check(CLI::ExistingFile);
}
void AddJson(CLI::App& command, ReleaseFlags& flags) {
  command.add_flag("--json", flags.as_json, "As JSON");
}

void AddBuild(CLI::App& release, int& exit_code) {
  const auto flags = std::make_shared<ReleaseFlags>();
  CLI::App* command = release.add_subcommand(
      "build", "Makes a release of a folder with release.yaml and rules.yaml (docs/releases.md)");
  command->add_option("SOURCES", flags->sources, "The folder")
      ->required()
      ->check(CLI::ExistingDirectory);
  command->add_option("--out", flags->out,
                      "Folder to write (default: NAME-ID.ttr in the current folder)");
  AddKey(*command, *flags);
  AddDir(*command, *flags, "An installation, for its release key");
  AddEngine(*command, *flags);
  AddJson(*command, *flags);
  command->callback([flags, &exit_code] { exit_code = ExitCode(Build(*flags)); });
}

void AddSign(CLI::App& release, int& exit_code) {
  const auto flags = std::make_shared<ReleaseFlags>();
  CLI::App* command = release.add_subcommand("sign", "Signs a release that was built without key");
  command->add_option("FOLDER", flags->sources, "What `telltale release build` wrote")
      ->required()
      ->check(CLI::ExistingDirectory);
  AddKey(*command, *flags);
  AddDir(*command, *flags, "An installation, for its release key");
  AddJson(*command, *flags);
  command->callback([flags, &exit_code] { exit_code = ExitCode(SignFolder(*flags)); });
}

void AddPush(CLI::App& release, int& exit_code) {
  const auto flags = std::make_shared<ReleaseFlags>();
  CLI::App* command = release.add_subcommand(
      "push",
      "Gives a release to an installation's control. Refused unless signed by a trusted key; "
      "nothing runs it yet");
  command
      ->add_option("FOLDER", flags->sources,
                   "What `telltale release build` wrote; or sources, which are built and signed")
      ->required()
      ->check(CLI::ExistingDirectory);
  AddDir(*command, *flags,
         "The installation that control runs in; with --control the one whose release key signs");
  AddKey(*command, *flags);
  AddEngine(*command, *flags);
  AddJson(*command, *flags);
  AddControlAddress(*command, flags->control, "--certificate-key");
  command->callback([flags, &exit_code] {
    flags->control.dir = flags->dir;
    exit_code = ExitCode(PushTo(*flags));
  });
}

void AddVerify(CLI::App& release, int& exit_code) {
  const auto flags = std::make_shared<ReleaseFlags>();
  CLI::App* command =
      release.add_subcommand("verify", "Checks every byte of a pushed release and its signature");
  command->add_option("RELEASE", flags->sources, "Name, id or its beginning")->required();
  AddDir(*command, *flags, "The installation that control runs in")->required();
  command->callback([flags, &exit_code] { exit_code = ExitCode(VerifyStored(*flags)); });
}

}  // namespace

control::RulesCheck RulesCheckOfSafety() {
  return [](std::string_view rules, const contract::Contract& contract) -> Status {
    const auto loaded = safety::LoadRules(rules, contract);
    return loaded.ok() ? Ok() : Status(loaded.error());
  };
}

control::ReleaseStore StoreOf(Disk& disk, const std::string& dir) {
  return {disk, Paths(dir), RulesCheckOfSafety()};
}

Result<control::ReleaseContent> BuildFrom(Disk& disk, const std::string& folder,
                                          const std::string& engine) {
  ASSIGN_OR_RETURN(const Layout layout, Layout::OfThisProgram());
  const bool has_slash = folder.size() > 1 && folder.ends_with('/');
  return control::BuildRelease(disk,
                               {.folder = has_slash ? folder.substr(0, folder.size() - 1) : folder,
                                .contract_descriptor = layout.contract_descriptor,
                                .features = ParentFolder(layout.contract_descriptor) + "/features",
                                .engine = engine.empty() ? layout.worker : engine},
                               RulesCheckOfSafety());
}

Result<control::ReleaseContent> ContentOf(Disk& disk, const std::string& words,
                                          const std::string& dir) {
  if (disk.Exists(words + "/manifest.json") && disk.Exists(words + "/blobs")) {
    return control::ReadReleaseFolder(disk, words);
  }
  if (disk.Exists(words + "/release.yaml")) return BuildFrom(disk, words, "");
  if (dir.empty()) {
    return Error{Code::kNotFound, fmt::format("{} is no folder of a release; for a name or id "
                                              "give --dir DIR too",
                                              words)};
  }
  const control::ReleaseStore store = StoreOf(disk, dir);
  if (words == "stable") {
    ASSIGN_OR_RETURN(const control::Contracts contracts, ReadContracts(disk, Paths(dir)));
    return store.Content(contracts.in_force.stable_release);
  }
  ASSIGN_OR_RETURN(const control::StoredRelease release, store.Find(words));
  return store.Content(release.id);
}

Status GiveControlFiles(const Paths& paths) {
  if (geteuid() != 0) return Ok();
  const std::string root = paths.data() + "/control";
  struct stat owner{};
  if (stat(root.c_str(), &owner) != 0 || owner.st_uid == 0) return Ok();
  const User user{owner.st_uid, owner.st_gid};
  for (const char* folder : {"/blobs", "/releases", "/release-keys", "/rehearsals"}) {
    std::error_code error;
    if (!std::filesystem::exists(root + folder, error)) continue;
    RETURN_IF_ERROR(SetOwner(root + folder, user, user.gid));
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root + folder, error)) {
      if (entry.is_symlink()) continue;
      RETURN_IF_ERROR(SetOwner(entry.path().string(), user, user.gid));
    }
  }
  return Ok();
}

void AddReleaseCommand(CLI::App& app, int& exit_code) {
  CLI::App* release = app.add_subcommand(
      "release", "Releases: build, sign, push, list, compare (docs/releases.md)");
  release->require_subcommand(1);
  AddBuild(*release, exit_code);
  AddSign(*release, exit_code);
  AddPush(*release, exit_code);
  AddReleaseList(*release, exit_code);
  AddReleaseShow(*release, exit_code);
  AddReleaseDiff(*release, exit_code);
  AddVerify(*release, exit_code);
  AddReleaseKey(*release, exit_code);
}

}  // namespace telltale::app
