// Releases as they lie in the folders of control, for installations without a store of them.
#include <fmt/format.h>

#include "control/json_reader.h"
#include "control/release.h"
#include "control/release_shelf.h"
#include "seal/seal.h"

namespace telltale::control {
namespace {

using nlohmann::json;

constexpr std::uint32_t kFolderMode = 0755;
constexpr std::uint32_t kFileMode = 0644;
constexpr std::uint32_t kProgramMode = 0755;
constexpr std::uint64_t kShelfBlobBytesMax = 1u << 30;

class FolderShelf final : public ReleaseShelf {
 public:
  FolderShelf(Disk& disk, const Paths& paths)
      : disk_(disk),
        releases_(paths.data() + "/control/releases/"),
        blobs_(paths.data() + "/control/blobs/") {}

  Result<json> List() override {
    json items = json::array();
    const auto names = disk_.List(releases_);
    if (!names.ok() && names.error().code == Code::kNotFound) return items;
    if (!names.ok()) return names.error();
    for (const std::string& id : *names) {
      if (!IsSha256Hex(id)) continue;
      ASSIGN_OR_RETURN(json release, Get(id));
      items.push_back(std::move(release));
    }
    return items;
  }

  Result<json> Get(const std::string& id) override {
    ASSIGN_OR_RETURN(const Components components, Manifest(id));
    json declared = json::array();
    const auto bytes = ReadWholeFile(disk_, releases_ + id + "/declared.json");
    if (bytes.ok()) {
      declared = json::parse(*bytes, nullptr, /*allow_exceptions=*/false);
      if (declared.is_discarded()) declared = json::array();
    }
    return json{{"id", id},
                {"components", components},
                {"declared", std::move(declared)},
                {"built_at", ""},
                {"signed_by", ""}};
  }

  Result<json> Diff(const std::string& from, const std::string& to) override {
    ASSIGN_OR_RETURN(const Components before, Manifest(from));
    ASSIGN_OR_RETURN(const Components after, Manifest(to));
    json changed = json::array();
    const auto digest = [](const Components& components, const std::string& name) {
      const auto found = components.find(name);
      return found == components.end() ? std::string() : found->second;
    };
    Components all = before;
    all.insert(after.begin(), after.end());
    for (const auto& [name, ignored] : all) {
      if (digest(before, name) == digest(after, name)) continue;
      changed.push_back(
          {{"component", name}, {"from", digest(before, name)}, {"to", digest(after, name)}});
    }
    return json{{"from", from}, {"to", to}, {"components", std::move(changed)}};
  }

  Result<json> Put(const std::string& id, const json& body) override {
    JsonReader read(body, "release");
    const std::string manifest = read.Text("manifest", std::nullopt, 1u << 20);
    const std::string signature = read.Text("signature", "", 1u << 20);
    const json declared = read.List("declared", 1000);
    RETURN_IF_ERROR(read.Done());
    if (ReleaseId(manifest) != id) {
      return Error{Code::kInvalid, "the release's id is not the SHA-256 of its manifest"};
    }
    ASSIGN_OR_RETURN(const Components components, ParseManifest(manifest));
    for (const auto& [name, digest] : components) {
      if (disk_.Exists(blobs_ + digest)) continue;
      return Error{Code::kNotFound, fmt::format("put the blob {} ({}) first", digest, name)};
    }
    const std::string folder = releases_ + id;
    RETURN_IF_ERROR(disk_.MakeFolders(folder));
    RETURN_IF_ERROR(WriteFileDurably(disk_, folder + "/signature", signature));
    RETURN_IF_ERROR(WriteFileDurably(disk_, folder + "/declared.json", Canonical(declared)));
    RETURN_IF_ERROR(WriteFileDurably(disk_, folder + "/manifest.json", manifest));
    return Get(id);
  }

  Status PutBlob(const std::string& sha256, std::string_view bytes) override {
    if (!IsSha256Hex(sha256) || HexEncode(seal::Sha256(bytes)) != sha256) {
      return Error{Code::kInvalid, "the bytes are not what their SHA-256 says"};
    }
    RETURN_IF_ERROR(disk_.MakeFolders(blobs_));
    return WriteFileDurably(disk_, blobs_ + sha256, bytes);
  }

  Result<std::string> GetBlob(const std::string& sha256) override {
    if (!IsSha256Hex(sha256)) return Error{Code::kInvalid, "a blob's name is 64 hex digits"};
    ASSIGN_OR_RETURN(std::string bytes, ReadWholeFile(disk_, blobs_ + sha256, kShelfBlobBytesMax));
    if (HexEncode(seal::Sha256(bytes)) == sha256) return bytes;
    return Error{Code::kCorrupt, blobs_ + sha256 + " is not what its name says"};
  }

  Status InstallInto(const Paths& environment, const std::string& id) override {
    ASSIGN_OR_RETURN(const Components components, Manifest(id));
    const std::string folder = environment.releases() + "/" + id;
    for (const std::string& path :
         {folder, environment.contracts(), environment.data() + "/engines"}) {
      RETURN_IF_ERROR(disk_.MakeFolders(path, kFolderMode));
    }
    for (const auto& [name, digest] : components) {
      std::string path;
      if (name == "contract") path = environment.contracts() + "/" + digest + ".desc";
      if (name == "engine") path = environment.data() + "/engines/" + digest;
      if (name == "rules") path = folder + "/rules.yaml";
      if (path.empty() || (name != "rules" && disk_.Exists(path))) continue;
      ASSIGN_OR_RETURN(const std::string bytes, GetBlob(digest));
      RETURN_IF_ERROR(
          WriteFileDurably(disk_, path, bytes, name == "engine" ? kProgramMode : kFileMode));
    }
    // Last: a release that can be found is whole.
    ASSIGN_OR_RETURN(const std::string manifest,
                     ReadWholeFile(disk_, releases_ + id + "/manifest.json"));
    return WriteFileDurably(disk_, folder + "/manifest.json", manifest, kFileMode);
  }

 private:
  Result<Components> Manifest(const std::string& id) {
    if (!IsSha256Hex(id)) return Error{Code::kInvalid, "a release id is 64 lower-case hex digits"};
    ASSIGN_OR_RETURN(const std::string manifest,
                     ReadWholeFile(disk_, releases_ + id + "/manifest.json"));
    if (ReleaseId(manifest) != id) {
      return Error{Code::kCorrupt, "the manifest of release " + id + " was changed"};
    }
    return ParseManifest(manifest);
  }

  Disk& disk_;
  const std::string releases_;
  const std::string blobs_;
};

}  // namespace

std::unique_ptr<ReleaseShelf> MakeFolderShelf(Disk& disk, const Paths& paths) {
  return std::make_unique<FolderShelf>(disk, paths);
}

}  // namespace telltale::control
