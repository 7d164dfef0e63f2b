// `telltale approve ROLLOUT`.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "app/commands.h"
#include "app/control_client.h"
#include "app/control_commands.h"

namespace telltale::app {
namespace {

using nlohmann::json;

struct Flags {
  ControlFlags control;
  std::string rollout;
  std::string comment;
};

Status Approve(const Flags& flags) {
  ASSIGN_OR_RETURN(const json answer, AskControl(flags.control, net::HttpMethod::kPost,
                                                 fmt::format("rollouts/{}/approvals",
                                                             net::EscapeForHttp(flags.rollout)),
                                                 {{"comment", flags.comment}}));
  if (flags.control.as_json) {
    PrintControlJson(answer);
  } else {
    fmt::print("the stage at hand of {} has your approval\n", flags.rollout);
  }
  return Ok();
}

}  // namespace

void AddApproveCommand(CLI::App& app, int& exit_code) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* command =
      app.add_subcommand("approve", "Approve the stage at hand of a rollout, as an approver");
  command->add_option("ROLLOUT", flags->rollout, "Its id, such as prod-3")->required();
  command->add_option("--comment", flags->comment, "For the audit and the report");
  AddControlOptions(*command, flags->control);
  command->callback([flags, &exit_code] { exit_code = ExitCode(Approve(*flags)); });
}

}  // namespace telltale::app
