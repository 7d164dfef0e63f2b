#include "control/release_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "control/release_files.h"

namespace telltale::control {
namespace {

using nlohmann::json;

constexpr std::size_t kPrefixMin = 6;
constexpr std::uint32_t kProgramMode = 0755;

Error NoDigest() { return {Code::kInvalid, "a digest is 64 lower-case hex digits"}; }

Result<StoredRelease> Describe(const ReleaseBundle& bundle, const std::vector<TrustedKey>& keys) {
  StoredRelease release;
  release.id = bundle.id();
  ASSIGN_OR_RETURN(release.components, ParseManifest(bundle.manifest));
  ASSIGN_OR_RETURN(release.declaration, ParseDeclaration(bundle.declared));
  ASSIGN_OR_RETURN(const ReleaseSignature signature, ParseSignature(bundle.signature));
  release.built_at = signature.built_at;
  release.key_id = signature.key_id;
  for (const TrustedKey& key : keys) {
    if (key.key_id == signature.key_id) release.signed_by = key.name;
  }
  return release;
}

// Names in a folder that are ids; none when it is not there.
Result<std::vector<std::string>> IdsIn(Disk& disk, const std::string& folder) {
  auto names = disk.List(folder);
  if (!names.ok()) {
    if (names.error().code == Code::kNotFound) return std::vector<std::string>();
    return names.error();
  }
  std::vector<std::string> ids;
  for (const std::string& name : *names) {
    if (IsSha256Hex(name) && disk.Exists(folder + "/" + name + "/manifest.json"))
      ids.push_back(name);
  }
  return ids;
}

Status WriteOnce(Disk& disk, const std::string& path, std::string_view bytes,
                 std::uint32_t mode = kReleaseFileMode) {
  if (disk.Exists(path)) {
    const auto there = ReadWholeFile(disk, path, kBlobBytesMax);
    if (there.ok() && *there == bytes) return Ok();
  }
  RETURN_IF_ERROR(disk.MakeFolders(ParentFolder(path), kReleaseFolderMode));
  return WriteFileDurably(disk, path, bytes, mode);
}

Result<std::string> TextOrObject(const json& body, const char* key) {
  const auto at = body.find(key);
  if (at != body.end() && at->is_string()) return at->get<std::string>();
  if (at != body.end() && at->is_object()) {
    return at->dump(-1, ' ', false, json::error_handler_t::replace);
  }
  return Error{
      Code::kInvalid,
      fmt::format("`{}` must be the text of that file of the release, or its object", key)};
}

}  // namespace

Result<std::string> ReleaseIdIn(const std::vector<ReleaseName>& all, std::string_view words) {
  const bool is_prefix = words.size() >= kPrefixMin &&
                         words.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  const ReleaseName* named = nullptr;
  const ReleaseName* begun = nullptr;
  bool is_ambiguous = false;
  for (const ReleaseName& release : all) {
    if (!words.empty() && release.name == words &&
        (named == nullptr || named->built_at < release.built_at)) {
      named = &release;
    }
    if (!is_prefix || !release.id.starts_with(words)) continue;
    is_ambiguous = is_ambiguous || begun != nullptr;
    begun = &release;
  }
  if (named != nullptr) return named->id;
  if (is_ambiguous) {
    return Error{Code::kInvalid,
                 fmt::format("more than one release begins with {}: give more digits", words)};
  }
  if (begun != nullptr) return begun->id;
  return Error{Code::kNotFound,
               fmt::format("no release here is called {}: give a name, an id or at least its first "
                           "{} digits; `telltale release list` shows them",
                           words, kPrefixMin)};
}

json ToJson(const Declaration& declaration) {
  json list = json::parse(DeclarationJson(declaration))["declared"];
  for (std::size_t i = 0; i < declaration.changes.size(); ++i) {
    list[i]["in_words"] = InWords(declaration.changes[i]);
  }
  return list;
}

json ToJson(const StoredRelease& release) {
  return {{"id", release.id},
          {"name", release.declaration.name},
          {"about", release.declaration.about},
          {"components", release.components},
          {"declared", ToJson(release.declaration)},
          {"built_at", release.built_at},
          {"signed_by", release.signed_by},
          {"key_id", release.key_id}};
}

Status InstallContent(Disk& disk, const Paths& environment, const ReleaseContent& content) {
  const std::string folder = environment.releases() + "/" + content.id();
  const auto write = [&](const std::string& path, const std::string* bytes,
                         std::uint32_t mode = kReleaseFileMode) -> Status {
    return bytes == nullptr ? Ok() : WriteOnce(disk, path, *bytes, mode);
  };
  const auto digest = [&](const char* component) {
    const auto at = content.components.find(component);
    return at == content.components.end() ? std::string() : at->second;
  };
  RETURN_IF_ERROR(write(environment.contracts() + "/" + digest("contract") + ".desc",
                        content.Find("contract")));
  RETURN_IF_ERROR(write(environment.data() + "/engines/" + digest("engine"), content.Find("engine"),
                        kProgramMode));
  RETURN_IF_ERROR(write(folder + "/rules.yaml", content.Find("rules")));
  for (const auto& [name, sha256] : content.features) {
    RETURN_IF_ERROR(write(folder + "/features/" + name + ".sql", &content.blobs.at(sha256)));
  }
  if (const std::string& declared = content.bundle.declared; !declared.empty()) {
    RETURN_IF_ERROR(write(folder + "/declared.json", &declared));
  }
  return write(folder + "/manifest.json", &content.bundle.manifest);
}

Result<ReleaseBundle> BundleFromJson(const json& body) {
  if (!body.is_object()) return Error{Code::kInvalid, "want a JSON object"};
  ReleaseBundle bundle;
  ASSIGN_OR_RETURN(bundle.manifest, TextOrObject(body, "manifest"));
  ASSIGN_OR_RETURN(bundle.signature, TextOrObject(body, "signature"));
  const auto declared = body.find("declared");
  if (declared == body.end() || !declared->is_array()) {
    ASSIGN_OR_RETURN(bundle.declared, TextOrObject(body, "declared"));
    return bundle;
  }
  const json whole = {{"format", 1},
                      {"name", body.value("name", json(""))},
                      {"about", body.value("about", json(""))},
                      {"declared", *declared}};
  bundle.declared = whole.dump(-1, ' ', false, json::error_handler_t::replace);
  return bundle;
}

Result<json> BundleToJson(const ReleaseBundle& bundle) {
  RETURN_IF_ERROR(ParseDeclaration(bundle.declared));
  const json declared = json::parse(bundle.declared);
  return json{{"manifest", bundle.manifest},
              {"signature", bundle.signature},
              {"name", declared["name"]},
              {"about", declared["about"]},
              {"declared", declared["declared"]}};
}

std::string ReleaseStore::Folder(const std::string& id) const {
  return paths_.data() + "/control/releases/" + id;
}
std::string ReleaseStore::BlobPath(std::string_view digest) const {
  return fmt::format("{}/control/blobs/{}", paths_.data(), digest);
}

bool ReleaseStore::HasBlob(std::string_view digest) const {
  return IsSha256Hex(digest) && disk_.Exists(BlobPath(digest));
}

Status ReleaseStore::PutBlob(const std::string& digest, std::string_view bytes) {
  if (!IsSha256Hex(digest)) return NoDigest();
  if (bytes.size() > kBlobBytesMax) return Error{Code::kTooBig, "a component is over 256 MiB"};
  if (HexEncode(seal::Sha256(bytes)) != digest) {
    return Error{Code::kInvalid,
                 fmt::format("these bytes are not the component {}: send them again", digest)};
  }
  return WriteOnce(disk_, BlobPath(digest), bytes);
}

Result<std::string> ReleaseStore::GetBlob(const std::string& digest) const {
  if (!IsSha256Hex(digest)) return NoDigest();
  auto bytes = ReadWholeFile(disk_, BlobPath(digest), kBlobBytesMax);
  if (!bytes.ok() && bytes.error().code == Code::kNotFound) {
    return Error{Code::kNotFound, fmt::format("component {} is not here: push it first", digest)};
  }
  if (!bytes.ok()) return bytes;
  if (HexEncode(seal::Sha256(*bytes)) != digest) {
    return Error{Code::kCorrupt, BlobPath(digest) + " is not the bytes that its name says"};
  }
  return bytes;
}

Result<StoredRelease> ReleaseStore::PutRelease(const ReleaseBundle& bundle) {
  ASSIGN_OR_RETURN(const auto keys, ReadTrustedKeys(disk_, paths_));
  RETURN_IF_ERROR(VerifyBundle(bundle, keys));
  ASSIGN_OR_RETURN(
      const ReleaseContent content,
      GatherContent(bundle, [this](const std::string& digest) { return GetBlob(digest); }));
  RETURN_IF_ERROR(CheckContent(content, check_rules_));
  ASSIGN_OR_RETURN(StoredRelease release, Describe(bundle, keys));
  const std::string folder = Folder(release.id);
  // The first declaration of a release stays: what was approved is not reworded.
  if (disk_.Exists(folder + "/manifest.json")) {
    ASSIGN_OR_RETURN(const ReleaseBundle there, Bundle(release.id));
    if (there.declared == bundle.declared) return Get(release.id);
    return Error{Code::kExists,
                 fmt::format("release {} is here with other declared changes; a release that "
                             "declares something else needs another component, such as a comment "
                             "in rules.yaml",
                             release.id.substr(0, 12))};
  }
  RETURN_IF_ERROR(WriteOnce(disk_, folder + "/declared.json", bundle.declared));
  RETURN_IF_ERROR(WriteOnce(disk_, folder + "/signature", bundle.signature));
  RETURN_IF_ERROR(WriteOnce(disk_, folder + "/manifest.json", bundle.manifest));
  return release;
}

Result<ReleaseBundle> ReleaseStore::Bundle(const std::string& id) const {
  if (!IsSha256Hex(id)) return Error{Code::kInvalid, "a release id is 64 lower-case hex digits"};
  const std::string folder = Folder(id);
  ReleaseBundle bundle;
  auto manifest = ReadWholeFile(disk_, folder + "/manifest.json", kReleaseTextBytesMax);
  if (!manifest.ok() && manifest.error().code == Code::kNotFound) {
    return Error{Code::kNotFound, fmt::format("there is no release {} here: `telltale release "
                                              "list` shows those that are",
                                              id.substr(0, 12))};
  }
  if (!manifest.ok()) return manifest.error();
  bundle.manifest = std::move(manifest).value();
  if (bundle.id() != id) {
    return Error{Code::kCorrupt, folder + "/manifest.json is not the manifest of this release"};
  }
  ASSIGN_OR_RETURN(bundle.declared,
                   ReadWholeFile(disk_, folder + "/declared.json", kReleaseTextBytesMax));
  ASSIGN_OR_RETURN(bundle.signature,
                   ReadWholeFile(disk_, folder + "/signature", kReleaseTextBytesMax));
  return bundle;
}

Result<StoredRelease> ReleaseStore::GetInstalled(const std::string& id) const {
  ASSIGN_OR_RETURN(const Release release, LoadRelease(disk_, paths_, id));
  StoredRelease stored;
  stored.id = id;
  stored.components = release.components;
  return stored;
}

Result<StoredRelease> ReleaseStore::Get(const std::string& id) const {
  const auto bundle = Bundle(id);
  if (!bundle.ok() && bundle.error().code == Code::kNotFound) {
    auto installed = GetInstalled(id);
    if (!installed.ok() && installed.error().code == Code::kNotFound) return bundle.error();
    return installed;
  }
  if (!bundle.ok()) return bundle.error();
  ASSIGN_OR_RETURN(const auto keys, ReadTrustedKeys(disk_, paths_));
  return Describe(*bundle, keys);
}

Result<std::vector<StoredRelease>> ReleaseStore::List() const {
  ASSIGN_OR_RETURN(std::vector<std::string> ids, IdsIn(disk_, paths_.data() + "/control/releases"));
  ASSIGN_OR_RETURN(const std::vector<std::string> installed, IdsIn(disk_, paths_.releases()));
  ids.insert(ids.end(), installed.begin(), installed.end());
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  std::vector<StoredRelease> releases;
  for (const std::string& id : ids) {
    ASSIGN_OR_RETURN(StoredRelease release, Get(id));
    releases.push_back(std::move(release));
  }
  return releases;
}

Result<StoredRelease> ReleaseStore::Find(std::string_view words) const {
  if (IsSha256Hex(words)) return Get(std::string(words));
  ASSIGN_OR_RETURN(const std::vector<StoredRelease> all, List());
  std::vector<ReleaseName> names;
  for (const StoredRelease& one : all) {
    names.push_back({one.id, one.declaration.name, one.built_at});
  }
  ASSIGN_OR_RETURN(const std::string id, ReleaseIdIn(names, words));
  return Get(id);
}

Result<ReleaseContent> ReleaseStore::InstalledContent(const std::string& id) const {
  ASSIGN_OR_RETURN(const Release release, LoadRelease(disk_, paths_, id));
  const std::string folder = paths_.releases() + "/" + id;
  ReleaseBundle bundle;
  ASSIGN_OR_RETURN(bundle.manifest,
                   ReadWholeFile(disk_, folder + "/manifest.json", kReleaseTextBytesMax));
  return GatherContent(
      std::move(bundle),
      [&](const std::string& digest) -> Result<std::string> {
        for (const auto& [name, path] :
             {std::pair<std::string, std::string>{"rules", folder + "/rules.yaml"},
              {"contract", paths_.contracts() + "/" + digest + ".desc"},
              {"engine", paths_.data() + "/engines/" + digest}}) {
          const auto at = release.components.find(name);
          if (at != release.components.end() && at->second == digest) {
            return ReadWholeFile(disk_, path, kBlobBytesMax);
          }
        }
        return GetBlob(digest);
      },
      "engine");
}

Result<ReleaseContent> ReleaseStore::Content(const std::string& id) const {
  auto bundle = Bundle(id);
  if (!bundle.ok() && bundle.error().code == Code::kNotFound) {
    auto installed = InstalledContent(id);
    if (!installed.ok() && installed.error().code == Code::kNotFound) return bundle.error();
    return installed;
  }
  if (!bundle.ok()) return bundle.error();
  return GatherContent(std::move(bundle).value(),
                       [this](const std::string& digest) { return GetBlob(digest); });
}

Status ReleaseStore::Verify(const std::string& id) const {
  ASSIGN_OR_RETURN(const ReleaseContent content, Content(id));
  if (content.bundle.declared.empty()) return Ok();  // made by `telltale init`: all is by digest
  ASSIGN_OR_RETURN(const auto keys, ReadTrustedKeys(disk_, paths_));
  const auto verified = VerifyBundle(content.bundle, keys);
  return verified.ok() ? Ok() : Status(verified.error());
}

Status ReleaseStore::InstallInto(const Paths& environment, const std::string& id) const {
  const auto bundle = Bundle(id);
  if (!bundle.ok() && bundle.error().code == Code::kNotFound) {
    // Of `telltale init`: it is whole where it was made, and nowhere else.
    const auto there = LoadRelease(disk_, environment, id);
    return there.ok() ? Ok() : Status(there.error());
  }
  RETURN_IF_ERROR(Verify(id));
  ASSIGN_OR_RETURN(const ReleaseContent content, Content(id));
  return InstallContent(disk_, environment, content);
}

Status StoreSink::PutRelease(const ReleaseBundle& bundle) {
  const auto stored = store_.PutRelease(bundle);
  return stored.ok() ? Ok() : Status(stored.error());
}

Status Push(const ReleaseContent& content, ReleaseSink& sink) {
  for (const auto& [digest, bytes] : content.blobs) {
    ASSIGN_OR_RETURN(const bool is_there, sink.HasBlob(digest));
    if (!is_there) RETURN_IF_ERROR(sink.PutBlob(digest, bytes));
  }
  return sink.PutRelease(content.bundle);
}

}  // namespace telltale::control
