// `telltale reinstate RELEASE` and `telltale break-glass ENV RELEASE`.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "app/commands.h"
#include "app/control_client.h"
#include "app/control_commands.h"

namespace telltale::app {
namespace {

using net::HttpMethod;
using nlohmann::json;

struct ReinstateFlags {
  ControlFlags control;
  std::string environment;
  std::string release;
  std::string reason;
  std::string expires_at;
};

Status Reinstate(const ReinstateFlags& flags) {
  ASSIGN_OR_RETURN(const std::string release, ReleaseIdOf(flags.control, flags.release));
  ASSIGN_OR_RETURN(const json answer,
                   AskControl(flags.control, HttpMethod::kPost,
                              fmt::format("releases/{}/reinstate", net::EscapeForHttp(release)),
                              {{"cause", flags.reason}}));
  if (flags.control.as_json) {
    PrintControlJson(answer);
  } else if (answer.value("reinstated", false)) {
    fmt::print("{} is rejected no more; it needs new evidence\n", ShortRelease(release));
  } else {
    fmt::print("{} needs a second approver\n", ShortRelease(release));
  }
  return Ok();
}

Status BreakGlass(const ReinstateFlags& flags) {
  ASSIGN_OR_RETURN(const std::string release, ReleaseIdOf(flags.control, flags.release));
  ASSIGN_OR_RETURN(
      const json answer,
      AskControl(
          flags.control, HttpMethod::kPost, EnvironmentPath(flags.environment, "break-glass"),
          {{"release", release}, {"reason", flags.reason}, {"expires_at", flags.expires_at}}));
  if (flags.control.as_json) {
    PrintControlJson(answer);
    return Ok();
  }
  fmt::print("{} may skip soak and staging in {} until {}\n", ShortRelease(release),
             flags.environment, ShownOf(answer, "expires_at"));
  if (answer.value("by", json::array()).size() < 2) {
    fmt::print("a second signature is due until {}\n", ShownOf(answer, "second_until"));
  }
  return Ok();
}

}  // namespace

void AddReinstateCommands(CLI::App& app, int& exit_code) {
  const auto again = std::make_shared<ReinstateFlags>();
  CLI::App* reinstate = app.add_subcommand(
      "reinstate", "Let a rejected release be promoted again; two approvers must ask for it");
  reinstate->add_option("RELEASE", again->release, "Name, id or its beginning")->required();
  reinstate->add_option("--cause", again->reason, "What was wrong with the evidence")->required();
  AddControlOptions(*reinstate, again->control);
  reinstate->callback([again, &exit_code] { exit_code = ExitCode(Reinstate(*again)); });

  const auto glass = std::make_shared<ReinstateFlags>();
  CLI::App* command = app.add_subcommand(
      "break-glass",
      "Let a release skip soak and staging in an environment; the same again by another person is "
      "the second signature, due within 24 hours");
  command->add_option("ENV", glass->environment, "The environment")->required();
  command->add_option("RELEASE", glass->release, "Name, id or its beginning")->required();
  command->add_option("--reason", glass->reason, "Why, for the audit")->required();
  command->add_option("--expires-at", glass->expires_at, "RFC 3339, such as 2026-12-24T00:00:00Z")
      ->required();
  AddControlOptions(*command, glass->control);
  command->callback([glass, &exit_code] { exit_code = ExitCode(BreakGlass(*glass)); });
}

}  // namespace telltale::app
