// `telltale vault policy check|show|activate`.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "app/commands.h"
#include "app/vault_client.h"
#include "app/vault_commands.h"
#include "base/disk.h"
#include "vault/access/policy.h"

namespace telltale::app {
namespace {

using nlohmann::json;

struct VaultPolicyFlags {
  std::string dir;
  std::string file;
  std::string kind = "prod";
  bool as_json = false;
};

// Offline, by the same lines as the vault judges.
Status Check(const VaultPolicyFlags& flags) {
  PosixDisk disk;
  ASSIGN_OR_RETURN(const std::string text,
                   ReadWholeFile(disk, flags.file, access::kPolicyBytesMax));
  const auto reading = access::ReadPolicy(text, flags.kind);
  if (flags.as_json) {
    json mistakes = json::array();
    for (const auto& one : reading.mistakes) {
      mistakes.push_back({{"line", one.line}, {"what", one.what}});
    }
    fmt::print("{}\n", Indented({{"digest", reading.policy.digest},
                                 {"mistakes", mistakes},
                                 {"warnings", reading.warnings}}));
  }
  ASSIGN_OR_RETURN(const access::Policy policy, access::PolicyOf(reading, flags.file));
  if (flags.as_json) return Ok();
  for (const std::string& one : reading.warnings) fmt::print("warning: {}\n", one);
  fmt::print("{} holds in an environment of kind {}: {} people, {} purposes, digest {}\n",
             flags.file, flags.kind, policy.people.size(), policy.purposes.size(), policy.digest);
  return Ok();
}

Status Show(const VaultPolicyFlags& flags) {
  ASSIGN_OR_RETURN(const json end, AskVault(flags.dir, json{{"op", "policy_show"}}));
  if (flags.as_json) {
    fmt::print("{}\n", Indented(end));
    return Ok();
  }
  fmt::print("{}", Shown(end, "text"));
  fmt::print(stderr, "digest {}, in force since {}, activated by person {}\n", Shown(end, "digest"),
             Shown(end, "since"), Shown(end, "editor"));
  return Ok();
}

Status Activate(const VaultPolicyFlags& flags) {
  PosixDisk disk;
  ASSIGN_OR_RETURN(const std::string text,
                   ReadWholeFile(disk, flags.file, access::kPolicyBytesMax));
  ASSIGN_OR_RETURN(const json end,
                   AskVault(flags.dir, json{{"op", "policy_activate"}, {"text", text}}));
  for (const json& one : end.value("warnings", json::array())) {
    fmt::print(stderr, "warning: {}\n", one.get<std::string>());
  }
  fmt::print("{}\n", flags.as_json ? Indented(end) : Shown(end, "digest"));
  fmt::print(stderr, "in force, and recorded. You may neither ask nor approve while it is.\n");
  return Ok();
}

}  // namespace

void AddVaultPolicy(CLI::App& vault, int& exit_code) {
  CLI::App* policy =
      vault.add_subcommand("policy", "Who may ask the vault for what, as code: YAML");
  policy->require_subcommand(1);
  const auto flags = std::make_shared<VaultPolicyFlags>();
  CLI::App* check = policy->add_subcommand("check", "Every mistake of a file, with its line");
  check->add_option("FILE", flags->file, "The policy")->required();
  check
      ->add_option("--kind", flags->kind,
                   "environment.kind it is for; prod wants a second person for exact traces")
      ->check(CLI::IsMember({"dev", "staging", "prod"}))
      ->capture_default_str();
  check->add_flag("--json", flags->as_json, "For programs");
  check->callback([flags, &exit_code] { exit_code = ExitCode(Check(*flags)); });
  CLI::App* show = policy->add_subcommand("show", "The policy in force");
  show->add_option("--dir", flags->dir, "The folder that `telltale init` made")->required();
  show->add_flag("--json", flags->as_json, "For programs");
  show->callback([flags, &exit_code] { exit_code = ExitCode(Show(*flags)); });
  CLI::App* activate = policy->add_subcommand(
      "activate", "Put a file in force; whoever does may neither ask nor approve under it");
  activate->add_option("--dir", flags->dir, "The folder that `telltale init` made")->required();
  activate->add_option("FILE", flags->file, "The policy")->required();
  activate->add_flag("--json", flags->as_json, "For programs");
  activate->callback([flags, &exit_code] { exit_code = ExitCode(Activate(*flags)); });
}

}  // namespace telltale::app
