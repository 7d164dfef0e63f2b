#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/cmd_release.h"
#include "app/commands.h"
#include "control/release_diff.h"

namespace telltale::app {
namespace {

using control::ChangeKind;
using nlohmann::json;

constexpr std::size_t kShortId = 12;

struct Flags {
  std::string dir;
  std::string before;
  std::string after;
  bool as_json = false;
};

std::string Short(const std::string& id) { return id.substr(0, kShortId); }

// A declared name may be anything printable; a rule's text too.
void PrintJson(const json& value) {
  fmt::print("{}\n", value.dump(2, ' ', false, json::error_handler_t::replace));
}

void PrintDeclared(const control::Declaration& declaration) {
  for (const control::DeclaredChange& change : declaration.changes) {
    fmt::print("  {}{}{}: {} ({})\n", control::AboutName(change.about),
               change.name.empty() ? "" : " ", change.name, control::InWords(change), change.why);
  }
}

void PrintItems(const char* title, const std::vector<control::ItemChange>& items) {
  if (items.empty()) return;
  fmt::print("{}\n", title);
  for (const control::ItemChange& item : items) {
    fmt::print("  {} {}\n", item.name, control::ChangeName(item.change));
    for (const control::KeyChange& key : item.keys) {
      switch (item.change) {
        case ChangeKind::kAdded:
          fmt::print("    {}: {}\n", key.key, key.after);
          break;
        case ChangeKind::kRemoved:
          fmt::print("    {}: {}\n", key.key, key.before);
          break;
        case ChangeKind::kChanged:
          fmt::print("    {}: {} -> {}\n", key.key, key.before.empty() ? "not set" : key.before,
                     key.after.empty() ? "not set" : key.after);
      }
    }
  }
}

void Print(const control::ReleaseDiff& diff) {
  fmt::print("{} -> {}{}{}\n", Short(diff.before), Short(diff.after),
             diff.declaration.name.empty() ? "" : " ", diff.declaration.name);
  if (diff.changed.empty()) {
    fmt::print("the same components\n");
    return;
  }
  fmt::print("changed:");
  for (const std::string& name : diff.changed) fmt::print(" {}", name);
  fmt::print("\n");
  PrintItems("rules", diff.rules);
  if (diff.compatibility.verdict != control::Compatibility::Verdict::kSame) {
    fmt::print("contract: {}\n", control::VerdictName(diff.compatibility.verdict));
    for (const std::string& finding : diff.compatibility.findings) fmt::print("  {}\n", finding);
  }
  PrintItems("fields", diff.fields);
  PrintItems("transforms", diff.transforms);
  if (!diff.features.empty()) fmt::print("features\n");
  for (const control::FeatureChange& feature : diff.features) {
    fmt::print("  {} {}: {} lines came, {} went\n", feature.name,
               control::ChangeName(feature.change), feature.lines_added, feature.lines_removed);
  }
  if (!diff.declaration.changes.empty()) fmt::print("declared\n");
  PrintDeclared(diff.declaration);
  fmt::print("runs twice during a rollout{}\n", diff.dual_run.because.empty() ? ": nothing" : "");
  for (const std::string& why : diff.dual_run.because) fmt::print("  {}\n", why);
}

Status Diff(const Flags& flags) {
  PosixDisk disk;
  ASSIGN_OR_RETURN(const control::ReleaseContent before, ContentOf(disk, flags.before, flags.dir));
  ASSIGN_OR_RETURN(const control::ReleaseContent after, ContentOf(disk, flags.after, flags.dir));
  ASSIGN_OR_RETURN(const control::ReleaseDiff diff, control::DiffReleases(before, after));
  if (flags.as_json) {
    PrintJson(control::ToJson(diff));
  } else {
    Print(diff);
  }
  return Ok();
}

Status List(const Flags& flags) {
  PosixDisk disk;
  ASSIGN_OR_RETURN(std::vector<control::StoredRelease> releases, StoreOf(disk, flags.dir).List());
  std::sort(releases.begin(), releases.end(), [](const auto& a, const auto& b) {
    return std::pair(a.built_at, a.id) < std::pair(b.built_at, b.id);
  });
  if (flags.as_json) {
    json items = json::array();
    for (const auto& release : releases) items.push_back(control::ToJson(release));
    PrintJson({{"items", items}});
    return Ok();
  }
  for (const auto& release : releases) {
    const bool is_ours = release.declaration.name.empty();
    fmt::print("{} {:<20} {:<24} {}\n", Short(release.id),
               release.built_at.empty() ? "-" : release.built_at,
               is_ours ? "-" : release.declaration.name,
               is_ours                     ? "installed by telltale init"
               : release.signed_by.empty() ? "signed by a key that is not trusted any more"
                                           : "signed by " + release.signed_by);
  }
  return Ok();
}

Status Show(const Flags& flags) {
  PosixDisk disk;
  ASSIGN_OR_RETURN(const control::StoredRelease release,
                   StoreOf(disk, flags.dir).Find(flags.before));
  if (flags.as_json) {
    PrintJson(control::ToJson(release));
    return Ok();
  }
  fmt::print("{}\n", release.id);
  const auto line = [](const char* name, const std::string& value) {
    if (!value.empty()) fmt::print("{:<11}{}\n", name, value);
  };
  line("name", release.declaration.name);
  line("about", release.declaration.about);
  line("built at", release.built_at);
  line("signed by", release.signed_by);
  for (const auto& [name, digest] : release.components) fmt::print("{:<11}{}\n", name, digest);
  if (!release.declaration.changes.empty()) fmt::print("declared\n");
  PrintDeclared(release.declaration);
  return Ok();
}

CLI::Option* AddDir(CLI::App& command, Flags& flags) {
  command.add_flag("--json", flags.as_json, "As JSON");
  return command.add_option("--dir", flags.dir, "The installation that control runs in")
      ->check(CLI::ExistingDirectory);
}

}  // namespace

void AddReleaseList(CLI::App& release, int& exit_code) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* command = release.add_subcommand("list", "The releases that are here, oldest first");
  AddDir(*command, *flags)->required();
  command->callback([flags, &exit_code] { exit_code = ExitCode(List(*flags)); });
}

void AddReleaseShow(CLI::App& release, int& exit_code) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* command = release.add_subcommand("show", "One release");
  command->add_option("RELEASE", flags->before, "Name, id or its beginning")->required();
  AddDir(*command, *flags)->required();
  command->callback([flags, &exit_code] { exit_code = ExitCode(Show(*flags)); });
}

void AddReleaseDiff(CLI::App& release, int& exit_code) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* command = release.add_subcommand(
      "diff", "What one release changes against another, rule by rule and field by field");
  command
      ->add_option("BEFORE", flags->before,
                   "Name, id or its beginning; `stable` for the one in force; or a folder, built "
                   "or with sources")
      ->required();
  command->add_option("AFTER", flags->after, "As BEFORE")->required();
  AddDir(*command, *flags);
  command->callback([flags, &exit_code] { exit_code = ExitCode(Diff(*flags)); });
}

}  // namespace telltale::app
