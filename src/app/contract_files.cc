#include "app/contract_files.h"

#include <charconv>

#include "seal/seal.h"

namespace telltale::app {
namespace {

const contract::Field* FindMember(const std::vector<contract::Field>& fields,
                                  std::uint32_t number) {
  for (const contract::Field& field : fields) {
    if (field.number == number) return &field;
  }
  return nullptr;
}

}  // namespace

Result<control::Contracts> ReadContracts(Disk& disk, const Paths& paths) {
  ASSIGN_OR_RETURN(const std::string control_public,
                   seal::LoadKey(disk, paths.keys() + "/control.pub"));
  return control::ReadContracts(disk, paths, control_public);
}

Result<std::vector<InstalledContract>> InstalledContracts(Disk& disk, const Paths& paths) {
  ASSIGN_OR_RETURN(const control::Contracts contracts, ReadContracts(disk, paths));
  std::vector<InstalledContract> installed;
  for (const auto& [number, digest] : contracts.ever) {
    InstalledContract one{number, digest, nullptr};
    const auto bytes = ReadWholeFile(disk, paths.contracts() + "/" + digest + ".desc");
    if (bytes.ok() && HexEncode(seal::Sha256(*bytes)) == digest) {
      auto contract = contract::Contract::FromDescriptorSet(*bytes);
      if (contract.ok()) one.contract = std::move(contract).value();
    }
    installed.push_back(std::move(one));
  }
  return installed;
}

bool HasField(const contract::Contract& contract, std::string_view path, std::uint32_t number) {
  const std::vector<contract::Field>* fields = &contract.fields();
  while (!path.empty()) {
    std::uint32_t step = 0;
    const auto [end, error] = std::from_chars(path.data(), path.data() + path.size(), step);
    const contract::Field* field = error == std::errc() ? FindMember(*fields, step) : nullptr;
    if (field == nullptr || end == path.data() + path.size()) return false;
    fields = &field->members;
    path.remove_prefix(static_cast<std::size_t>(end - path.data()) + 1);
  }
  const contract::Field* field = FindMember(*fields, number);
  return field != nullptr && !field->derived;
}

}  // namespace telltale::app
