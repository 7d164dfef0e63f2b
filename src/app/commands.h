// app/ - the program `telltale`: its commands, the roles it runs as, and the supervisor.
//   in      the command line, DIR/telltale.yaml
//   out     DIR as `telltale init` lays it out; the processes of `telltale serve`
//   owns    processes, users, file ownership
//   thread  commands run on the main thread
//   not here: what a role does (its own module)
//
// Each command adds itself to the program: a subcommand whose callback runs it and leaves the
// process's exit code in `exit_code`, which outlives the parse.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace CLI {
class App;
}

namespace telltale::app {

// 0, or prints the error on stderr and gives 1.
int ExitCode(const Status& status);
// Standard output is a terminal, and NO_COLOR is not set to anything. The main thread.
bool WantsColor();

void AddInitCommand(CLI::App& app, int& exit_code);
void AddServeCommand(CLI::App& app, int& exit_code);
void AddRoleCommand(CLI::App& app, int& exit_code);
void AddVehiclesCommand(CLI::App& app, int& exit_code);
void AddCertificateCommand(CLI::App& app, int& exit_code);
void AddStatusCommand(CLI::App& app, int& exit_code);
void AddDoctorCommand(CLI::App& app, int& exit_code);
void AddConfigCommand(CLI::App& app, int& exit_code);
void AddContractCommand(CLI::App& app, int& exit_code);
void AddSubjectCommand(CLI::App& app, int& exit_code);
void AddReleaseCommand(CLI::App& app, int& exit_code);
void AddRehearseCommand(CLI::App& app, int& exit_code);
void AddMirrorCommand(CLI::App& app, int& exit_code);
void AddUpCommand(CLI::App& app, int& exit_code);

// `--set section.key=value`, repeated, into `settings`, which outlives the parse: see
// ConfigSources in base/config_read.h.
void AddSetOption(CLI::App& command, std::vector<std::string>& settings);

}  // namespace telltale::app
