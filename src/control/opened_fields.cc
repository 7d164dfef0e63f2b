#include "control/opened_fields.h"

#include <algorithm>
#include <memory>

#include "control/release.h"
#include "control/release_declared.h"
#include "seal/seal.h"

namespace telltale::control {
namespace {

constexpr std::uint64_t kContractBytesMax = 16u << 20;

void FindOpened(const std::vector<contract::Field>& before,
                const std::vector<contract::Field>& after, const std::string& prefix,
                std::vector<std::string>& opened) {
  for (const contract::Field& field : after) {
    const auto old = std::find_if(before.begin(), before.end(), [&](const contract::Field& one) {
      return one.number == field.number;
    });
    if (old == before.end()) continue;
    if (old->privacy != contract::Privacy::kOpen && field.privacy == contract::Privacy::kOpen) {
      opened.push_back(prefix + field.name);
    }
    FindOpened(old->members, field.members, prefix + field.name + ".", opened);
  }
}

Result<std::string> ContractDigest(Disk& disk, const Paths& environment,
                                   const std::string& release) {
  ASSIGN_OR_RETURN(const std::string manifest,
                   ReadWholeFile(disk, environment.releases() + "/" + release + "/manifest.json"));
  ASSIGN_OR_RETURN(const Components components, ParseManifest(manifest));
  const auto contract = components.find("contract");
  if (contract == components.end()) return Error{Code::kCorrupt, "a release without a contract"};
  return contract->second;
}

Result<std::shared_ptr<const contract::Contract>> ReadContract(Disk& disk, const Paths& environment,
                                                               const std::string& digest) {
  ASSIGN_OR_RETURN(
      const std::string bytes,
      ReadWholeFile(disk, environment.contracts() + "/" + digest + ".desc", kContractBytesMax));
  if (HexEncode(seal::Sha256(bytes)) != digest) {
    return Error{Code::kCorrupt, "contract " + digest + " is not what its name says"};
  }
  return contract::Contract::FromDescriptorSet(bytes);
}

}  // namespace

std::vector<std::string> OpenedFields(const contract::Contract& before,
                                      const contract::Contract& after) {
  std::vector<std::string> opened;
  FindOpened(before.fields(), after.fields(), "", opened);
  return opened;
}

Result<std::vector<std::string>> OpenedFieldsOf(Disk& disk, const Paths& environment,
                                                const std::string& stable,
                                                const std::string& candidate) {
  ASSIGN_OR_RETURN(const std::string before, ContractDigest(disk, environment, stable));
  ASSIGN_OR_RETURN(const std::string after, ContractDigest(disk, environment, candidate));
  if (before == after) return std::vector<std::string>();
  ASSIGN_OR_RETURN(const auto was, ReadContract(disk, environment, before));
  ASSIGN_OR_RETURN(const auto is, ReadContract(disk, environment, after));
  ASSIGN_OR_RETURN(const Declaration declared,
                   ReadDeclaration(disk, environment.releases() + "/" + candidate));
  auto opened = OpenedFields(*was, *is);
  std::erase_if(opened, [&](const std::string& field) {
    return declared.Find(DeclaredChange::About::kField, field) != nullptr;
  });
  return opened;
}

}  // namespace telltale::control
