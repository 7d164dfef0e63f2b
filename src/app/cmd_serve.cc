#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "app/commands.h"
#include "app/serve.h"
#include "base/logging.h"
#include "base/stop.h"

namespace telltale::app {
namespace {

Status Run(ServeOptions& options) {
  ASSIGN_OR_RETURN(options.layout, Layout::OfThisProgram());
  std::error_code error;
  options.dir = std::filesystem::canonical(options.dir, error).string();
  if (error) return Error{Code::kNotFound, error.message()};
  return Serve(options);
}

}  // namespace

void AddServeCommand(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<ServeOptions>();
  CLI::App* command = app.add_subcommand(
      "serve", "Run the platform of one folder in the foreground, until SIGTERM or Ctrl-C");
  command->add_option("DIR", options->dir, "The folder that `telltale init` made")
      ->required()
      ->check(CLI::ExistingDirectory);
  command->add_flag("--demo", options->demo, "Allow what only a demonstration may do");
  command
      ->add_option("--seed", options->seed,
                   "With --demo: seeds vehicle references, so that runs can be compared")
      ->needs("--demo");
  command
      ->add_option("--role", options->only,
                   "Only these of the roles, such as control; the configuration must want them")
      ->delimiter(',')
      ->check(CLI::IsMember(std::vector<std::string>(std::begin(kRoles), std::end(kRoles))));
  // No group: not shown in help. Leaves roles out, for tests of parts.
  command->add_option("--without", options->without)
      ->delimiter(',')
      ->check(CLI::IsMember(std::vector<std::string>(std::begin(kRoles), std::end(kRoles))))
      ->group("");
  command->callback([options, &exit_code] {
    WatchForStop();
    StartLogging("serve");
    exit_code = ExitCode(Run(*options));
  });
}

}  // namespace telltale::app
