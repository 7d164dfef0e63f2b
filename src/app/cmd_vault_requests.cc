// `telltale vault request|requests|approve|refuse|review`: what waits for a second person.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <memory>
#include <tuple>

#include "app/commands.h"
#include "app/vault_client.h"
#include "app/vault_commands.h"
#include "app/vault_query.h"

namespace telltale::app {
namespace {

using nlohmann::json;

struct VaultRequestsFlags {
  VaultQuestion question;
  std::string dir;
  std::string kind = "query";
  std::string params = "{}";
  std::string basis;      // of a hold
  std::string review_at;  // of a hold
  std::string verdict;
  std::int64_t request = 0;
  bool all = false;
  bool yes = false;
  bool as_json = false;
};

void PrintRequest(const json& one) {
  fmt::print("{:>7}  {:<8}  {:<13}  {:>6}  {:<22}  {:>8}  {}\n", Shown(one, "request"),
             Shown(one, "state"), Shown(one, "kind"), Shown(one, "requester"),
             Shown(one, "purpose"), one.value("vehicles", json::array()).size(),
             Shown(one, "case"));
}

// What is said by flags of their own; --params is for programs and wins.
Result<json> ParamsOf(const VaultRequestsFlags& flags) {
  json params = json::object();
  if (flags.kind == "hold") {
    const std::array<std::tuple<const char*, const char*, const std::string*>, 3> times{
        {{"from_us", "--from", &flags.question.from},
         {"to_us", "--to", &flags.question.to},
         {"review_at_us", "--review-at", &flags.review_at}}};
    for (const auto& [key, flag, text] : times) {
      if (text->empty()) continue;
      ASSIGN_OR_RETURN(params[key], ParseTime(flag, *text));
    }
    if (!flags.basis.empty()) params["basis"] = flags.basis;
  }
  if (flags.kind == "hold_lift" && flags.question.hold > 0) params["hold"] = flags.question.hold;
  const json given = json::parse(flags.params, nullptr, false);
  if (!given.is_object()) return Error{Code::kInvalid, "--params takes a JSON object"};
  params.update(given);
  return params;
}

Status File(const VaultRequestsFlags& flags) {
  json request;
  if (flags.kind == "query") {
    ASSIGN_OR_RETURN(request, flags.question.ToJson());
  } else {
    ASSIGN_OR_RETURN(const json params, ParamsOf(flags));
    request = {{"kind", flags.kind}, {"case", flags.question.case_id}, {"params", params}};
    if (!flags.question.vehicles.empty()) request["vehicles"] = flags.question.vehicles;
  }
  request["op"] = "request";
  ASSIGN_OR_RETURN(const json end, AskVault(flags.dir, request));
  if (flags.as_json) {
    fmt::print("{}\n", Indented(end));
    return Ok();
  }
  fmt::print("{}\n", Shown(end, "request"));
  if (Shown(end, "state") == "waiting") {
    fmt::print(stderr, "it waits for {} of {} to agree: `telltale vault approve --dir {} {}`\n",
               Shown(end, "approvals_wanted"), Shown(end, "approve_roles"), flags.dir,
               Shown(end, "request"));
  } else if (Shown(end, "state") == "approved") {
    fmt::print(stderr, "nobody else is needed: `telltale vault query --dir {} --request {}`\n",
               flags.dir, Shown(end, "request"));
  }
  return Ok();
}

Status List(const VaultRequestsFlags& flags) {
  ASSIGN_OR_RETURN(const json end,
                   AskVault(flags.dir, json{{"op", "requests"}, {"all", flags.all}}));
  if (flags.as_json) {
    fmt::print("{}\n", Indented({{"requests", end["requests"]}, {"reviews", end["reviews"]}}));
    return Ok();
  }
  fmt::print("{:>7}  {:<8}  {:<13}  {:>6}  {:<22}  {:>8}  {}\n", "request", "state", "kind",
             "person", "purpose", "vehicles", "case");
  for (const json& one : end.value("requests", json::array())) PrintRequest(one);
  for (const json& one : end.value("reviews", json::array())) {
    fmt::print("break-glass request {} of person {}, {}: waits for its review\n",
               Shown(one, "request"), Shown(one, "person"), Shown(one, "opened"));
  }
  return Ok();
}

Result<json> Find(const VaultRequestsFlags& flags) {
  ASSIGN_OR_RETURN(const json end, AskVault(flags.dir, json{{"op", "requests"}, {"all", true}}));
  for (const json& one : end.value("requests", json::array())) {
    if (one.value("request", 0) == flags.request) return one;
  }
  return Error{
      Code::kNotFound,
      fmt::format("you see no request {}; `telltale vault requests` lists them", flags.request)};
}

// Two steps, so that what is agreed to was looked at: the hash is that of what was shown.
Status Approve(const VaultRequestsFlags& flags) {
  ASSIGN_OR_RETURN(const json shown, Find(flags));
  if (!flags.yes) {
    fmt::print("{}\n", Indented(shown));
    return Error{Code::kRefused,
                 fmt::format("nothing is approved yet; if you agree to what is shown above: "
                             "`telltale vault approve --dir {} {} --yes`",
                             flags.dir, flags.request)};
  }
  ASSIGN_OR_RETURN(const json end, AskVault(flags.dir, json{{"op", "approve"},
                                                            {"request", flags.request},
                                                            {"hash", shown.value("hash", "")}}));
  if (flags.as_json) {
    fmt::print("{}\n", Indented(end));
    return Ok();
  }
  fmt::print("request {} is {}\n", flags.request, Shown(end, "state"));
  return Ok();
}

Status Say(const VaultRequestsFlags& flags, const json& request) {
  ASSIGN_OR_RETURN(const json end, AskVault(flags.dir, request));
  if (flags.as_json) fmt::print("{}\n", Indented(end));
  return Ok();
}

CLI::App* Add(CLI::App& vault, const std::shared_ptr<VaultRequestsFlags>& flags, const char* name,
              const char* meaning) {
  CLI::App* command = vault.add_subcommand(name, meaning);
  command->add_option("--dir", flags->dir, "The folder that `telltale init` made")->required();
  command->add_flag("--json", flags->as_json, "For programs");
  return command;
}

void AddNumber(CLI::App& command, const std::shared_ptr<VaultRequestsFlags>& flags) {
  command.add_option("REQUEST", flags->request, "Its number")
      ->required()
      ->check(CLI::PositiveNumber);
}

}  // namespace

void AddVaultRequests(CLI::App& vault, int& exit_code) {
  const auto flags = std::make_shared<VaultRequestsFlags>();
  CLI::App* request =
      Add(vault, flags, "request", "File a request without asking for the answer yet");
  AddQuestion(*request, flags->question);
  request
      ->add_option("--kind", flags->kind,
                   "query; hold, hold_lift and clock_confirm are done with the last approval")
      ->check(CLI::IsMember({"query", "hold", "hold_lift", "clock_confirm"}))
      ->capture_default_str();
  request->add_option("--basis", flags->basis, "Of a hold: why this must be kept");
  request->add_option("--review-at", flags->review_at,
                      "Of a hold: when it is looked at again, within 366 days");
  request
      ->add_option("--params", flags->params,
                   "Of the other kinds: a JSON object, for programs; wins over the flags")
      ->capture_default_str();
  request->callback([flags, &exit_code] { exit_code = ExitCode(File(*flags)); });

  CLI::App* requests = Add(vault, flags, "requests",
                           "What waits, and which reviews are open; yours, or all of them "
                           "for who approves or audits");
  requests->add_flag("--all", flags->all, "Those that are over, too");
  requests->callback([flags, &exit_code] { exit_code = ExitCode(List(*flags)); });

  CLI::App* approve = Add(vault, flags, "approve",
                          "Agree to another person's request: shows it, and with --yes approves "
                          "what was shown; lapses after 24 hours");
  AddNumber(*approve, flags);
  approve->add_flag("--yes", flags->yes, "You have looked at it and agree");
  approve->callback([flags, &exit_code] { exit_code = ExitCode(Approve(*flags)); });

  CLI::App* refuse =
      Add(vault, flags, "refuse", "Refuse another person's request, or withdraw your own");
  AddNumber(*refuse, flags);
  refuse->callback([flags, &exit_code] {
    exit_code = ExitCode(Say(*flags, {{"op", "refuse"}, {"request", flags->request}}));
  });

  CLI::App* review = Add(vault, flags, "review", "Close the review of a break-glass request");
  AddNumber(*review, flags);
  review->add_option("--verdict", flags->verdict, "justified or not_justified")
      ->required()
      ->check(CLI::IsMember({"justified", "not_justified"}));
  review->callback([flags, &exit_code] {
    exit_code = ExitCode(
        Say(*flags, {{"op", "review"}, {"request", flags->request}, {"verdict", flags->verdict}}));
  });
}

}  // namespace telltale::app
