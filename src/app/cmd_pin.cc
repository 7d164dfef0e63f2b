// `telltale pin ENV RELEASE` and `telltale unpin ENV`.
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

struct PinFlags {
  ControlFlags control;
  std::string environment;
  std::string release;
  std::string reason;
  std::string expires_at;
};

std::string PathOf(const PinFlags& flags) { return EnvironmentPath(flags.environment, "pin"); }

Status Pin(const PinFlags& flags) {
  ASSIGN_OR_RETURN(const std::string release, ReleaseIdOf(flags.control, flags.release));
  json wish = {{"release", release}, {"reason", flags.reason}};
  if (!flags.expires_at.empty()) wish["expires_at"] = flags.expires_at;
  ASSIGN_OR_RETURN(const json answer,
                   AskControl(flags.control, HttpMethod::kPut, PathOf(flags), wish));
  if (flags.control.as_json) {
    PrintControlJson(answer);
  } else {
    fmt::print("{} is pinned to {}\n", flags.environment, ShortRelease(release));
  }
  return Ok();
}

Status Unpin(const PinFlags& flags) {
  ASSIGN_OR_RETURN(const json answer,
                   AskControl(flags.control, HttpMethod::kDelete, PathOf(flags)));
  if (flags.control.as_json) {
    PrintControlJson({{"unpinned", flags.environment}});
  } else {
    fmt::print("{} is pinned no more\n", flags.environment);
  }
  return Ok();
}

}  // namespace

void AddPinCommands(CLI::App& app, int& exit_code) {
  const auto flags = std::make_shared<PinFlags>();
  CLI::App* pin = app.add_subcommand(
      "pin", "Keep an environment at a release; needs no approval, promotions are refused");
  pin->add_option("ENV", flags->environment, "The environment")->required();
  pin->add_option("RELEASE", flags->release, "Name, id or its beginning")->required();
  pin->add_option("--reason", flags->reason, "Why, for the audit");
  pin->add_option("--expires-at", flags->expires_at, "RFC 3339, such as 2026-12-24T00:00:00Z");
  AddControlOptions(*pin, flags->control);
  pin->callback([flags, &exit_code] { exit_code = ExitCode(Pin(*flags)); });
  const auto unpin_flags = std::make_shared<PinFlags>();
  CLI::App* unpin = app.add_subcommand("unpin", "Take the pin away");
  unpin->add_option("ENV", unpin_flags->environment, "The environment")->required();
  AddControlOptions(*unpin, unpin_flags->control);
  unpin->callback([unpin_flags, &exit_code] { exit_code = ExitCode(Unpin(*unpin_flags)); });
}

}  // namespace telltale::app
