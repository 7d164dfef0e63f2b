#include "gateway/config_store.h"

#include <fmt/format.h>

#include <algorithm>

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
  config.contract_number = record.contract_number();
  ASSIGN_OR_RETURN(config.contract, LoadContract(record.contract_digest()));
  return config;
}

Result<std::shared_ptr<const contract::Contract>> ConfigStore::LoadContract(
    const std::string& digest) {
  // It becomes part of a path.
  if (!IsDigest(digest)) return Error{Code::kInvalid, "contract_digest is not 64 hex digits"};
  const std::string path = options_.contracts + "/" + digest + ".desc";
  ASSIGN_OR_RETURN(const std::string bytes, ReadWholeFile(disk_, path));
  if (HexEncode(seal::Sha256(bytes)) != digest) {
    return Error{Code::kCorrupt, path + " is not what its name says; put the right file there"};
  }
  return contract::Contract::FromDescriptorSet(bytes);
}

Status ConfigStore::Keep(const CheckedConfig& config) {
  RETURN_IF_ERROR(disk_.MakeFolders(options_.folder));
  return WriteFileDurably(disk_, options_.folder + "/" + FileName(config.seq), config.payload);
}

Result<std::optional<CheckedConfig>> ConfigStore::Newest() {
  auto names = disk_.List(options_.folder);
  if (!names.ok() && names.error().code == Code::kNotFound) return std::optional<CheckedConfig>();
  if (!names.ok()) return names.error();
  std::erase_if(*names, [](const std::string& name) { return !IsConfigName(name); });
  if (names->empty()) return std::optional<CheckedConfig>();
  const std::string path = options_.folder + "/" + *std::max_element(names->begin(), names->end());
  ASSIGN_OR_RETURN(const std::string payload, ReadWholeFile(disk_, path));
  auto config = Check(payload);
  if (!config.ok()) return Annotate(config.error(), path);
  return std::optional<CheckedConfig>(std::move(config).value());
}

}  // namespace telltale::gateway
