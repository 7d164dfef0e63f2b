// `telltale cohort preview` and `telltale rehearsal list`: what is known before a rollout.
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

constexpr std::int64_t kShareMax = 10'000;

struct PreviewFlags {
  ControlFlags control;
  std::string key;  // of the cohort
  std::string environment;
  std::int64_t per_10000 = 0;
  std::string salt;
};

Status Preview(const PreviewFlags& flags) {
  std::string path =
      fmt::format("cohorts/{}/preview?environment={}&per_10000={}", net::EscapeForHttp(flags.key),
                  net::EscapeForHttp(flags.environment), flags.per_10000);
  if (!flags.salt.empty()) path += "&salt=" + net::EscapeForHttp(flags.salt);
  ASSIGN_OR_RETURN(const json answer, AskControl(flags.control, HttpMethod::kGet, path));
  if (flags.control.as_json) {
    PrintControlJson(answer);
    return Ok();
  }
  const json vehicles = answer.value("vehicles", json::object());
  fmt::print("{} of {}, {}: {} vehicles in, {} out\n", ShareText(flags.per_10000),
             flags.environment, flags.key, ShownOf(vehicles, "in"), ShownOf(vehicles, "out"));
  for (const json& one : answer.value("strata", json::array())) {
    fmt::print("  {:<14}{:<28}{:>8} in {:>8} out\n", ShownOf(one, "by"), ShownOf(one, "value"),
               ShownOf(one, "in"), ShownOf(one, "out"));
  }
  for (const json& one : answer.value("never_covered", json::array())) {
    fmt::print("  never covered: {} {}\n", ShownOf(one, "by"), ShownOf(one, "value"));
  }
  return Ok();
}

Status ListRehearsals(const PreviewFlags& flags) {
  ASSIGN_OR_RETURN(const json answer, AskControl(flags.control, HttpMethod::kGet,
                                                 EnvironmentPath(flags.environment, "rehearsals")));
  if (flags.control.as_json) {
    PrintControlJson(answer);
    return Ok();
  }
  const json items = answer.value("items", json::array());
  for (const json& one : items) {
    fmt::print("{}  {:<16} {}  {}\n", ShortRelease(ShownOf(one, "release")),
               ShownOf(one.value("report", json::object()), "verdict"), ShownOf(one, "at"),
               ShownOf(one, "by"));
  }
  if (items.empty()) {
    fmt::print(stderr, "none yet: `telltale rehearse RELEASE --dir DIR --record-in {}`\n",
               flags.environment);
  }
  return Ok();
}

}  // namespace

void AddCohortPreview(CLI::App& cohort, int& exit_code) {
  const auto flags = std::make_shared<PreviewFlags>();
  CLI::App* command = cohort.add_subcommand(
      "preview", "Which vehicles a share of an environment would take, counted by what they are");
  command->add_option("KEY", flags->key, "Its key")->required();
  command->add_option("--environment", flags->environment, "Whose vehicles")->required();
  command->add_option("--share", flags->per_10000, "Of 10,000, such as 100 for 1 %")
      ->required()
      ->check(CLI::Range(std::int64_t{0}, kShareMax));
  command->add_option("--salt", flags->salt, "Instead of the cohort's; a rollout's id");
  AddControlOptions(*command, flags->control);
  command->callback([flags, &exit_code] { exit_code = ExitCode(Preview(*flags)); });
}

void AddRehearsalCommand(CLI::App& app, int& exit_code) {
  CLI::App* rehearsal = app.add_subcommand("rehearsal", "Reports of rehearsals that control has");
  rehearsal->require_subcommand(1);
  const auto flags = std::make_shared<PreviewFlags>();
  CLI::App* list = rehearsal->add_subcommand("list", "The newest of each release");
  list->add_option("ENV", flags->environment, "The environment")->required();
  AddControlOptions(*list, flags->control);
  list->callback([flags, &exit_code] { exit_code = ExitCode(ListRehearsals(*flags)); });
}

}  // namespace telltale::app
