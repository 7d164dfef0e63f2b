// `telltale vault report` and `telltale vault holds`.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "app/commands.h"
#include "app/vault_client.h"
#include "app/vault_commands.h"

namespace telltale::app {
namespace {

using nlohmann::json;

struct VaultReportFlags {
  std::string dir;
  std::string at;
  bool list = false;
  bool as_json = false;
};

// The report's own exit status, or that of an error.
int Report(const VaultReportFlags& flags) {
  json request{{"op", "report"}, {"list", flags.list}};
  if (!flags.at.empty()) {
    const auto at = ParseTime("--at", flags.at);
    if (!at.ok()) return ExitCode(at.error());
    request["at_us"] = *at;
  }
  const auto end = AskVault(flags.dir, request);
  if (!end.ok()) return ExitCode(end.error());
  if (flags.as_json) {
    fmt::print("{}\n", Indented(end->value("report", json::object())));
  } else {
    fmt::print("{}", end->value("text", ""));
  }
  return end->value("exit_code", 1);
}

Status Holds(const VaultReportFlags& flags) {
  ASSIGN_OR_RETURN(const json end, AskVault(flags.dir, json{{"op", "holds"}}));
  const json holds = end.value("holds", json::array());
  if (flags.as_json) {
    fmt::print("{}\n", Indented(holds));
    return Ok();
  }
  if (holds.empty()) fmt::print("no hold is in force\n");
  for (const json& hold : holds) {
    fmt::print("hold {}: {} vehicles, {}, case {}, request {}; placed {}, to be reviewed {}\n",
               Shown(hold, "hold"), Shown(hold, "vehicles"), Shown(hold, "basis"),
               Shown(hold, "case"), Shown(hold, "request"), Shown(hold, "placed_at"),
               Shown(hold, "review_at"));
  }
  return Ok();
}

}  // namespace

void AddVaultReport(CLI::App& vault, int& exit_code) {
  const auto flags = std::make_shared<VaultReportFlags>();
  CLI::App* report = vault.add_subcommand("report", "Answers to a regulator's questions");
  report->require_subcommand(1);
  CLI::App* outside = report->add_subcommand(
      "outside-window",
      "Which vehicles have a precise position outside the window: still stored past it, or "
      "accepted when past it. Exit status: 0 clean, 1 violation, 2 incomplete");
  outside->add_option("--dir", flags->dir, "The folder that `telltale init` made")->required();
  outside->add_option("--at", flags->at,
                      "As of this moment: RFC 3339 or microseconds UTC; default now");
  outside->add_flag("--list", flags->list, "All vehicles, by ordinal, not only the first 100");
  outside->add_flag("--json", flags->as_json, "For programs");
  outside->callback([flags, &exit_code] { exit_code = Report(*flags); });

  CLI::App* holds = vault.add_subcommand(
      "holds", "What is kept beyond its window, on what basis, and when that is reviewed");
  holds->add_option("--dir", flags->dir, "The folder that `telltale init` made")->required();
  holds->add_flag("--json", flags->as_json, "For programs");
  holds->callback([flags, &exit_code] { exit_code = ExitCode(Holds(*flags)); });
}

}  // namespace telltale::app
