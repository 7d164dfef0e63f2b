// `telltale`: one program, many commands. Each command is a file beside this one.
#include <fmt/core.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <exception>

#include "app/cmd_log.h"
#include "app/cmd_sim.h"
#include "app/cmd_vault.h"
#include "app/commands.h"
#include "app/control_commands.h"
#include "app/version.h"

namespace telltale::app {
namespace {

int Run(int argc, char** argv) {
  CLI::App app{"Telltale: the pipeline behind the warning lamps of a fleet."};
  app.name("telltale");
  bool as_json = false;
  CLI::Option* json = app.add_flag("--json", as_json, "With --version: as JSON");
  json->needs(app.set_version_flag(
      "--version", [&as_json] { return as_json ? VersionJson().dump(2) : VersionText(); },
      "Prints the version, its commit and the version of every format, and ends"));
  app.set_help_all_flag("--help-all", "Help of every command");
  app.require_subcommand(1);
  int exit_code = 0;
  AddInitCommand(app, exit_code);
  AddServeCommand(app, exit_code);
  AddStatusCommand(app, exit_code);
  AddDoctorCommand(app, exit_code);
  AddConfigCommand(app, exit_code);
  AddContractCommand(app, exit_code);
  AddReleaseCommand(app, exit_code);
  AddVehiclesCommand(app, exit_code);
  AddCertificateCommand(app, exit_code);
  AddVaultCommand(app, exit_code);
  AddControlCommands(app, exit_code);
  AddSubjectCommand(app, exit_code);
  AddSimCommand(app, exit_code);
  AddReplayCommand(app, exit_code);
  AddMirrorCommand(app, exit_code);
  AddRehearseCommand(app, exit_code);
  AddUpCommand(app, exit_code);
  AddLogCommand(app, exit_code);
  AddRoleCommand(app, exit_code);
  CLI11_PARSE(app, argc, argv);
  return exit_code;
}

}  // namespace
}  // namespace telltale::app

int main(int argc, char** argv) {
  // Logs go to stderr; stdout is for what a command was asked for.
  spdlog::set_default_logger(spdlog::stderr_color_mt("telltale"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %^%l%$ %v", spdlog::pattern_time_type::utc);
  try {
    return telltale::app::Run(argc, argv);
  } catch (const std::exception& e) {
    // A library threw past its adapter: say so and stop; the supervisor starts us again.
    fmt::print(stderr, "telltale: unexpected: {}\n", e.what());
    return 70;
  }
}
