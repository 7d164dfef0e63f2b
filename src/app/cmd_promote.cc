// `telltale promote`, `hold` and `resume`.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "app/commands.h"
#include "app/control_client.h"
#include "app/control_commands.h"
#include "app/control_lines.h"

namespace telltale::app {
namespace {

using net::HttpMethod;
using nlohmann::json;

struct PromoteFlags {
  ControlFlags control;
  std::string environment;
  std::string release;
  std::string policy;
  std::string reason;
  bool close_window = false;
};

Status Promote(const PromoteFlags& flags) {
  ASSIGN_OR_RETURN(const std::string release, ReleaseIdOf(flags.control, flags.release));
  json wish = {{"release", release}};
  if (!flags.policy.empty()) wish["policy"] = flags.policy;
  if (flags.close_window) wish["close_window"] = true;
  ASSIGN_OR_RETURN(const json answer,
                   AskControl(flags.control, HttpMethod::kPut,
                              EnvironmentPath(flags.environment, "promotion"), wish));
  if (flags.control.as_json) {
    PrintControlJson(answer);
    return Ok();
  }
  const auto rollout = answer.find("rollout");
  if (rollout == answer.end() || !rollout->is_object()) {
    fmt::print("{} runs {} already\n", flags.environment, ShortRelease(release));
    return Ok();
  }
  fmt::print("{}", RolloutLines(*rollout));
  fmt::print(stderr, "follow it: telltale rollout watch {}\n", ShownOf(*rollout, "id"));
  return Ok();
}

Status HoldOrResume(const PromoteFlags& flags, const char* what, const char* said) {
  ASSIGN_OR_RETURN(const json answer, AskControl(flags.control, HttpMethod::kPost,
                                                 EnvironmentPath(flags.environment, what),
                                                 {{"reason", flags.reason}}));
  if (flags.control.as_json) {
    PrintControlJson(answer);
  } else {
    fmt::print("{} {}\n", flags.environment, said);
  }
  return Ok();
}
Status Hold(const PromoteFlags& flags) { return HoldOrResume(flags, "hold", "is held"); }
Status Resume(const PromoteFlags& flags) { return HoldOrResume(flags, "resume", "goes on"); }

void AddOne(CLI::App& app, const char* name, const char* what, Status (*run)(const PromoteFlags&),
            int& exit_code) {
  const auto flags = std::make_shared<PromoteFlags>();
  CLI::App* command = app.add_subcommand(name, what);
  command->add_option("ENV", flags->environment, "The environment")->required();
  if (run == Promote) {
    command->add_option("RELEASE", flags->release, "Name, id or its beginning")->required();
    command->add_option("--policy", flags->policy, "Instead of the environment's");
    command->add_flag("--close-window", flags->close_window,
                      "Give up the way back of the rollout before it");
  } else {
    command->add_option("--reason", flags->reason, "Why, for the audit");
  }
  AddControlOptions(*command, flags->control);
  command->callback([flags, run, &exit_code] { exit_code = ExitCode(run(*flags)); });
}

}  // namespace

void AddPromoteCommands(CLI::App& app, int& exit_code) {
  AddOne(app, "promote", "Bring a release into an environment, stage by stage", Promote, exit_code);
  AddOne(app, "hold", "Stop the way forward in an environment", Hold, exit_code);
  AddOne(app, "resume", "Go on after a hold", Resume, exit_code);
}

}  // namespace telltale::app
