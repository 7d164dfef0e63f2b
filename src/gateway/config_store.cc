#include "gateway/config_store.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/kept_config.h"
#include "base/sha256.h"
#include "contract/cohort_wire.h"
#include "seal/signed_config.h"

namespace telltale::gateway {

Result<CheckedConfig> ConfigStore::Check(std::string_view signed_config) {
  ASSIGN_OR_RETURN(const internal::v1::ConfigRecord record,
                   seal::VerifyConfigRecord(signed_config, options_.control_public));
  if (record.config_seq() == 0) return Error{Code::kInvalid, "config_seq must be 1 or more"};
  CheckedConfig config;
  config.seq = ConfigSeq{record.config_seq()};
  config.payload = signed_config;
  config.digest = HexEncode(seal::Sha256(signed_config));
  ASSIGN_OR_RETURN(Kept kept, ReadKept(config.seq));
  RETURN_IF_ERROR(CheckLeader(config, record.leader_epoch(), kept));
  return CheckContracts(std::move(config), record, kept.earlier);
}

Result<ConfigStore::Kept> ConfigStore::ReadKept(ConfigSeq seq) {
  Kept kept;
  ASSIGN_OR_RETURN(const std::vector<ConfigSeq> seqs, KeptConfigSeqs(disk_, options_.folder));
  for (const ConfigSeq each : seqs) {
    ASSIGN_OR_RETURN(std::string bytes, ReadKeptConfig(disk_, options_.folder, each));
    const auto record = contract::ParseConfig(bytes);
    if (!record.ok()) {
      return Error{Code::kCorrupt, KeptConfigPath(options_.folder, each) +
                                       " is no config record; put the right file there"};
    }
    if (each == seq) {
      kept.same_number = std::move(bytes);
      continue;
    }
    kept.leader_epoch_max = std::max(kept.leader_epoch_max, record->leader_epoch());
    if (each > seq) continue;
    kept.earlier[record->contract_number()] = record->contract_digest();
    if (!record->has_next_contract()) continue;
    kept.earlier[record->next_contract().number()] = record->next_contract().digest();
  }
  return kept;
}

// Two leaders may both believe in themselves, and each may have taken the next number. The same
// bytes again are fine at any time: they are kept already.
Status ConfigStore::CheckLeader(const CheckedConfig& config, std::uint64_t leader_epoch,
                                const Kept& kept) {
  if (kept.same_number == config.payload) return Ok();
  if (kept.same_number) {
    return Error{Code::kRefused,
                 fmt::format("config_seq {} is taken by another record: take the next number",
                             config.seq.value)};
  }
  if (leader_epoch == 0 || leader_epoch >= kept.leader_epoch_max) return Ok();
  return Error{Code::kRefused,
               fmt::format("leader_epoch {} was followed by {}: this control leads no more",
                           leader_epoch, kept.leader_epoch_max)};
}

Result<CheckedConfig> ConfigStore::CheckContracts(CheckedConfig config,
                                                  const internal::v1::ConfigRecord& record,
                                                  EarlierContracts& earlier) {
  ContractsInUse& contracts = config.contracts;
  ASSIGN_OR_RETURN(contracts.first,
                   LoadContract(record.contract_number(), record.contract_digest(), earlier));
  if (!record.has_next_contract()) return config;
  const internal::v1::NextContract& next = record.next_contract();
  if (next.number() <= record.contract_number()) {
    return Error{Code::kInvalid, "next_contract must have a higher number than the contract"};
  }
  ASSIGN_OR_RETURN(contracts.next, LoadContract(next.number(), next.digest(), earlier));
  contracts.cohort = contract::CohortOf(next.cohort());
  return config;
}

// Adds it to `earlier`: the next contract of the same record must not break this one.
Result<NumberedContract> ConfigStore::LoadContract(std::uint32_t number, const std::string& digest,
                                                   EarlierContracts& earlier) {
  // It becomes part of a path.
  if (!IsSha256Hex(digest)) return Error{Code::kInvalid, "contract_digest is not 64 hex digits"};
  const std::string path = options_.contracts + "/" + digest + ".desc";
  ASSIGN_OR_RETURN(const std::string bytes, ReadWholeFile(disk_, path));
  if (HexEncode(seal::Sha256(bytes)) != digest) {
    return Error{Code::kCorrupt, path + " is not what its name says; put the right file there"};
  }
  ASSIGN_OR_RETURN(auto contract, contract::Contract::FromDescriptorSet(bytes));
  RETURN_IF_ERROR(ContractGate(disk_, options_.contracts).Admit(number, digest, earlier));
  earlier[number] = digest;
  return NumberedContract{number, std::move(contract)};
}

Status ConfigStore::Keep(const CheckedConfig& config) {
  RETURN_IF_ERROR(disk_.MakeFolders(options_.folder));
  return WriteFileDurably(disk_, KeptConfigPath(options_.folder, config.seq), config.payload);
}

Result<std::optional<CheckedConfig>> ConfigStore::Newest() {
  ASSIGN_OR_RETURN(const auto newest, NewestKeptConfigSeq(disk_, options_.folder));
  if (!newest) return std::optional<CheckedConfig>();
  ASSIGN_OR_RETURN(const std::string payload, ReadKeptConfig(disk_, options_.folder, *newest));
  auto config = Check(payload);
  if (!config.ok()) {
    return Annotate(config.error(), KeptConfigPath(options_.folder, *newest));
  }
  return std::optional<CheckedConfig>(std::move(config).value());
}

}  // namespace telltale::gateway
