// `telltale rollback ENV`: back to stable, in one call.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "app/commands.h"
#include "app/control_client.h"
#include "app/control_commands.h"

namespace telltale::app {
namespace {

using nlohmann::json;

struct RollbackFlags {
  ControlFlags control;
  std::string environment;
  std::string reason;
};

constexpr int kPending = 2;

std::int64_t NumberOf(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

// 0: all is fenced; kPending: decided, and some or all of it is on its way.
int Print(const RollbackFlags& flags, const json& answer) {
  const json& partitions = answer.contains("partitions") ? answer["partitions"] : json::object();
  const std::int64_t pending = NumberOf(partitions, "pending");
  const std::int64_t decided_us = NumberOf(answer, "decided_at_us");
  const std::int64_t fenced_us = NumberOf(answer, "fenced_at_us");
  const int exit_code = pending == 0 && fenced_us != 0 ? 0 : kPending;
  if (flags.control.as_json) {
    PrintControlJson(answer);
    return exit_code;
  }
  fmt::print("decided  {}\n", ShownOf(answer, "decided_at"));
  if (fenced_us == 0) {
    fmt::print("fenced   not yet: {}; control sends it until it is taken\n",
               ShownOf(answer, "reason"));
    return exit_code;
  }
  fmt::print("fenced   {}, {:.3f} s later: {} partitions flipped, {} pending\n",
             ShownOf(answer, "fenced_at"), static_cast<double>(fenced_us - decided_us) / 1e6,
             NumberOf(partitions, "flipped"), pending);
  for (const json& one : answer.value("pending", json::array())) {
    fmt::print("  partition {}: {}\n", ShownOf(one, "partition"), ShownOf(one, "reason"));
  }
  return exit_code;
}

int Run(const RollbackFlags& flags) {
  const auto answer =
      AskControl(flags.control, net::HttpMethod::kPost,
                 EnvironmentPath(flags.environment, "rollback"), {{"reason", flags.reason}});
  if (!answer.ok()) return ExitCode(answer.error());
  return Print(flags, *answer);
}

}  // namespace

void AddRollbackCommand(CLI::App& app, int& exit_code) {
  const auto flags = std::make_shared<RollbackFlags>();
  CLI::App* command = app.add_subcommand(
      "rollback",
      "Back to the stable release at once, whatever phase; needs no approval. Exit code 0: every "
      "partition is fenced, 2: decided, some are pending, 1: refused or not reached");
  command->add_option("ENV", flags->environment, "The environment")->required();
  command->add_option("--reason", flags->reason, "Why, for the audit and the report");
  AddControlOptions(*command, flags->control);
  command->callback([flags, &exit_code] { exit_code = Run(*flags); });
}

}  // namespace telltale::app
