#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/cmd_rehearse_compare.h"
#include "app/cmd_rehearse_run.h"
#include "app/cmd_release.h"
#include "app/commands.h"
#include "app/control_client.h"
#include "base/clock.h"
#include "base/stop.h"

namespace telltale::app {
namespace {

using nlohmann::ordered_json;

constexpr int kAsDeclared = 0;
constexpr int kNotAsDeclared = 1;
constexpr int kCouldNotRehearse = 2;
constexpr std::int64_t kLastSecondsMax = 45 * 86'400;

struct RehearseFlags {
  std::string dir;
  std::string release;
  std::string last = "24h";
  std::uint32_t warm_up_s = 3600;
  std::string out;
  bool as_json = false;
  bool quiet = false;
  ControlFlags control = {};  // takes the report, where there is an environment to record it in
  std::string record_in;
};

// "90s", "30m", "24h", "7d"
Result<Micros> Duration(const std::string& text) {
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [at, failed] = std::from_chars(text.data(), end, number);
  const std::string_view unit(at, static_cast<std::size_t>(end - at));
  const std::int64_t seconds = unit == "s"   ? 1
                               : unit == "m" ? 60
                               : unit == "h" ? 3600
                               : unit == "d" ? 86'400
                                             : 0;
  if (failed != std::errc() || seconds == 0 || number < 1 || number > kLastSecondsMax / seconds) {
    return Error{Code::kInvalid, "--last takes a number and s, m, h or d, at most 45d: 24h"};
  }
  return Micros::Seconds(number * seconds);
}

std::string_view Verdict(const RehearsalRun& run, const Rehearsed& compared) {
  if (run.records == 0) return "could_not_judge";
  return compared.passed() ? "pass" : "fail";
}

std::string_view Outcome(const RehearsalRun& run, const Rehearsed& compared) {
  if (run.records == 0) return "nothing_recorded";
  if (!compared.passed()) return "not_as_declared";
  const bool is_same = std::all_of(
      compared.rules.begin(), compared.rules.end(),
      [](const RuleOutcome& one) { return one.changed + one.missing + one.extra == 0; });
  return is_same ? "same" : "as_declared";
}

ordered_json ReportOf(const control::ReleaseContent& content, const RehearsalRun& run,
                      const Rehearsed& compared, Micros made_at) {
  return {{"format", 1},
          {"release", content.id()},
          {"name", content.declaration.name},
          {"verdict", Verdict(run, compared)},
          {"outcome", Outcome(run, compared)},
          {"made_at", control::BuiltAtText(made_at)},
          {"from", control::BuiltAtText(run.from)},
          {"to", control::BuiltAtText(run.to)},
          {"records", run.records},
          {"vehicles", run.vehicles},
          {"vehicles_affected", compared.vehicles_affected},
          {"rules", ToJson(compared)}};
}

std::string Markdown(const ordered_json& report) {
  const auto text = [](const ordered_json& value) { return value.get<std::string>(); };
  std::string page = fmt::format(
      "# Rehearsal of {} {}\n\n**{}**: {} records of {} vehicles, {} to {}; {} vehicles "
      "affected.\n\n"
      "| rule | verdict | published | rehearsed | same | changed | missing | extra | declared | "
      "says |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
      text(report["name"]), text(report["release"]).substr(0, 12), text(report["outcome"]),
      report["records"].get<std::uint64_t>(), report["vehicles"].get<std::uint64_t>(),
      text(report["from"]), text(report["to"]), report["vehicles_affected"].get<std::uint64_t>());
  for (const auto& rule : report["rules"]) {
    page += fmt::format("| {} | {} |", text(rule["rule"]), text(rule["verdict"]));
    for (const char* key : {"published", "rehearsed", "same", "changed", "missing", "extra"}) {
      page += fmt::format(" {} |", rule[key].get<std::uint64_t>());
    }
    page += fmt::format(" {} | {} |\n", text(rule["declared"]), text(rule["says"]));
  }
  return page;
}

// What control takes as a rehearsal (docs/releases.md), and a copy where it was asked for.
Result<std::string> Record(Disk& disk, const RehearseFlags& flags, const ordered_json& report) {
  const Paths paths(flags.dir);
  std::string time = report["made_at"].get<std::string>();
  std::erase_if(time, [](char c) { return c == '-' || c == ':'; });
  const std::string stem = fmt::format("{}/control/rehearsals/{}-{}", paths.data(),
                                       report["release"].get<std::string>(), time);
  const std::string json =
      report.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
  const std::string page = Markdown(report);
  RETURN_IF_ERROR(WriteFileDurably(disk, stem + ".md", page, 0644));
  RETURN_IF_ERROR(WriteFileDurably(disk, stem + ".json", json, 0644));
  if (!flags.out.empty()) {
    RETURN_IF_ERROR(disk.MakeFolders(flags.out, 0755));
    RETURN_IF_ERROR(WriteFileDurably(disk, flags.out + "/rehearsal.md", page, 0644));
    RETURN_IF_ERROR(WriteFileDurably(disk, flags.out + "/rehearsal.json", json, 0644));
  }
  RETURN_IF_ERROR(GiveControlFiles(paths));
  return stem + ".json";
}

// Before the work: an environment that is not there would be found at its end.
Status CheckRecordIn(const RehearseFlags& flags) {
  if (flags.record_in.empty()) return Ok();
  const auto found =
      AskControl(flags.control, net::HttpMethod::kGet, EnvironmentPath(flags.record_in));
  return found.ok() ? Ok() : Status(found.error());
}

Status RecordInControl(const RehearseFlags& flags, const ordered_json& report) {
  if (flags.record_in.empty()) return Ok();
  const auto kept = AskControl(flags.control, net::HttpMethod::kPost,
                               EnvironmentPath(flags.record_in, "rehearsals"),
                               {{"release", report["release"]}, {"report", report}});
  if (!kept.ok()) return Annotate(kept.error(), "the report is written, but not in control");
  if (!flags.quiet) fmt::print(stderr, "rehearse: recorded in {}\n", flags.record_in);
  return Ok();
}

Result<int> Run(const RehearseFlags& flags) {
  PosixDisk disk;
  const SystemClock clock;
  RETURN_IF_ERROR(CheckRecordIn(flags));
  ASSIGN_OR_RETURN(const Micros last, Duration(flags.last));
  ASSIGN_OR_RETURN(const control::ReleaseContent content,
                   ContentOf(disk, flags.release, flags.dir));
  RETURN_IF_ERROR(control::CheckContent(content, RulesCheckOfSafety()));
  const Micros now = clock.NowUtc();
  const RehearsalOptions options{.dir = flags.dir,
                                 .from = now - last,
                                 .warm_up = Micros::Seconds(flags.warm_up_s),
                                 .progress = [&](const std::string& line) {
                                   if (!flags.quiet) fmt::print(stderr, "rehearse: {}\n", line);
                                 }};
  ASSIGN_OR_RETURN(const RehearsalRun run, Rehearse(disk, options, content));
  const Rehearsed compared =
      CompareAlerts(run.published, run.rehearsed, run.from.value, content.declaration);
  const ordered_json report = ReportOf(content, run, compared, clock.NowUtc());
  ASSIGN_OR_RETURN(const std::string path, Record(disk, flags, report));
  if (flags.as_json) {
    fmt::print("{}\n", report.dump(2, ' ', false, ordered_json::error_handler_t::replace));
  } else {
    fmt::print("{}", Markdown(report));
  }
  if (!flags.quiet) fmt::print(stderr, "rehearse: written to {}\n", path);
  RETURN_IF_ERROR(RecordInControl(flags, report));
  if (run.records == 0) {
    return Error{Code::kNotFound,
                 "nothing was recorded and published in this time: there is nothing to judge by"};
  }
  return compared.passed() ? kAsDeclared : kNotAsDeclared;
}

}  // namespace

void AddRehearseCommand(CLI::App& app, int& exit_code) {
  const auto flags = std::make_shared<RehearseFlags>();
  CLI::App* command = app.add_subcommand(
      "rehearse",
      "Runs a release over what was recorded, apart from everything, and compares with what was "
      "published; exit code 0 as declared, 1 not, 2 could not judge or not be recorded");
  command
      ->add_option("RELEASE", flags->release,
                   "Name, id or its beginning; `stable`; or a folder, built or with sources")
      ->required();
  command->add_option("--dir", flags->dir, "The installation whose records are taken")
      ->required()
      ->check(CLI::ExistingDirectory);
  command->add_option("--last", flags->last, "How far back alerts are compared: 90s, 30m, 24h, 7d")
      ->capture_default_str();
  command
      ->add_option("--warm-up", flags->warm_up_s,
                   "Seconds read before that, so that every state is as it was")
      ->check(CLI::Range(0u, 86'400u))
      ->capture_default_str();
  command->add_option("--out", flags->out, "Folder for rehearsal.json and rehearsal.md too");
  command->add_flag("--json", flags->as_json, "The report as JSON");
  command->add_flag("--quiet", flags->quiet, "No progress on standard error");
  command->add_option("--record-in", flags->record_in,
                      "Environment whose control takes the report; under a policy of kind small "
                      "one that passed counts as staging");
  AddControlAddress(*command, flags->control);
  command->callback([flags, &exit_code] {
    flags->control.dir = flags->dir;
    WatchForStop();
    const auto code = Run(*flags);
    if (!code.ok()) fmt::print(stderr, "telltale: {}\n", code.error().ToString());
    exit_code = code.ok() ? *code : kCouldNotRehearse;
  });
}

}  // namespace telltale::app
