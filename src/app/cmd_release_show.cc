#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/cmd_release.h"
#include "app/commands.h"
#include "app/control_client.h"
#include "control/release_diff.h"

namespace telltale::app {
namespace {

using nlohmann::json;

struct ReleaseShowFlags {
  ControlFlags control;
  std::string before;
  std::string after;
};

// A declared name may be anything printable; a rule's text too.
void PrintDeclared(const json& declared) {
  if (!declared.empty()) fmt::print("declared\n");
  for (const json& change : declared) {
    const std::string name = ShownOf(change, "name");
    fmt::print("  {}{}: {} ({})\n", ShownOf(change, "about"), name == "-" ? "" : " " + name,
               ShownOf(change, "in_words"), ShownOf(change, "why"));
  }
}

void PrintItems(const char* title, const json& items) {
  if (items.empty()) return;
  fmt::print("{}\n", title);
  const auto value = [](const json& key, const char* side) {
    const std::string text = ShownOf(key, side);
    return text == "-" ? std::string("not set") : text;
  };
  for (const json& item : items) {
    const std::string change = ShownOf(item, "change");
    fmt::print("  {} {}\n", ShownOf(item, "name"), change);
    for (const json& key : item.at("keys")) {
      if (change == "changed") {
        fmt::print("    {}: {} -> {}\n", ShownOf(key, "key"), value(key, "before"),
                   value(key, "after"));
      } else {
        fmt::print("    {}: {}\n", ShownOf(key, "key"),
                   ShownOf(key, change == "added" ? "after" : "before"));
      }
    }
  }
}

void PrintLines(const char* head, const json& lines) {
  fmt::print("{}\n", head);
  for (const json& line : lines) fmt::print("  {}\n", line.get<std::string>());
}

// `diff` as control::ToJson gives it.
void PrintDiff(const json& diff, const std::string& name) {
  fmt::print("{} -> {}{}\n", ShortRelease(ShownOf(diff, "before")),
             ShortRelease(ShownOf(diff, "after")), name.empty() ? "" : " " + name);
  if (diff.at("changed").empty()) {
    fmt::print("the same components\n");
    return;
  }
  fmt::print("changed:");
  for (const json& component : diff.at("changed")) {
    fmt::print(" {}", component.get<std::string>());
  }
  fmt::print("\n");
  PrintItems("rules", diff.at("rules"));
  const json& contract = diff.at("contract");
  if (contract.at("verdict") != json("same")) {
    PrintLines(fmt::format("contract: {}", ShownOf(contract, "verdict")).c_str(),
               contract.at("findings"));
  }
  PrintItems("fields", contract.at("fields"));
  PrintItems("transforms", diff.at("transforms"));
  if (!diff.at("features").empty()) fmt::print("features\n");
  for (const json& feature : diff.at("features")) {
    fmt::print("  {} {}: {} lines came, {} went\n", ShownOf(feature, "name"),
               ShownOf(feature, "change"), ShownOf(feature, "lines_added"),
               ShownOf(feature, "lines_removed"));
  }
  PrintDeclared(diff.at("declared"));
  const json& because = diff.at("dual_run").at("because");
  PrintLines(
      because.empty() ? "runs twice during a rollout: nothing" : "runs twice during a rollout",
      because);
}

Status DiffInControl(const ReleaseShowFlags& flags) {
  ASSIGN_OR_RETURN(const std::string before, ReleaseIdOf(flags.control, flags.before));
  ASSIGN_OR_RETURN(const std::string after, ReleaseIdOf(flags.control, flags.after));
  ASSIGN_OR_RETURN(const json diff,
                   AskControl(flags.control, net::HttpMethod::kGet,
                              fmt::format("releases/{}/diff/{}", net::EscapeForHttp(before),
                                          net::EscapeForHttp(after))));
  if (flags.control.as_json) {
    PrintControlJson(diff);
  } else {
    PrintDiff(diff, "");
  }
  return Ok();
}

Status Diff(const ReleaseShowFlags& flags) {
  if (!flags.control.url.empty()) return DiffInControl(flags);
  PosixDisk disk;
  const std::string& dir = flags.control.dir;
  ASSIGN_OR_RETURN(const control::ReleaseContent before, ContentOf(disk, flags.before, dir));
  ASSIGN_OR_RETURN(const control::ReleaseContent after, ContentOf(disk, flags.after, dir));
  ASSIGN_OR_RETURN(const control::ReleaseDiff diff, control::DiffReleases(before, after));
  const json answer = control::ToJson(diff);
  if (flags.control.as_json) {
    PrintControlJson(answer);
  } else {
    PrintDiff(answer, diff.declaration.name);
  }
  return Ok();
}

// Of control where it is named, with `state`; else out of the folder.
Result<json> AllReleases(const ReleaseShowFlags& flags) {
  if (IsControlNamed(flags.control)) {
    ASSIGN_OR_RETURN(const json answer,
                     AskControl(flags.control, net::HttpMethod::kGet, "releases"));
    return answer.value("items", json::array());
  }
  PosixDisk disk;
  ASSIGN_OR_RETURN(const auto releases, StoreOf(disk, flags.control.dir).List());
  json items = json::array();
  for (const auto& release : releases) items.push_back(control::ToJson(release));
  return items;
}

Status List(const ReleaseShowFlags& flags) {
  ASSIGN_OR_RETURN(json items, AllReleases(flags));
  std::sort(items.begin(), items.end(), [](const json& a, const json& b) {
    return std::pair(ShownOf(a, "built_at"), ShownOf(a, "id")) <
           std::pair(ShownOf(b, "built_at"), ShownOf(b, "id"));
  });
  if (flags.control.as_json) {
    PrintControlJson({{"items", items}});
    return Ok();
  }
  for (const json& release : items) {
    const std::string signer = ShownOf(release, "signed_by");
    std::string origin = "signed by " + signer;
    if (signer == "-") origin = "signed by a key that is not trusted any more";
    if (ShownOf(release, "name") == "-") origin = "installed by telltale init";
    fmt::print("{} {:<20} {:<24} {}{}\n", ShortRelease(ShownOf(release, "id")),
               ShownOf(release, "built_at"), ShownOf(release, "name"), origin,
               ShownOf(release, "state") == "rejected" ? ", rejected" : "");
  }
  return Ok();
}

Result<json> OneRelease(const ReleaseShowFlags& flags) {
  if (IsControlNamed(flags.control)) {
    ASSIGN_OR_RETURN(const std::string id, ReleaseIdOf(flags.control, flags.before));
    return AskControl(flags.control, net::HttpMethod::kGet, "releases/" + id);
  }
  PosixDisk disk;
  ASSIGN_OR_RETURN(const control::StoredRelease release,
                   StoreOf(disk, flags.control.dir).Find(flags.before));
  return control::ToJson(release);
}

Status Show(const ReleaseShowFlags& flags) {
  ASSIGN_OR_RETURN(const json release, OneRelease(flags));
  if (flags.control.as_json) {
    PrintControlJson(release);
    return Ok();
  }
  fmt::print("{}\n", ShownOf(release, "id"));
  for (const auto& [name, key] : {std::pair{"name", "name"},
                                  {"about", "about"},
                                  {"built at", "built_at"},
                                  {"signed by", "signed_by"},
                                  {"state", "state"}}) {
    if (const std::string value = ShownOf(release, key); value != "-") {
      fmt::print("{:<11}{}\n", name, value);
    }
  }
  for (const auto& [name, digest] : release.at("components").items()) {
    fmt::print("{:<11}{}\n", name, digest.get<std::string>());
  }
  PrintDeclared(release.at("declared"));
  return Ok();
}

void NeedPlace(const ReleaseShowFlags& flags, Status (*run)(const ReleaseShowFlags&),
               int& exit_code) {
  if (flags.control.dir.empty() && !IsControlNamed(flags.control)) {
    exit_code =
        ExitCode(Error{Code::kInvalid, "where is control? Give --dir DIR or --control URL"});
    return;
  }
  exit_code = ExitCode(run(flags));
}

}  // namespace

void AddReleaseList(CLI::App& release, int& exit_code) {
  const auto flags = std::make_shared<ReleaseShowFlags>();
  CLI::App* command = release.add_subcommand("list", "The releases that are here, oldest first");
  AddControlOptions(*command, flags->control);
  command->callback([flags, &exit_code] { NeedPlace(*flags, List, exit_code); });
}

void AddReleaseShow(CLI::App& release, int& exit_code) {
  const auto flags = std::make_shared<ReleaseShowFlags>();
  CLI::App* command = release.add_subcommand("show", "One release");
  command->add_option("RELEASE", flags->before, "Name, id or its beginning")->required();
  AddControlOptions(*command, flags->control);
  command->callback([flags, &exit_code] { NeedPlace(*flags, Show, exit_code); });
}

void AddReleaseDiff(CLI::App& release, int& exit_code) {
  const auto flags = std::make_shared<ReleaseShowFlags>();
  CLI::App* command = release.add_subcommand(
      "diff", "What one release changes against another, rule by rule and field by field");
  command
      ->add_option("BEFORE", flags->before,
                   "Name, id or its beginning; without --control also `stable` for the one in "
                   "force, or a folder, built or with sources")
      ->required();
  command->add_option("AFTER", flags->after, "As BEFORE")->required();
  AddControlOptions(*command, flags->control);
  command->callback([flags, &exit_code] { exit_code = ExitCode(Diff(*flags)); });
}

}  // namespace telltale::app
