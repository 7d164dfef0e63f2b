// `telltale rollout list|show|watch|report`.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <memory>

#include "app/commands.h"
#include "app/control_client.h"
#include "app/control_commands.h"
#include "app/control_lines.h"
#include "base/stop.h"

namespace telltale::app {
namespace {

using net::HttpMethod;
using nlohmann::json;

constexpr std::chrono::milliseconds kLook{1000};
constexpr int kLostMax = 60;  // looks in a row without an answer
// As scripts see it.
constexpr int kEndedBadly = 3;

struct RolloutFlags {
  ControlFlags control;
  std::string id;
  std::string environment;
};

std::string PathOf(const RolloutFlags& flags) { return "rollouts/" + net::EscapeForHttp(flags.id); }

Status List(const RolloutFlags& flags) {
  std::string path = "rollouts";
  if (!flags.environment.empty()) {
    path += "?environment=" + net::EscapeForHttp(flags.environment);
  }
  ASSIGN_OR_RETURN(const json answer, AskControl(flags.control, HttpMethod::kGet, path));
  if (flags.control.as_json) {
    PrintControlJson(answer);
    return Ok();
  }
  const json items = answer.value("items", json::array());
  for (const json& one : items) fmt::print("{}\n", RolloutLine(one));
  if (items.empty()) fmt::print(stderr, "none yet: `telltale promote ENV RELEASE` begins one\n");
  return Ok();
}

Status Show(const RolloutFlags& flags) {
  ASSIGN_OR_RETURN(const json rollout, AskControl(flags.control, HttpMethod::kGet, PathOf(flags)));
  if (flags.control.as_json) {
    PrintControlJson(rollout);
    return Ok();
  }
  fmt::print("{}{}{}", RolloutLines(rollout), CostLine(rollout), LakeLines(rollout));
  for (const json& one : rollout.value("history", json::array())) {
    fmt::print("  {}  {:<10} {:<16} {}\n", ShownOf(one, "at"), ShownOf(one, "phase"),
               ShownOf(one, "subject"), ShownOf(one, "note"));
  }
  return Ok();
}

Status Report(const RolloutFlags& flags) {
  ASSIGN_OR_RETURN(
      const std::string text,
      AskControlForBytes(flags.control, {.target = "/v1/" + PathOf(flags) + "/report"}));
  if (flags.control.as_json) {
    PrintControlJson({{"markdown", text}});
  } else {
    fmt::print("{}", text);
  }
  return Ok();
}

std::string ShownNow(const RolloutFlags& flags, const json& rollout) {
  if (!flags.control.as_json) {
    return RolloutLines(rollout) + CostLine(rollout) + LakeLines(rollout);
  }
  return rollout.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

// It is printed again when this changes: not costs, which go up by the clock alone, nor the seconds
// that are left of a time.
std::string Telling(const RolloutFlags& flags, json rollout) {
  for (const char* cost : {"costs", "previous_costs"}) rollout.erase(cost);
  if (rollout.contains("waits_for")) {
    for (json& wait : rollout["waits_for"]) {
      if (wait.is_object() && ShownOf(wait, "code").ends_with("_time")) wait.erase("message");
    }
  }
  return ShownNow(flags, rollout);
}

// Until the way back is closed too, or it was taken. Prints what has changed.
int Watch(const RolloutFlags& flags) {
  WatchForStop();
  std::string last;
  int lost = 0;
  while (true) {
    const auto rollout = AskControl(flags.control, HttpMethod::kGet, PathOf(flags));
    if (!rollout.ok()) {
      if (rollout.error().code != Code::kUnavailable || ++lost > kLostMax) {
        return ExitCode(rollout.error());
      }
      if (lost == 1) fmt::print(stderr, "control does not answer; waiting for it\n");
    } else {
      lost = 0;
      std::string now = Telling(flags, *rollout);
      if (now != last) {
        fmt::print("{}", ShownNow(flags, *rollout));
        std::fflush(stdout);
      }
      last = std::move(now);
      if (HasEnded(*rollout)) return ShownOf(*rollout, "phase") == "closed" ? 0 : kEndedBadly;
    }
    if (WaitForStop(kLook)) return 0;
  }
}

}  // namespace

void AddRolloutCommand(CLI::App& app, int& exit_code) {
  CLI::App* rollout = app.add_subcommand("rollout", "Releases on their way");
  rollout->require_subcommand(1);
  const auto add = [&](const char* name, const char* what, auto run) {
    const auto flags = std::make_shared<RolloutFlags>();
    CLI::App* one = rollout->add_subcommand(name, what);
    AddControlOptions(*one, flags->control);
    one->callback([flags, run, &exit_code] { exit_code = run(*flags); });
    return std::pair{one, flags};
  };
  auto [list, list_flags] = add("list", "All of them, newest first",
                                [](const RolloutFlags& f) { return ExitCode(List(f)); });
  list->add_option("--environment", list_flags->environment, "Of one environment");
  auto [show, show_flags] =
      add("show", "One, with its history", [](const RolloutFlags& f) { return ExitCode(Show(f)); });
  auto [watch, watch_flags] =
      add("watch",
          "Print what changes until it has ended; exit code 0: closed, 3: withdrawn or rejected",
          Watch);
  auto [report, report_flags] = add("report", "What it was, as Markdown",
                                    [](const RolloutFlags& f) { return ExitCode(Report(f)); });
  for (const auto& [command, flags] : {std::pair{show, show_flags}, std::pair{watch, watch_flags},
                                       std::pair{report, report_flags}}) {
    command->add_option("ROLLOUT", flags->id, "Its id, such as prod-3")->required();
  }
}

}  // namespace telltale::app
