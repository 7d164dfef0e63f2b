#include "control/release_build.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "control/release_files.h"
#include "control/release_text.h"

namespace telltale::control {
namespace {

using nlohmann::json;

constexpr std::string_view kSqlSuffix = ".sql";
constexpr std::uint64_t kFeatureBytesMax = 1u << 20;
constexpr std::array<std::string_view, 5> kComponents = {"contract", "rules", "engine",
                                                         "transforms", "features"};

bool IsFeatureName(std::string_view name) {
  return !name.empty() && name.size() <= 64 && name.front() >= 'a' && name.front() <= 'z' &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos;
}

// A typing mistake in a name would silently leave the shipped part in.
Status CheckNames(Disk& disk, const std::string& folder) {
  ASSIGN_OR_RETURN(const auto names, disk.List(folder));
  for (const std::string& name : names) {
    if (name == "transforms.yaml") {
      return Error{Code::kInvalid,
                   folder +
                       "/transforms.yaml: transforms stand in the contract, as options of its "
                       "fields (docs/releases.md); remove the file"};
    }
    if (name == "contract") {
      return Error{Code::kInvalid,
                   folder +
                       "/contract: a release takes a descriptor set; make it with `protoc "
                       "--include_imports --descriptor_set_out=contract.desc`, or take a "
                       "version from contract/history, and remove the folder"};
    }
    const bool is_known = name == "release.yaml" || name == "rules.yaml" ||
                          name == "contract.desc" || name == "features" || name.front() == '.' ||
                          name.ends_with(".md");
    if (!is_known) {
      return Error{Code::kInvalid,
                   fmt::format("{}/{}: a release has release.yaml, rules.yaml, contract.desc and "
                               "features/*.sql; move it elsewhere",
                               folder, name)};
    }
  }
  return Ok();
}

Status AddFeatures(Disk& disk, const std::string& folder, ReleaseContent& content) {
  const auto names = disk.List(folder);
  if (!names.ok() && names.error().code == Code::kNotFound) return Ok();
  if (!names.ok()) return names.error();
  for (const std::string& file : *names) {
    if (!file.ends_with(kSqlSuffix)) continue;
    const std::string name = file.substr(0, file.size() - kSqlSuffix.size());
    if (!IsFeatureName(name)) {
      return Error{Code::kInvalid,
                   fmt::format("{}/{}: a feature's name is [a-z][a-z0-9_]*", folder, file)};
    }
    ASSIGN_OR_RETURN(std::string sql, ReadWholeFile(disk, folder + "/" + file, kFeatureBytesMax));
    const std::string digest = HexSha256(sql);
    content.features[name] = digest;
    content.blobs[digest] = std::move(sql);
  }
  if (content.features.size() > kFeaturesMax) {
    return Error{Code::kTooBig, fmt::format("{}: more than {} features", folder, kFeaturesMax)};
  }
  return Ok();
}

void AddComponent(ReleaseContent& content, const std::string& name, std::string bytes) {
  const std::string digest = HexSha256(bytes);
  content.components[name] = digest;
  content.blobs[digest] = std::move(bytes);
}

Result<std::shared_ptr<const contract::Contract>> ContractOf(const ReleaseContent& content) {
  const std::string* descriptor = content.Find("contract");
  if (descriptor == nullptr) return Error{Code::kInvalid, "the release has no contract"};
  auto contract = contract::Contract::FromDescriptorSet(*descriptor);
  if (!contract.ok()) return Annotate(contract.error(), "the release's contract");
  return contract;
}

Status CheckTransforms(const ReleaseContent& content, const contract::Contract& contract) {
  const auto named = content.components.find("transforms");
  if (named == content.components.end()) return Ok();  // older: they are in its contract
  if (HexSha256(CanonicalItems(TransformsAsItems(contract))) == named->second) return Ok();
  return Error{Code::kInvalid, "the release's transforms are not those of its contract"};
}

}  // namespace

const std::string* ReleaseContent::Find(const std::string& component) const {
  const auto digest = components.find(component);
  if (digest == components.end()) return nullptr;
  const auto bytes = blobs.find(digest->second);
  return bytes == blobs.end() ? nullptr : &bytes->second;
}

std::string FeaturesListing(const std::map<std::string, std::string>& features) {
  return json(features).dump();
}

Result<std::map<std::string, std::string>> ParseFeatures(std::string_view listing) {
  const Error corrupt{Code::kCorrupt, "this is no list of features"};
  if (listing.size() > kReleaseTextBytesMax) return corrupt;
  const json object = json::parse(listing, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object() || object.size() > kFeaturesMax) return corrupt;
  std::map<std::string, std::string> features;
  for (const auto& [name, digest] : object.items()) {
    if (!IsFeatureName(name) || !digest.is_string()) return corrupt;
    features[name] = digest.get<std::string>();
    if (!IsSha256Hex(features[name])) return corrupt;
  }
  if (FeaturesListing(features) != listing) return corrupt;
  return features;
}

Status CheckContent(const ReleaseContent& content, const RulesCheck& check_rules) {
  ASSIGN_OR_RETURN(const auto contract, ContractOf(content));
  const std::string* rules = content.Find("rules");
  if (rules == nullptr) return Error{Code::kInvalid, "the release has no rules"};
  ASSIGN_OR_RETURN(const Items rule_items, RulesAsItems(*rules));
  if (check_rules) {
    const Status checked = check_rules(*rules, *contract);
    if (!checked.ok()) return Annotate(checked.error(), "rules.yaml");
  }
  if (!content.components.contains("engine")) {
    return Error{Code::kInvalid, "the release has no engine"};
  }
  RETURN_IF_ERROR(CheckTransforms(content, *contract));
  KnownNames known;
  for (const auto& [name, keys] : rule_items) known.rules.insert(name);
  for (const auto& [name, keys] : FieldsAsItems(*contract)) known.fields.insert(name);
  for (const auto& [name, digest] : content.features) known.features.insert(name);
  return CheckDeclaration(content.declaration, known);
}

Result<ReleaseContent> BuildRelease(Disk& disk, const BuildSources& sources,
                                    const RulesCheck& check_rules) {
  const std::string& folder = sources.folder;
  RETURN_IF_ERROR(CheckNames(disk, folder));
  ReleaseContent content;
  const auto yaml = ReadWholeFile(disk, folder + "/release.yaml", kReleaseTextBytesMax);
  if (!yaml.ok()) {
    return Annotate(yaml.error(), "a release's folder has a release.yaml (docs/releases.md)");
  }
  auto declaration = ReadReleaseYaml(*yaml);
  if (!declaration.ok()) return Annotate(declaration.error(), folder);
  content.declaration = std::move(declaration).value();
  auto rules = ReadWholeFile(disk, folder + "/rules.yaml", kReleaseTextBytesMax);
  if (!rules.ok()) {
    return Annotate(rules.error(), "a release's folder has its rules.yaml (docs/releases.md)");
  }
  const bool has_contract = disk.Exists(folder + "/contract.desc");
  ASSIGN_OR_RETURN(
      std::string descriptor,
      ReadWholeFile(disk, has_contract ? folder + "/contract.desc" : sources.contract_descriptor));
  ASSIGN_OR_RETURN(std::string engine, ReadWholeFile(disk, sources.engine, kBlobBytesMax));
  AddComponent(content, "rules", std::move(rules).value());
  AddComponent(content, "contract", std::move(descriptor));
  AddComponent(content, "engine", std::move(engine));
  ASSIGN_OR_RETURN(const auto contract, ContractOf(content));
  AddComponent(content, "transforms", CanonicalItems(TransformsAsItems(*contract)));
  const std::string own_features = folder + "/features";
  RETURN_IF_ERROR(
      AddFeatures(disk, disk.Exists(own_features) ? own_features : sources.features, content));
  AddComponent(content, "features", FeaturesListing(content.features));
  const Status checked = CheckContent(content, check_rules);
  if (!checked.ok()) return Annotate(checked.error(), folder);
  content.bundle.manifest = CanonicalManifest(content.components);
  content.bundle.declared = DeclarationJson(content.declaration);
  return content;
}

Status WriteReleaseFolder(Disk& disk, const std::string& folder, const ReleaseContent& content) {
  RETURN_IF_ERROR(disk.MakeFolders(folder + "/blobs", kReleaseFolderMode));
  for (const auto& [digest, bytes] : content.blobs) {
    const std::string path = folder + "/blobs/" + digest;
    if (!disk.Exists(path)) RETURN_IF_ERROR(WriteFileDurably(disk, path, bytes, kReleaseFileMode));
  }
  const ReleaseBundle& bundle = content.bundle;
  RETURN_IF_ERROR(
      WriteFileDurably(disk, folder + "/declared.json", bundle.declared, kReleaseFileMode));
  if (!bundle.signature.empty()) {
    RETURN_IF_ERROR(
        WriteFileDurably(disk, folder + "/signature", bundle.signature, kReleaseFileMode));
  } else if (disk.Exists(folder + "/signature")) {
    RETURN_IF_ERROR(disk.Remove(folder + "/signature"));
  }
  // Last: a folder with a manifest is whole.
  return WriteFileDurably(disk, folder + "/manifest.json", bundle.manifest, kReleaseFileMode);
}

Result<ReleaseContent> ReadReleaseFolder(Disk& disk, const std::string& folder) {
  ReleaseBundle bundle;
  ASSIGN_OR_RETURN(bundle.manifest,
                   ReadWholeFile(disk, folder + "/manifest.json", kReleaseTextBytesMax));
  ASSIGN_OR_RETURN(bundle.declared,
                   ReadWholeFile(disk, folder + "/declared.json", kReleaseTextBytesMax));
  if (disk.Exists(folder + "/signature")) {
    ASSIGN_OR_RETURN(bundle.signature,
                     ReadWholeFile(disk, folder + "/signature", kReleaseTextBytesMax));
  }
  return GatherContent(std::move(bundle), [&](const std::string& digest) {
    return ReadWholeFile(disk, folder + "/blobs/" + digest, kBlobBytesMax);
  });
}

Result<ReleaseContent> GatherContent(ReleaseBundle bundle, const BlobOf& blob_of,
                                     const std::string& optional) {
  ReleaseContent content;
  content.bundle = std::move(bundle);
  ASSIGN_OR_RETURN(content.components, ParseManifest(content.bundle.manifest));
  if (CanonicalManifest(content.components) != content.bundle.manifest) {
    return Error{Code::kCorrupt, "the manifest is not in its canonical form"};
  }
  if (!content.bundle.declared.empty()) {
    ASSIGN_OR_RETURN(content.declaration, ParseDeclaration(content.bundle.declared));
  }
  const auto take = [&](const std::string& what, const std::string& digest) -> Status {
    auto bytes = blob_of(digest);
    if (!bytes.ok()) {
      if (what == optional && bytes.error().code == Code::kNotFound) return Ok();
      return Annotate(bytes.error(), "the release's " + what);
    }
    if (HexSha256(*bytes) != digest) {
      return Error{Code::kCorrupt,
                   fmt::format("the release's {} is not the bytes that its digest names", what)};
    }
    content.blobs[digest] = std::move(bytes).value();
    return Ok();
  };
  for (const std::string_view name : kComponents) {
    const auto at = content.components.find(std::string(name));
    if (at != content.components.end()) RETURN_IF_ERROR(take(at->first, at->second));
  }
  if (const std::string* listing = content.Find("features"); listing != nullptr) {
    ASSIGN_OR_RETURN(content.features, ParseFeatures(*listing));
  }
  for (const auto& [name, digest] : content.features) {
    RETURN_IF_ERROR(take("feature " + name, digest));
  }
  return content;
}

}  // namespace telltale::control
