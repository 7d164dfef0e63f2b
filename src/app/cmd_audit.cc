// `telltale audit`: who did what to environments and releases.
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

constexpr int kPageEntries = 1000;

struct AuditFlags {
  ControlFlags control;
  std::uint64_t after = 0;
  bool verify = false;
};

void PrintEntry(const AuditFlags& flags, const json& entry) {
  if (flags.control.as_json) {
    fmt::print("{}\n", entry.dump(-1, ' ', false, json::error_handler_t::replace));
    return;
  }
  fmt::print("{:>6}  {}  {:<20} {:<18} {:<12} {}\n", ShownOf(entry, "entry"), ShownOf(entry, "at"),
             ShownOf(entry, "subject"), ShownOf(entry, "operation"), ShownOf(entry, "environment"),
             ShownOf(entry, "arguments"));
}

Status List(const AuditFlags& flags) {
  std::uint64_t after = flags.after;
  while (true) {
    ASSIGN_OR_RETURN(const json answer,
                     AskControl(flags.control, HttpMethod::kGet,
                                fmt::format("audit?after={}&limit={}", after, kPageEntries)));
    const json items = answer.value("items", json::array());
    for (const json& entry : items) PrintEntry(flags, entry);
    if (items.empty() || !items.back().value("entry", json()).is_number_unsigned()) return Ok();
    after = items.back()["entry"].get<std::uint64_t>();
  }
}

Status Verify(const AuditFlags& flags) {
  ASSIGN_OR_RETURN(const json answer, AskControl(flags.control, HttpMethod::kGet, "audit/verify"));
  const bool is_whole = answer.value("ok", json()) == json(true);
  if (flags.control.as_json) PrintControlJson(answer);
  if (!is_whole) {
    return Error{Code::kCorrupt,
                 fmt::format("the chain breaks at entry {}: {}", ShownOf(answer, "first_bad"),
                             ShownOf(answer, "reason"))};
  }
  if (!flags.control.as_json) fmt::print("{} entries, all whole\n", ShownOf(answer, "entries"));
  return Ok();
}

}  // namespace

void AddControlAuditCommand(CLI::App& app, int& exit_code) {
  const auto flags = std::make_shared<AuditFlags>();
  CLI::App* command = app.add_subcommand(
      "audit", "Who did what to environments and releases; with --json an entry a line");
  command->add_option("--after", flags->after, "Entries with a higher number");
  command->add_flag("--verify", flags->verify,
                    "Check the chain instead; exit code 1: it is broken");
  AddControlOptions(*command, flags->control);
  command->callback(
      [flags, &exit_code] { exit_code = ExitCode(flags->verify ? Verify(*flags) : List(*flags)); });
}

}  // namespace telltale::app
