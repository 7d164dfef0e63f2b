// Releases as they lie in the folders of control, whoever signed them: tests need no keys.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>

#include "base/sha256.h"
#include "control/json_reader.h"
#include "control/release.h"
#include "control/release_shelf.h"
#include "seal/seal.h"

namespace telltale::control {

class FolderShelf final : public ReleaseShelf {
 public:
  FolderShelf(Disk& disk, const Paths& paths)
      : disk_(disk),
        releases_(paths.data() + "/control/releases/"),
        blobs_(paths.data() + "/control/blobs/") {}

  Result<nlohmann::json> List() override {
    nlohmann::json items = nlohmann::json::array();
    const auto names = disk_.List(releases_);
    if (!names.ok() && names.error().code == Code::kNotFound) return items;
    if (!names.ok()) return names.error();
    for (const std::string& id : *names) {
      if (!IsSha256Hex(id)) continue;
      ASSIGN_OR_RETURN(nlohmann::json release, Get(id));
      items.push_back(std::move(release));
    }
    return items;
  }

  Result<nlohmann::json> Get(const std::string& id) override {
    ASSIGN_OR_RETURN(const Components components, Manifest(id));
    nlohmann::json declared = nlohmann::json::array();
    const auto bytes = ReadWholeFile(disk_, releases_ + id + "/declared.json");
    if (bytes.ok()) {
      declared = nlohmann::json::parse(*bytes, nullptr, /*allow_exceptions=*/false);
      if (declared.is_discarded()) declared = nlohmann::json::array();
    }
    return nlohmann::json{{"id", id},
                          {"components", components},
                          {"declared", std::move(declared)},
                          {"built_at", ""},
                          {"signed_by", ""}};
  }

  Result<nlohmann::json> Diff(const std::string& from, const std::string& to) override {
    ASSIGN_OR_RETURN(const Components before, Manifest(from));
    ASSIGN_OR_RETURN(const Components after, Manifest(to));
    nlohmann::json changed = nlohmann::json::array();
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
    // No rule of these releases reads a field of their contracts.
    const bool is_safety = digest(before, "rules") != digest(after, "rules") ||
                           digest(before, "engine") != digest(after, "engine");
    return nlohmann::json{{"from", from},
                          {"to", to},
                          {"components", std::move(changed)},
                          {"dual_run", {{"safety", is_safety}}}};
  }

  Result<nlohmann::json> Put(const std::string& id, const nlohmann::json& body) override {
    JsonReader read(body, "release");
    const std::string manifest = read.Text("manifest", std::nullopt, 1u << 20);
    const std::string signature = read.Text("signature", "", 1u << 20);
    const nlohmann::json declared = read.List("declared", 1000);
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
    ASSIGN_OR_RETURN(std::string bytes, ReadWholeFile(disk_, blobs_ + sha256, (1u << 30)));
    if (HexEncode(seal::Sha256(bytes)) == sha256) return bytes;
    return Error{Code::kCorrupt, blobs_ + sha256 + " is not what its name says"};
  }

  Status InstallInto(const Paths& environment, const std::string& id) override {
    ASSIGN_OR_RETURN(const Components components, Manifest(id));
    const std::string folder = environment.releases() + "/" + id;
    for (const std::string& path :
         {folder, environment.contracts(), environment.data() + "/engines"}) {
      RETURN_IF_ERROR(disk_.MakeFolders(path, 0755));
    }
    for (const auto& [name, digest] : components) {
      std::string path;
      if (name == "contract") path = environment.contracts() + "/" + digest + ".desc";
      if (name == "engine") path = environment.data() + "/engines/" + digest;
      if (name == "rules") path = folder + "/rules.yaml";
      if (path.empty() || (name != "rules" && disk_.Exists(path))) continue;
      ASSIGN_OR_RETURN(const std::string bytes, GetBlob(digest));
      RETURN_IF_ERROR(WriteFileDurably(disk_, path, bytes, name == "engine" ? 0755 : 0644));
    }
    // Last: a release that can be found is whole.
    ASSIGN_OR_RETURN(const std::string manifest,
                     ReadWholeFile(disk_, releases_ + id + "/manifest.json"));
    return WriteFileDurably(disk_, folder + "/manifest.json", manifest, 0644);
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

inline std::unique_ptr<ReleaseShelf> MakeFolderShelf(Disk& disk, const Paths& paths) {
  return std::make_unique<FolderShelf>(disk, paths);
}

}  // namespace telltale::control
