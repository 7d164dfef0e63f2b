// `telltale gate calibration|judge-halt`: how often the gate was wrong here, and who says so.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "app/commands.h"
#include "app/control_client.h"
#include "app/control_commands.h"
#include "app/gate_calibration.h"
#include "base/disk.h"

namespace telltale::app {
namespace {

using nlohmann::json;

struct Flags {
  ControlFlags control;
  std::string rollout;
  std::string why;
  bool is_false = false;
  bool is_true = false;
};

Result<json> Placebo(const ControlFlags& control) {
  if (IsControlNamed(control)) {
    return Error{Code::kNotFound, "they are drawn in the installation's own folder (--dir)"};
  }
  PosixDisk disk;
  return PlaceboRows(disk, control.dir);
}

int Calibration(const Flags& flags) {
  const auto rollouts = AskControl(flags.control, net::HttpMethod::kGet, "rollouts");
  if (!rollouts.ok()) return ExitCode(rollouts.error());
  const json answer = CalibrationAnswer(LiveRolloutsIn(rollouts->value("items", json::array())),
                                        Placebo(flags.control));
  if (flags.control.as_json) {
    PrintControlJson(answer);
  } else {
    fmt::print("{}", CalibrationWords(answer));
  }
  return 0;
}

int JudgeHalt(const Flags& flags) {
  const json body = {{"halt", flags.is_false ? "false" : "true"}, {"why", flags.why}};
  const auto answer =
      AskControl(flags.control, net::HttpMethod::kPost,
                 fmt::format("rollouts/{}/judgement", net::EscapeForHttp(flags.rollout)), body);
  if (!answer.ok()) return ExitCode(answer.error());
  if (flags.control.as_json) {
    PrintControlJson(*answer);
  } else {
    fmt::print("{}  the halt was {}: {}\n", flags.rollout, flags.is_false ? "false" : "right",
               flags.why);
  }
  return 0;
}

}  // namespace

void AddGateCalibration(CLI::App& gate, int& exit_code) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* calibration =
      gate.add_subcommand("calibration", "How often the gate was wrong: here, and in simulation");
  AddControlOptions(*calibration, flags->control);
  calibration->callback([flags, &exit_code] { exit_code = Calibration(*flags); });

  const auto judged = std::make_shared<Flags>();
  CLI::App* judge = gate.add_subcommand(
      "judge-halt", "Say of a halt by the gate whether it was a false one, as an approver");
  judge->add_option("ROLLOUT", judged->rollout, "Its id, such as prod-3")->required();
  auto* is_false = judge->add_flag("--false", judged->is_false, "Nothing was wrong");
  auto* is_true = judge->add_flag("--true", judged->is_true, "The halt was right");
  is_false->excludes(is_true);
  judge->add_option("--why", judged->why, "How you know")->required();
  AddControlOptions(*judge, judged->control);
  judge->callback([judged, &exit_code] {
    if (judged->is_false == judged->is_true) throw CLI::RequiredError("--false or --true");
    exit_code = JudgeHalt(*judged);
  });
}

}  // namespace telltale::app
