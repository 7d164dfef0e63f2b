#include "app/cmd_vault.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "app/cmd_transport_keys.h"
#include "app/commands.h"
#include "app/vault_client.h"
#include "app/vault_commands.h"

namespace telltale {
namespace {

using nlohmann::json;

Status ShowStatus(const std::string& dir) {
  ASSIGN_OR_RETURN(const json end, app::AskVault(dir, json{{"op", "status"}}));
  fmt::print("{}\n", app::Indented(end));
  return Ok();
}

}  // namespace

void AddVaultCommand(CLI::App& app, int& exit_code) {
  CLI::App* vault = app.add_subcommand(
      "vault", "Ask the vault by its policy; every question is recorded before a row leaves");
  vault->require_subcommand(1);
  app::AddTransportKeysCommand(*vault, exit_code);
  app::AddVaultQuery(*vault, exit_code);
  app::AddVaultRequests(*vault, exit_code);
  app::AddVaultExport(*vault, exit_code);
  app::AddVaultPolicy(*vault, exit_code);
  app::AddVaultAudit(*vault, exit_code);
  app::AddVaultReport(*vault, exit_code);
  const auto dir = std::make_shared<std::string>();
  const auto as_json = std::make_shared<bool>();
  CLI::App* status = vault->add_subcommand(
      "status", "Who you are to the vault, what you used today, its counters; JSON");
  status->add_option("--dir", *dir, "The folder that `telltale init` made")->required();
  status->add_flag("--json", *as_json, "JSON, as without it");
  status->callback([dir, as_json, &exit_code] { exit_code = app::ExitCode(ShowStatus(*dir)); });
}

}  // namespace telltale
