// `telltale gate explain|verdict ROLLOUT`: what the gate of a rollout says, and why.
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

// As scripts see it.
constexpr int kHolds = 4;
constexpr int kHalted = 3;

struct GateFlags {
  ControlFlags control;
  std::string rollout;
};

Result<json> AskGate(const GateFlags& flags) {
  return AskControl(flags.control, net::HttpMethod::kGet,
                    fmt::format("rollouts/{}/gate", net::EscapeForHttp(flags.rollout)));
}

int Explain(const GateFlags& flags) {
  const auto answer = AskGate(flags);
  if (!answer.ok()) return ExitCode(answer.error());
  if (flags.control.as_json) {
    PrintControlJson(*answer);
  } else {
    fmt::print("{}", GateWords(*answer));
  }
  return 0;
}

int Verdict(const GateFlags& flags) {
  const auto answer = AskGate(flags);
  if (!answer.ok()) return ExitCode(answer.error());
  const json verdict = answer->value("verdict", json());
  const std::string outcome = verdict.is_object() ? ShownOf(verdict, "outcome") : "none";
  if (flags.control.as_json) {
    PrintControlJson(verdict);
  } else {
    fmt::print("{}\n", GateLine(*answer));
  }
  if (outcome == "halt") return kHalted;
  return outcome == "pass" || outcome == "none" ? 0 : kHolds;
}

}  // namespace

void AddGateCommands(CLI::App& gate, int& exit_code) {
  const auto add = [&](const char* name, const char* what, auto run) {
    const auto flags = std::make_shared<GateFlags>();
    CLI::App* one = gate.add_subcommand(name, what);
    one->add_option("ROLLOUT", flags->rollout, "Its id, such as prod-3")->required();
    AddControlOptions(*one, flags->control);
    one->callback([flags, run, &exit_code] { exit_code = run(*flags); });
  };
  add("explain", "What was seen, at which vehicles, what is missing and how long that would take",
      Explain);
  AddGateCalibration(gate, exit_code);
  add("verdict", "One line; exit code 0: passes or there is none, 3: halts, 4: holds", Verdict);
}

}  // namespace telltale::app
