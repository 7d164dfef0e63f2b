#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>

#include "app/commands.h"
#include "app/contract_commands.h"
#include "app/contract_judgement.h"
#include "base/ids.h"
#include "contract/check/approvals_file.h"
#include "contract/check/version_history.h"
#include "contract/contract.h"
#include "seal/seal.h"

namespace telltale::app {
namespace {

namespace check = contract::check;

constexpr int kRejected = 1;
constexpr int kCouldNotJudge = 2;

struct ContractFlags {
  std::string before;
  std::string after;
  std::string history;
  std::string candidate;
  std::string author;
  JudgementFormat format = JudgementFormat::kText;
};

// A candidate read and judged. `published` is empty where two versions were compared.
struct Judged {
  std::unique_ptr<check::Source> source;
  std::unique_ptr<check::Source> before;  // null where a history was compared with
  check::Published published;
  Judgement judgement;
};

std::string DigestOf(std::string_view bytes) { return HexEncode(seal::Sha256(bytes)); }

// approvals.yaml lies in the candidate's folder.
std::string ApprovalsPath(const std::string& candidate) {
  const bool is_file = candidate.ends_with(".proto") || candidate.ends_with(".desc");
  return (is_file ? ParentFolder(candidate) : candidate) + "/approvals.yaml";
}

// An approval that a published version rested on is spent: more of the same field needs a new one.
Status DropSpent(Disk& disk, const check::Published& published,
                 std::vector<check::Approval>& approvals, Judgement& judgement) {
  for (const std::string& path : published.approvals) {
    if (path.empty()) continue;
    ASSIGN_OR_RETURN(const auto spent, ReadApprovals(disk, path, judgement.problems));
    for (const check::Approval& one : spent) std::erase(approvals, one);
  }
  return Ok();
}

Status ReadBefore(Disk& disk, const ContractFlags& flags, Judged& judged) {
  if (flags.history.empty()) {
    ASSIGN_OR_RETURN(judged.before, check::Source::Read(disk, flags.before));
    judged.judgement.problems = judged.before->problems();
    return Ok();
  }
  // The first version makes the folder.
  const bool is_first = !flags.author.empty() && !disk.Exists(flags.history);
  if (is_first) return Ok();
  ASSIGN_OR_RETURN(judged.published, check::ReadHistory(disk, flags.history, DigestOf));
  judged.judgement.problems = judged.published.problems;
  return Ok();
}

void CheckLoadable(const check::Source& source, Judgement& judgement) {
  const bool is_ours =
      std::any_of(source.candidate().files.begin(), source.candidate().files.end(),
                  [](const auto* file) { return file->name() == "telltale/v1/telemetry.proto"; });
  if (!is_ours) return;
  const auto loaded = contract::Contract::FromDescriptorSet(source.DescriptorSet());
  if (!loaded.ok()) judgement.unloadable = loaded.error().message;
}

Result<Judged> Judge(Disk& disk, const ContractFlags& flags) {
  Judged judged;
  Judgement& judgement = judged.judgement;
  RETURN_IF_ERROR(ReadBefore(disk, flags, judged));
  const std::string& path = flags.history.empty() ? flags.after : flags.candidate;
  ASSIGN_OR_RETURN(judged.source, check::Source::Read(disk, path));
  const auto& problems = judged.source->problems();
  judgement.problems.insert(judgement.problems.end(), problems.begin(), problems.end());
  check::Approvals approvals{{}, flags.author};
  ASSIGN_OR_RETURN(approvals.all, ReadApprovals(disk, ApprovalsPath(path), judgement.problems));
  RETURN_IF_ERROR(DropSpent(disk, judged.published, approvals.all, judgement));
  if (!judgement.problems.empty()) return judged;
  std::vector<check::Version> versions = judged.published.versions;
  if (judged.before != nullptr) {
    versions.push_back(check::VersionFor(*judged.source, *judged.before, flags.before));
  }
  for (const check::Version& version : versions) judgement.compared_with.push_back(version.name);
  auto compared = check::Compare(judged.source->candidate(), versions, approvals);
  if (!compared.ok()) {
    judgement.problems.push_back(
        {{flags.history.empty() ? flags.before : flags.history, 0, 0}, compared.error().message});
    return judged;
  }
  judgement.comparison = std::move(*compared);
  CheckLoadable(*judged.source, judgement);
  return judged;
}

int CouldNotJudge(const Error& error) {
  fmt::print(stderr, "telltale: could not judge: {}\n", error.ToString());
  return kCouldNotJudge;
}

int RunCheck(const ContractFlags& flags) {
  const bool is_pair = !flags.before.empty() && !flags.after.empty() && flags.history.empty() &&
                       flags.candidate.empty();
  const bool is_history = !flags.history.empty() && !flags.candidate.empty() &&
                          flags.before.empty() && flags.after.empty();
  if (!is_pair && !is_history) {
    return CouldNotJudge(
        {Code::kInvalid, "give either OLD NEW or --history DIR --candidate DIR; see --help"});
  }
  PosixDisk disk;
  const auto judged = Judge(disk, flags);
  if (!judged.ok()) return CouldNotJudge(judged.error());
  fmt::print("{}", judged->judgement.Told(flags.format, WantsColor()));
  return judged->judgement.exit_code();
}

int RunPublish(const ContractFlags& flags) {
  PosixDisk disk;
  const auto judged = Judge(disk, flags);
  if (!judged.ok()) return CouldNotJudge(judged.error());
  const Judgement& judgement = judged->judgement;
  fmt::print("{}", judgement.Told(flags.format, WantsColor()));
  if (judgement.exit_code() != 0) {
    fmt::print(stderr, "telltale: nothing was published\n");
    return judgement.exit_code();
  }
  check::NewVersion next{judged->source->DescriptorSet(), "", ""};
  next.digest = DigestOf(next.descriptor_set);
  const auto& digests = judged->published.digests;
  if (!digests.empty() && digests.back() == next.digest) {
    fmt::print(stderr, "telltale: nothing changed since {}: nothing was published\n",
               judged->published.versions.back().name);
    return 0;
  }
  const auto& used = judgement.comparison.used;
  if (!used.empty()) next.approvals = ApprovalsText(used);
  if (const Status made = disk.MakeFolders(flags.history, 0755); !made.ok()) {
    return CouldNotJudge(made.error());
  }
  const auto path = check::AppendVersion(disk, flags.history, judged->published, next);
  if (!path.ok()) {
    fmt::print(stderr, "telltale: not published: {}\n", path.error().ToString());
    return path.error().code == Code::kExists ? kRejected : kCouldNotJudge;
  }
  fmt::print(stderr, "telltale: {} published {}\n", flags.author, *path);
  return 0;
}

void AddFormat(CLI::App& command, ContractFlags& flags) {
  static const std::map<std::string, JudgementFormat> kFormats = {
      {"text", JudgementFormat::kText},
      {"json", JudgementFormat::kJson},
      {"github", JudgementFormat::kGithub}};
  command
      .add_option("--format", flags.format,
                  "text, json, or github (annotations of a workflow); text unless given")
      ->type_name("text|json|github")
      ->transform(CLI::CheckedTransformer(kFormats).description(""));
}

void AddCheckCommand(CLI::App& contract, int& exit_code) {
  const auto flags = std::make_shared<ContractFlags>();
  CLI::App* command = contract.add_subcommand(
      "check",
      "Whether a new contract breaks a car that is on the road (docs/contract-check.md); exit "
      "code 0 accepted, 1 rejected, 2 could not judge");
  command->add_option("OLD", flags->before,
                      "The earlier version: a .proto file, a folder of them, or a descriptor set "
                      "(.desc)");
  command->add_option("NEW", flags->after, "The new version, as OLD");
  command->add_option("--history", flags->history,
                      "Instead of OLD: the folder of every published version (contract/history)");
  command->add_option("--candidate", flags->candidate,
                      "Instead of NEW: the new version (contract); approvals.yaml lies in it");
  AddFormat(*command, *flags);
  command->callback([flags, &exit_code] { exit_code = RunCheck(*flags); });
}

void AddPublish(CLI::App& contract, int& exit_code) {
  const auto flags = std::make_shared<ContractFlags>();
  CLI::App* command = contract.add_subcommand(
      "publish",
      "Checks, then appends the contract to its history, which is never rewritten; exit code 0 "
      "published or unchanged, 1 rejected, 2 could not judge or write");
  command->add_option("--history", flags->history, "The folder of every published version")
      ->required();
  command->add_option("--candidate", flags->candidate, "The new version (contract)")->required();
  command
      ->add_option("--author", flags->author,
                   "Who publishes; as an approver of what is in it this name does not count")
      ->required();
  AddFormat(*command, *flags);
  command->callback([flags, &exit_code] { exit_code = RunPublish(*flags); });
}

}  // namespace

void AddContractCommand(CLI::App& app, int& exit_code) {
  CLI::App* contract = app.add_subcommand(
      "contract",
      "The vehicle contract: check and publish versions, put them in force, see what "
      "is unknown");
  contract->require_subcommand(1);
  AddCheckCommand(*contract, exit_code);
  AddPublish(*contract, exit_code);
  AddContractActivate(*contract, exit_code);
  AddContractStatus(*contract, exit_code);
  AddContractUnknown(*contract, exit_code);
  AddContractCoverage(*contract, exit_code);
  AddContractDocs(*contract, exit_code);
}

}  // namespace telltale::app
