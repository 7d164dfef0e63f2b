// `telltale vault query` and `export`: rows, by the policy.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "app/commands.h"
#include "app/vault_client.h"
#include "app/vault_commands.h"
#include "app/vault_query.h"
#include "app/vault_rows.h"
#include "base/ids.h"

namespace telltale::app {
namespace {

using nlohmann::json;

struct VaultQueryFlags {
  VaultQuestion question;
  std::string dir;
  std::int64_t request = 0;
  std::string format = "table";
  std::string out;
  std::string export_id;
  bool as_json = false;
};

RowFormat FormatOf(const VaultQueryFlags& flags) {
  if (flags.format == "parquet") return RowFormat::kParquet;
  return flags.as_json || flags.format == "ndjson" ? RowFormat::kNdjson : RowFormat::kTable;
}

Status AskForRows(const VaultQueryFlags& flags, const json& request) {
  RowPrinter printer(FormatOf(flags), flags.out);
  RETURN_IF_ERROR(printer.Start());
  ASSIGN_OR_RETURN(const json end, AskVault(flags.dir, request,
                                            [&](const json& message) { printer.Print(message); }));
  const std::string number = Shown(end, "request");
  if (end.value("state", "done") == "waiting") {
    return Error{Code::kRefused,
                 fmt::format("request {0} waits for {1} of {2} to agree: `telltale vault approve "
                             "--dir {3} {0}` by somebody else, then `telltale vault query --dir "
                             "{3} --request {0}`",
                             number, Shown(end, "approvals_wanted"), Shown(end, "approve_roles"),
                             flags.dir)};
  }
  if (end.contains("export")) {
    fmt::print("{}\n", flags.as_json ? end.dump() : Shown(end, "export"));
    fmt::print(stderr,
               "{} rows are kept in the vault until {}: `telltale vault export get --dir {} {}`\n",
               Shown(end, "rows"), Shown(end, "dies_at"), flags.dir, Shown(end, "export"));
    return Ok();
  }
  return printer.End(end);
}

Status Query(const VaultQueryFlags& flags) {
  if (flags.request > 0) {
    return AskForRows(flags, json{{"op", "run"}, {"request", flags.request}});
  }
  ASSIGN_OR_RETURN(json request, flags.question.ToJson());
  request["op"] = "query";
  return AskForRows(flags, request);
}

void AddFormat(CLI::App& command, const std::shared_ptr<VaultQueryFlags>& flags) {
  command.add_flag("--json", flags->as_json, "One JSON object a row");
  command
      .add_option("--format", flags->format,
                  "table, ndjson (as --json), or parquet into --out: a file outside the vault")
      ->check(CLI::IsMember({"table", "ndjson", "parquet"}))
      ->capture_default_str();
  command.add_option("--out", flags->out, "With --format parquet: a file that does not exist yet");
}

Status ListExports(const VaultQueryFlags& flags) {
  ASSIGN_OR_RETURN(const json end, AskVault(flags.dir, json{{"op", "export_list"}}));
  if (flags.as_json) {
    fmt::print("{}\n", Indented(end["exports"]));
    return Ok();
  }
  fmt::print("{:<32}  {:>8}  {:>10}  {:<27}  {}\n", "export", "request", "rows", "dies_at",
             "purpose");
  for (const json& one : end.value("exports", json::array())) {
    fmt::print("{:<32}  {:>8}  {:>10}  {:<27}  {}\n", Shown(one, "export"), Shown(one, "request"),
               Shown(one, "rows"), Shown(one, "dies_at"), Shown(one, "purpose"));
  }
  return Ok();
}

}  // namespace

void AddVaultQuery(CLI::App& vault, int& exit_code) {
  const auto flags = std::make_shared<VaultQueryFlags>();
  CLI::App* query = vault.add_subcommand(
      "query",
      "Rows of vehicles, as the purpose allows them; recorded before the first row is shown. Where "
      "the policy wants a second person it files the request and says who may approve it");
  query->add_option("--dir", flags->dir, "The folder that `telltale init` made")->required();
  CLI::Option* request = query->add_option("--request", flags->request,
                                           "The answer to a request of yours that was approved");
  CLI::Option_group* asked = query->add_option_group("question");
  AddQuestion(*asked, flags->question);
  asked->excludes(request);
  query
      ->add_flag("--break-glass", flags->question.break_glass,
                 "Without a second person: one vehicle, 24 hours, an alarm, and a review after it")
      ->excludes(request);
  query
      ->add_flag("--export", flags->question.keep,
                 "Keep the answer in the vault, sealed, until its policy's age; prints its id")
      ->excludes(request);
  AddFormat(*query, flags);
  query->callback([flags, &exit_code] { exit_code = ExitCode(Query(*flags)); });
}

void AddVaultExport(CLI::App& vault, int& exit_code) {
  CLI::App* group = vault.add_subcommand("export", "Answers that are kept in the vault");
  group->require_subcommand(1);
  const auto flags = std::make_shared<VaultQueryFlags>();
  const auto add = [&](const char* name, const char* meaning, bool has_id) {
    CLI::App* command = group->add_subcommand(name, meaning);
    command->add_option("--dir", flags->dir, "The folder that `telltale init` made")->required();
    if (has_id) {
      command->add_option("EXPORT", flags->export_id, "Its id, 32 hex digits")->required();
    }
    return command;
  };
  CLI::App* list = add("list", "Yours, and all of them for an auditor", false);
  list->add_flag("--json", flags->as_json, "For programs");
  list->callback([flags, &exit_code] { exit_code = ExitCode(ListExports(*flags)); });
  CLI::App* get = add("get", "The rows, for who asked for them; recorded like a query", true);
  AddFormat(*get, flags);
  get->callback([flags, &exit_code] {
    exit_code =
        ExitCode(AskForRows(*flags, json{{"op", "export_get"}, {"export", flags->export_id}}));
  });
  CLI::App* remove = add("remove", "Removes it before its time", true);
  remove->callback([flags, &exit_code] {
    const auto end =
        AskVault(flags->dir, json{{"op", "export_remove"}, {"export", flags->export_id}});
    exit_code = ExitCode(end.ok() ? Ok() : Status(end.error()));
  });
}

}  // namespace telltale::app
