#include "safety/release.h"
#include "base/sha256.h"

#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace telltale::safety {
namespace {

struct Components {
  std::string contract;
  std::string rules;
};

Result<Components> ReadManifest(const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return Error{Code::kInvalid, "the release's manifest is not JSON"};
  const auto at = json.find("components");
  const auto& components = at != json.end() && at->is_object() ? *at : json;
  Components out;
  for (const auto& [key, into] : {std::pair{"contract", &out.contract}, {"rules", &out.rules}}) {
    const auto entry = components.find(key);
    if (entry == components.end() || !entry->is_string() ||
        !IsSha256Hex(entry->get_ref<const std::string&>())) {
      return Error{Code::kInvalid,
                   std::string("the release's manifest has no digest of component ") + key};
    }
    *into = entry->get<std::string>();
  }
  return out;
}

// A file whose SHA-256 must be `digest`.
Result<std::string> ReadVerified(Disk& disk, const std::string& path, const std::string& digest) {
  ASSIGN_OR_RETURN(std::string bytes, ReadWholeFile(disk, path));
  if (Sha256Hex(bytes) != digest) {
    return Error{Code::kCorrupt, path + " is not the file that the release names"};
  }
  return bytes;
}

}  // namespace

std::string Sha256Hex(std::string_view text) {
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest{};
  const ByteSpan bytes = AsBytes(text);
  SHA256(bytes.data(), bytes.size(), digest.data());
  return HexEncode(digest);
}

Result<Release> LoadRelease(Disk& disk, const Paths& paths, const std::string& digest) {
  if (!IsSha256Hex(digest)) {
    return Error{Code::kInvalid, "a release is named by 64 lower-case hex digits"};
  }
  const std::string folder = paths.releases() + "/" + digest;
  ASSIGN_OR_RETURN(const std::string manifest,
                   ReadVerified(disk, folder + "/manifest.json", digest));
  ASSIGN_OR_RETURN(const Components components, ReadManifest(manifest));
  ASSIGN_OR_RETURN(const std::string rules,
                   ReadVerified(disk, folder + "/rules.yaml", components.rules));
  ASSIGN_OR_RETURN(const std::string descriptors,
                   ReadVerified(disk, paths.contracts() + "/" + components.contract + ".desc",
                                components.contract));
  Release release{.digest = digest, .contract = nullptr, .rules = {}};
  ASSIGN_OR_RETURN(release.contract, contract::Contract::FromDescriptorSet(descriptors));
  auto loaded = LoadRules(rules, *release.contract);
  if (!loaded.ok()) return Annotate(loaded.error(), "reading " + folder + "/rules.yaml");
  release.rules = std::move(loaded).value();
  return release;
}

}  // namespace telltale::safety
