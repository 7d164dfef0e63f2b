#include "control/contracts.h"

#include <algorithm>

#include "base/kept_config.h"
#include "contract/contract.h"

namespace telltale::control {
namespace {

constexpr mode_t kFileMode = 0644;

void Note(const InForce& config, Contracts& contracts) {
  contracts.ever[config.contract_number] = config.contract_digest;
  if (config.next_contract) {
    contracts.ever[config.next_contract->number] = config.next_contract->digest;
  }
  contracts.leader_epoch_max = std::max(contracts.leader_epoch_max, config.leader_epoch);
  if (config.config_seq > contracts.in_force.config_seq) contracts.in_force = config;
}

Status NoteFile(const Result<std::string>& bytes, const std::string& path,
                std::string_view control_public, Contracts& contracts) {
  RETURN_IF_ERROR(bytes);
  const auto config = VerifyConfig(*bytes, control_public);
  if (!config.ok()) return Annotate(config.error(), path);
  Note(*config, contracts);
  return Ok();
}

}  // namespace

std::uint32_t Contracts::NumberOf(const std::string& digest) const {
  for (const auto& [number, known] : ever) {
    if (known == digest) return number;
  }
  return ever.empty() ? 1 : ever.rbegin()->first + 1;
}

Result<Contracts> ReadContracts(Disk& disk, const Paths& paths, std::string_view control_public) {
  Contracts contracts;
  const std::string folder = KeptConfigFolder(paths);
  ASSIGN_OR_RETURN(const std::vector<ConfigSeq> seqs, KeptConfigSeqs(disk, folder));
  for (const ConfigSeq seq : seqs) {
    RETURN_IF_ERROR(NoteFile(ReadKeptConfig(disk, folder, seq), KeptConfigPath(folder, seq),
                             control_public, contracts));
  }
  if (contracts.ever.empty()) {
    const std::string first = FirstConfigPath(paths);
    RETURN_IF_ERROR(NoteFile(ReadWholeFile(disk, first, kKeptConfigBytesMax), first, control_public,
                             contracts));
  }
  return contracts;
}

Result<std::string> InstallContract(Disk& disk, const Paths& paths, std::string_view descriptor,
                                    std::string_view approvals) {
  RETURN_IF_ERROR(contract::Contract::FromDescriptorSet(descriptor));
  const std::string digest = HexEncode(seal::Sha256(descriptor));
  const std::string base = paths.contracts() + "/" + digest;
  // The approvals first: whoever finds the contract finds them.
  if (!approvals.empty()) {
    RETURN_IF_ERROR(WriteFileDurably(disk, base + ".approvals.yaml", approvals, kFileMode));
  }
  RETURN_IF_ERROR(WriteFileDurably(disk, base + ".desc", descriptor, kFileMode));
  return digest;
}

Result<InForce> NextConfig(const Contracts& now_in_force, const std::string& digest,
                           const std::optional<Cohort>& cohort, Micros created_at) {
  InForce config = now_in_force.in_force;
  const std::uint32_t number = now_in_force.NumberOf(digest);
  config.config_seq = ConfigSeq{config.config_seq.value + 1};
  config.created_at = created_at;
  config.leader_epoch = 0;
  config.audit_entry = 0;
  if (cohort) {
    if (number <= config.contract_number) {
      return Error{Code::kInvalid,
                   "that contract is older than the one in force: activate it for all vehicles"};
    }
    config.next_contract = NextContract{number, digest, *cohort};
    return config;
  }
  if (digest == config.contract_digest && !config.next_contract) {
    return Error{Code::kExists, "contract " + std::to_string(number) + " is in force already"};
  }
  config.contract_number = number;
  config.contract_digest = digest;
  config.next_contract.reset();
  return config;
}

}  // namespace telltale::control
