#include "control/release.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/format_version.h"
#include "contract/contract.h"
#include "control/release_bundle.h"
#include "control/release_files.h"
#include "seal/seal.h"

namespace telltale::control {
namespace {

constexpr std::uint64_t kComponentBytesMax = 1u << 30;
constexpr std::uint64_t kManifestBytesMax = 1u << 20;

std::string FolderOf(const Paths& paths, const std::string& id) {
  return paths.releases() + "/" + id;
}
std::string ContractPath(const Paths& paths, const std::string& digest) {
  return paths.contracts() + "/" + digest + ".desc";
}

// A stored component must still be the bytes that its digest names.
Status CheckFile(Disk& disk, const std::string& path, const Components& components,
                 const std::string& name) {
  const auto wanted = components.find(name);
  if (wanted == components.end()) {
    return Error{Code::kCorrupt, fmt::format("the manifest names no {}", name)};
  }
  ASSIGN_OR_RETURN(const std::string digest, DigestOfFile(disk, path));
  if (digest == wanted->second) return Ok();
  return Error{Code::kCorrupt, fmt::format("{} is not the file the release was made with", path)};
}

}  // namespace

std::string CanonicalManifest(const Components& components) {
  // nlohmann::json keeps the keys of an object sorted; dump() without arguments adds no space.
  nlohmann::json manifest;
  manifest["format"] = VersionOf(Format::kReleaseManifest).written;
  manifest["components"] = components;
  return manifest.dump();
}

Result<Components> ParseManifest(std::string_view manifest) {
  const Error corrupt{Code::kCorrupt, "this is not a release manifest"};
  const auto parsed = nlohmann::json::parse(manifest, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object() || !parsed.contains("format") || !parsed.contains("components")) {
    return corrupt;
  }
  if (!parsed["format"].is_number_unsigned() || !parsed["components"].is_object()) return corrupt;
  // One number in the manifest: it is both who wrote it and who can read it.
  const auto format = parsed["format"].get<std::uint64_t>();
  RETURN_IF_ERROR(CheckReadable(Format::kReleaseManifest, "the release manifest", format, format));
  Components components;
  for (const auto& [name, digest] : parsed["components"].items()) {
    if (!digest.is_string() || !IsSha256Hex(digest.get_ref<const std::string&>())) return corrupt;
    components[name] = digest.get<std::string>();
  }
  return components;
}

std::string ReleaseId(std::string_view manifest) { return HexSha256(manifest); }

Result<std::string> DigestOfFile(Disk& disk, const std::string& path) {
  ASSIGN_OR_RETURN(const std::string bytes, ReadWholeFile(disk, path, kComponentBytesMax));
  return HexSha256(bytes);
}

Result<Release> InstallRelease(Disk& disk, const ReleaseFiles& files, const Paths& paths) {
  ASSIGN_OR_RETURN(const std::string descriptor, ReadWholeFile(disk, files.contract_descriptor));
  if (const auto contract = contract::Contract::FromDescriptorSet(descriptor); !contract.ok()) {
    return Annotate(contract.error(), files.contract_descriptor);
  }
  ASSIGN_OR_RETURN(const std::string rules, ReadWholeFile(disk, files.rules));
  ASSIGN_OR_RETURN(const std::string engine_digest, DigestOfFile(disk, files.engine));

  Release release;
  release.components = {
      {"contract", HexSha256(descriptor)}, {"rules", HexSha256(rules)}, {"engine", engine_digest}};
  const std::string manifest = CanonicalManifest(release.components);
  release.id = ReleaseId(manifest);
  const std::string folder = FolderOf(paths, release.id);
  RETURN_IF_ERROR(disk.MakeFolders(paths.contracts(), kReleaseFolderMode));
  RETURN_IF_ERROR(disk.MakeFolders(folder, kReleaseFolderMode));
  RETURN_IF_ERROR(WriteFileDurably(disk, ContractPath(paths, release.components["contract"]),
                                   descriptor, kReleaseFileMode));
  RETURN_IF_ERROR(WriteFileDurably(disk, folder + "/rules.yaml", rules, kReleaseFileMode));
  RETURN_IF_ERROR(WriteFileDurably(disk, folder + "/manifest.json", manifest, kReleaseFileMode));
  return release;
}

Result<Release> LoadRelease(Disk& disk, const Paths& paths, const std::string& id) {
  if (!IsSha256Hex(id)) return Error{Code::kInvalid, "a release id is 64 lower-case hex digits"};
  const std::string folder = FolderOf(paths, id);
  ASSIGN_OR_RETURN(const std::string manifest,
                   ReadWholeFile(disk, folder + "/manifest.json", kManifestBytesMax));
  if (ReleaseId(manifest) != id) {
    return Error{Code::kCorrupt, folder + "/manifest.json is not the manifest of this release"};
  }
  ASSIGN_OR_RETURN(Components components, ParseManifest(manifest));
  RETURN_IF_ERROR(CheckFile(disk, folder + "/rules.yaml", components, "rules"));
  const auto contract = components.find("contract");
  RETURN_IF_ERROR(
      CheckFile(disk, ContractPath(paths, contract == components.end() ? "" : contract->second),
                components, "contract"));
  return Release{id, std::move(components)};
}

}  // namespace telltale::control
