#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "app/contract_commands.h"
#include "app/contract_files.h"
#include "base/clock.h"
#include "seal/seal.h"

namespace telltale::app {
namespace {

using nlohmann::ordered_json;

constexpr std::chrono::seconds kAnswerTimeout{30};
constexpr double kDrawsPerPercent = 100;

struct ContractActivateFlags {
  std::string dir;
  std::string descriptor;
  std::string approvals;
  double percent = 100;
  std::string salt;
  std::vector<std::string> always;
  std::vector<std::string> never;
  bool json = false;
};

Result<std::vector<VehicleRef>> References(const std::vector<std::string>& texts) {
  std::vector<VehicleRef> references;
  for (const std::string& text : texts) {
    const auto reference = VehicleRef::FromHex(text);
    if (!reference.ok()) {
      return Error{Code::kInvalid,
                   "vehicles are named by their vehicle_ref, 32 hex digits; `telltale vehicles "
                   "lookup` turns a VIN into one"};
    }
    references.push_back(*reference);
  }
  return references;
}

// nullopt: for everyone.
Result<std::optional<Cohort>> CohortOf(const ContractActivateFlags& flags) {
  if (flags.percent == 100 && flags.always.empty() && flags.never.empty()) {
    return std::optional<Cohort>();
  }
  Cohort cohort;
  cohort.per_10000 = static_cast<std::uint32_t>(std::lround(flags.percent * kDrawsPerPercent));
  cohort.salt = flags.salt;
  ASSIGN_OR_RETURN(cohort.always, References(flags.always));
  ASSIGN_OR_RETURN(cohort.never, References(flags.never));
  return std::optional<Cohort>(std::move(cohort));
}

Result<seal::KeyPair> ControlKey(Disk& disk, const Paths& paths) {
  seal::KeyPair key;
  ASSIGN_OR_RETURN(key.public_raw, seal::LoadKey(disk, paths.keys() + "/control.pub"));
  ASSIGN_OR_RETURN(key.private_raw, seal::LoadKey(disk, paths.keys() + "/control.key"));
  return key;
}

ordered_json AsJson(const control::InForce& config) {
  ordered_json json = {{"config_seq", config.config_seq.value},
                       {"contract", config.contract_number},
                       {"digest", config.contract_digest},
                       {"next", nullptr}};
  if (const auto& next = config.next_contract; next) {
    json["next"] = {{"contract", next->number},
                    {"digest", next->digest},
                    {"per_10000", next->cohort.per_10000},
                    {"salt", next->cohort.salt},
                    {"always", next->cohort.always.size()},
                    {"never", next->cohort.never.size()}};
  }
  return json;
}

void Print(const control::InForce& config, bool as_json) {
  if (as_json) return fmt::print("{}\n", AsJson(config).dump(2));
  fmt::print("contract {} ({}) is in force, config {}\n", config.contract_number,
             config.contract_digest.substr(0, 12), config.config_seq.value);
  const auto& next = config.next_contract;
  if (!next) return;
  fmt::print("contract {} ({}) for {:.2f} % of the vehicles", next->number,
             next->digest.substr(0, 12), next->cohort.per_10000 / kDrawsPerPercent);
  if (!next->cohort.always.empty()) fmt::print(", {} always", next->cohort.always.size());
  if (!next->cohort.never.empty()) fmt::print(", {} never", next->cohort.never.size());
  fmt::print("\n");
}

Status Activate(const ContractActivateFlags& flags) {
  PosixDisk disk;
  const Paths paths(flags.dir);
  ASSIGN_OR_RETURN(const std::string descriptor, ReadWholeFile(disk, flags.descriptor));
  std::string approvals;
  if (!flags.approvals.empty()) {
    ASSIGN_OR_RETURN(approvals, ReadWholeFile(disk, flags.approvals));
  }
  ASSIGN_OR_RETURN(const auto cohort, CohortOf(flags));
  ASSIGN_OR_RETURN(const control::Contracts contracts, ReadContracts(disk, paths));
  ASSIGN_OR_RETURN(const seal::KeyPair key, ControlKey(disk, paths));
  ASSIGN_OR_RETURN(const std::string digest,
                   control::InstallContract(disk, paths, descriptor, approvals));
  const SystemClock clock;
  const auto config = control::NextConfig(contracts, digest, cohort, clock.NowUtc());
  if (!config.ok() && config.error().code == Code::kExists) {
    Print(contracts.in_force, flags.json);
    return Ok();
  }
  if (!config.ok()) return config.error();
  ASSIGN_OR_RETURN(const std::string record, control::SignConfig(*config, key));
  const Status sent = control::SendConfig(paths.append_socket(), record, kAnswerTimeout);
  if (!sent.ok() && sent.error().code == Code::kUnavailable) {
    return Annotate(sent.error(), "is `telltale serve` running for this folder? Then try again");
  }
  if (!sent.ok()) return sent.error();
  Print(*config, flags.json);
  return Ok();
}

Status ShowStatus(const ContractActivateFlags& flags) {
  PosixDisk disk;
  const Paths paths(flags.dir);
  ASSIGN_OR_RETURN(const control::Contracts contracts, ReadContracts(disk, paths));
  Print(contracts.in_force, flags.json);
  return Ok();
}

void AddDir(CLI::App& command, ContractActivateFlags& flags) {
  command.add_option("--dir", flags.dir, "The folder that `telltale init` made")
      ->required()
      ->check(CLI::ExistingDirectory);
  command.add_flag("--json", flags.json, "As JSON");
}

}  // namespace

void AddContractActivate(CLI::App& contract, int& exit_code) {
  const auto flags = std::make_shared<ContractActivateFlags>();
  CLI::App* command = contract.add_subcommand(
      "activate",
      "Puts a contract in force from now on, for all vehicles or a share; no restart. Refused when "
      "it breaks one that was ever in force");
  AddDir(*command, *flags);
  command
      ->add_option("DESCRIPTOR", flags->descriptor,
                   "Descriptor set, as `telltale contract publish` and `protoc` write it")
      ->required()
      ->check(CLI::ExistingFile);
  command->add_option("--approvals", flags->approvals, "approvals.yaml that it rests on")
      ->check(CLI::ExistingFile);
  command
      ->add_option("--percent", flags->percent,
                   "Share of the vehicles that it reads; the others keep the contract they have")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();
  command->add_option("--salt", flags->salt, "Another salt draws other vehicles");
  command->add_option("--always", flags->always, "vehicle_ref that belongs to the share; repeated");
  command->add_option("--never", flags->never, "vehicle_ref that does not; repeated");
  command->callback([flags, &exit_code] { exit_code = ExitCode(Activate(*flags)); });
}

void AddContractStatus(CLI::App& contract, int& exit_code) {
  const auto flags = std::make_shared<ContractActivateFlags>();
  CLI::App* command = contract.add_subcommand("status", "Which contract reads which vehicles");
  AddDir(*command, *flags);
  command->callback([flags, &exit_code] { exit_code = ExitCode(ShowStatus(*flags)); });
}

}  // namespace telltale::app
