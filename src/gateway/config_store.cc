#include "gateway/config_store.h"

#include <fmt/format.h>

#include <algorithm>

#include "contract/cohort_wire.h"
#include "internal/v1/internal.pb.h"
#include "seal/seal.h"

namespace telltale::gateway {
namespace {

std::string FileName(ConfigSeq seq) { return fmt::format("{:020}", seq.value); }

bool IsConfigName(const std::string& name) {
  return name.size() == 20 && name.find_first_not_of("0123456789") == std::string::npos;
}

bool IsDigest(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

}  // namespace

Result<CheckedConfig> ConfigStore::Check(std::string_view signed_config) {
  internal::v1::SignedConfig envelope;
  if (!envelope.ParseFromArray(signed_config.data(), static_cast<int>(signed_config.size()))) {
    return Error{Code::kInvalid, "not a SignedConfig message"};
  }
  if (envelope.key_id() != seal::KeyId(options_.control_public)) {
    return Error{Code::kRefused,
                 "the config record names another signing key than keys/control.pub"};
  }
  if (!seal::VerifyEd25519(options_.control_public, envelope.record(), envelope.signature())) {
    return Error{Code::kRefused, "the config record's signature is not control's"};
  }
  internal::v1::ConfigRecord record;
  if (!record.ParseFromString(envelope.record())) {
    return Error{Code::kInvalid, "the signed bytes are not a ConfigRecord"};
  }
  if (record.config_seq() == 0) return Error{Code::kInvalid, "config_seq must be 1 or more"};
  CheckedConfig config;
  config.seq = ConfigSeq{record.config_seq()};
  config.payload = signed_config;
  config.digest = HexEncode(seal::Sha256(signed_config));
  RETURN_IF_ERROR(CheckLeader(config, record.leader_epoch()));
  return CheckContracts(std::move(config), record);
}

// Two leaders may both believe in themselves, and each may have taken the next number. The same
// bytes again are fine at any time: they are kept already.
Status ConfigStore::CheckLeader(const CheckedConfig& config, std::uint64_t leader_epoch) {
  ASSIGN_OR_RETURN(const auto names, KeptNames());
  std::uint64_t highest = 0;
  for (const std::string& name : names) {
    const std::string path = options_.folder + "/" + name;
    ASSIGN_OR_RETURN(const std::string bytes, ReadWholeFile(disk_, path));
    if (name == FileName(config.seq)) {
      if (bytes == config.payload) return Ok();
      return Error{Code::kRefused,
                   fmt::format("config_seq {} is taken by another record: take the next number",
                               config.seq.value)};
    }
    internal::v1::SignedConfig envelope;
    internal::v1::ConfigRecord record;
    if (!envelope.ParseFromString(bytes) || !record.ParseFromString(envelope.record())) {
      return Error{Code::kCorrupt, path + " is no config record; put the right file there"};
    }
    highest = std::max(highest, record.leader_epoch());
  }
  if (leader_epoch == 0 || leader_epoch >= highest) return Ok();
  return Error{Code::kRefused,
               fmt::format("leader_epoch {} was followed by {}: this control leads no more",
                           leader_epoch, highest)};
}

Result<CheckedConfig> ConfigStore::CheckContracts(CheckedConfig config,
                                                  const internal::v1::ConfigRecord& record) {
  ASSIGN_OR_RETURN(EarlierContracts earlier, ContractsBefore(config.seq));
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
  if (!IsDigest(digest)) return Error{Code::kInvalid, "contract_digest is not 64 hex digits"};
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

Result<EarlierContracts> ConfigStore::ContractsBefore(ConfigSeq seq) {
  EarlierContracts earlier;
  ASSIGN_OR_RETURN(const auto names, KeptNames());
  for (const std::string& name : names) {
    if (name >= FileName(seq)) continue;
    const std::string path = options_.folder + "/" + name;
    ASSIGN_OR_RETURN(const std::string bytes, ReadWholeFile(disk_, path));
    internal::v1::SignedConfig envelope;
    internal::v1::ConfigRecord record;
    if (!envelope.ParseFromString(bytes) || !record.ParseFromString(envelope.record())) {
      return Error{Code::kCorrupt, path + " is no config record; put the right file there"};
    }
    earlier[record.contract_number()] = record.contract_digest();
    if (!record.has_next_contract()) continue;
    earlier[record.next_contract().number()] = record.next_contract().digest();
  }
  return earlier;
}

Status ConfigStore::Keep(const CheckedConfig& config) {
  RETURN_IF_ERROR(disk_.MakeFolders(options_.folder));
  return WriteFileDurably(disk_, options_.folder + "/" + FileName(config.seq), config.payload);
}

Result<std::vector<std::string>> ConfigStore::KeptNames() {
  auto names = disk_.List(options_.folder);
  if (!names.ok() && names.error().code == Code::kNotFound) return std::vector<std::string>();
  if (!names.ok()) return names.error();
  std::erase_if(*names, [](const std::string& name) { return !IsConfigName(name); });
  return names;
}

Result<std::optional<CheckedConfig>> ConfigStore::Newest() {
  ASSIGN_OR_RETURN(const auto names, KeptNames());
  if (names.empty()) return std::optional<CheckedConfig>();
  const std::string path = options_.folder + "/" + *std::max_element(names.begin(), names.end());
  ASSIGN_OR_RETURN(const std::string payload, ReadWholeFile(disk_, path));
  auto config = Check(payload);
  if (!config.ok()) return Annotate(config.error(), path);
  return std::optional<CheckedConfig>(std::move(config).value());
}

}  // namespace telltale::gateway
