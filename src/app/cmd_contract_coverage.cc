#include <sys/wait.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "app/commands.h"
#include "app/contract_commands.h"
#include "app/layout.h"
#include "app/process.h"

namespace telltale::app {
namespace {

struct ContractCoverageFlags {
  std::string dir;
  std::string firmware;
  bool all = false;
  bool json = false;
  bool check = false;
};

// The lake's reader has the tables and the judgement: its exit code is ours.
Result<int> Run(const ContractCoverageFlags& flags) {
  ASSIGN_OR_RETURN(const Layout layout, Layout::OfThisProgram());
  Program program{.name = "coverage", .arguments = {}, .variables = {}, .user = {}};
  program.arguments = {layout.python, "-m", "telltale_lake", "coverage", "--dir", flags.dir};
  if (!flags.firmware.empty())
    program.arguments.insert(program.arguments.end(), {"--firmware", flags.firmware});
  if (flags.all) program.arguments.emplace_back("--all");
  if (flags.json) program.arguments.emplace_back("--json");
  if (flags.check) program.arguments.emplace_back("--check");
  program.variables = {"PYTHONPATH=" + layout.python_site, "PYTHONDONTWRITEBYTECODE=1"};
  ASSIGN_OR_RETURN(const pid_t pid, Start(program));
  ASSIGN_OR_RETURN(const int status, WaitFor(pid));
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  return Error{Code::kUnavailable, "telltale_lake coverage " + DescribeEnd(status)};
}

}  // namespace

void AddContractCoverage(CLI::App& contract, int& exit_code) {
  const auto flags = std::make_shared<ContractCoverageFlags>();
  CLI::App* command = contract.add_subcommand(
      "coverage",
      "Which firmware sends which field, from the lake's table `coverage`, and what looks like a "
      "field that stopped or changed its unit");
  command->add_option("--dir", flags->dir, "The folder that `telltale init` made")
      ->required()
      ->check(CLI::ExistingDirectory);
  command->add_option("--firmware", flags->firmware, "This one alone, held against the others");
  command->add_flag("--all", flags->all, "Fields that nobody sends, too");
  command->add_flag("--json", flags->json, "For programs; all fields");
  command->add_flag("--check", flags->check, "Exit code 1 when something is flagged");
  command->callback([flags, &exit_code] {
    const auto ended = Run(*flags);
    exit_code = ended.ok() ? *ended : ExitCode(ended.error());
  });
}

}  // namespace telltale::app
