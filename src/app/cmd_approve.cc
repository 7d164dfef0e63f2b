// `telltale approve ROLLOUT`.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "app/commands.h"
#include "app/control_client.h"
#include "app/control_commands.h"
#include "app/control_gate_words.h"

namespace telltale::app {
namespace {

using nlohmann::json;

struct ApproveFlags {
  ControlFlags control;
  std::string rollout;
  std::string comment;
};

// What a comment confirms is shown first; null where nothing is to be confirmed.
Result<json> ShowWhatIsConfirmed(const ApproveFlags& flags) {
  if (flags.comment.empty()) return json();
  ASSIGN_OR_RETURN(const json answer,
                   AskControl(flags.control, net::HttpMethod::kGet,
                              fmt::format("rollouts/{}/gate", net::EscapeForHttp(flags.rollout))));
  const json report = answer.is_object() ? answer.value("report", json()) : json();
  if (!report.is_object() || report.value("needs_confirmation", json()) != json(true)) {
    return json();
  }
  fmt::print(flags.control.as_json ? stderr : stdout, "{}", GateWords(answer));
  json shown;
  for (const char* name : {"gate_digest", "discordant", "detectable"}) {
    shown[name] = report.value(name, json());
  }
  return shown;
}

Status Approve(const ApproveFlags& flags) {
  json body = {{"comment", flags.comment}};
  ASSIGN_OR_RETURN(const json shown, ShowWhatIsConfirmed(flags));
  if (!shown.is_null()) body["shown"] = shown;
  ASSIGN_OR_RETURN(
      const json answer,
      AskControl(flags.control, net::HttpMethod::kPost,
                 fmt::format("rollouts/{}/approvals", net::EscapeForHttp(flags.rollout)), body));
  if (flags.control.as_json) {
    PrintControlJson(answer);
  } else {
    fmt::print("the stage at hand of {} has your approval\n", flags.rollout);
  }
  return Ok();
}

}  // namespace

void AddApproveCommand(CLI::App& app, int& exit_code) {
  const auto flags = std::make_shared<ApproveFlags>();
  CLI::App* command =
      app.add_subcommand("approve", "Approve the stage at hand of a rollout, as an approver");
  command->add_option("ROLLOUT", flags->rollout, "Its id, such as prod-3")->required();
  command->add_option("--comment", flags->comment,
                      "For the audit and the report; where the gate asks for a person it shows "
                      "what it saw, and confirms that");
  AddControlOptions(*command, flags->control);
  command->callback([flags, &exit_code] { exit_code = ExitCode(Approve(*flags)); });
}

}  // namespace telltale::app
