// From a folder with sources to a release, and to the folder that `telltale release push` reads.
// The same sources always give the same release. Any thread.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/disk.h"
#include "base/result.h"
#include "contract/contract.h"
#include "control/release_bundle.h"

namespace telltale::control {

inline constexpr std::uint64_t kBlobBytesMax = 256u << 20;
inline constexpr std::size_t kFeaturesMax = 64;

// Whether rules can run with a contract: safety/ knows, and app/ brings it along (siblings).
using RulesCheck =
    std::function<Status(std::string_view rules, const contract::Contract& contract)>;

// The sources' folder: release.yaml, rules.yaml, and what is to be other than shipped:
// contract.desc, features/*.sql.
struct BuildSources {
  std::string folder;
  std::string contract_descriptor;  // taken where the folder has no contract.desc
  std::string features;             // folder; taken where the folder has no features/
  std::string engine;               // telltale-worker
};

// What a release is, in memory. `blobs` has each component's bytes and each feature's by digest.
struct ReleaseContent {
  ReleaseBundle bundle;
  Components components;
  Declaration declaration;
  std::map<std::string, std::string> blobs;
  std::map<std::string, std::string> features;  // name -> digest

  std::string id() const { return bundle.id(); }
  // Of "contract", "rules", "engine", "transforms", "features"; nullptr: it has none, or the bytes
  // are not at hand.
  const std::string* Find(const std::string& component) const;
};

// Not signed. Messages name the file.
//   kNotFound  no release.yaml or rules.yaml, or a file that is to be taken instead
//   kInvalid   something in them is wrong; a file in the folder that no release has
//   kTooBig    over a limit
Result<ReleaseContent> BuildRelease(Disk& disk, const BuildSources& sources,
                                    const RulesCheck& check_rules);

// FOLDER/{manifest.json,declared.json,signature}, FOLDER/blobs/<sha256>.
Status WriteReleaseFolder(Disk& disk, const std::string& folder, const ReleaseContent& content);
// Every byte checked against the manifest.
//   kNotFound  no release there; kCorrupt  a byte was changed or a file is missing
Result<ReleaseContent> ReadReleaseFolder(Disk& disk, const std::string& folder);

// Whether the parts fit together: contract and rules load, `transforms` is what the contract says,
// what is declared is there. Whoever takes in a release asks.
Status CheckContent(const ReleaseContent& content, const RulesCheck& check_rules);

// Canonical list of features (the component `features`), and back.
std::string FeaturesListing(const std::map<std::string, std::string>& features);
//   kCorrupt
Result<std::map<std::string, std::string>> ParseFeatures(std::string_view listing);

// Digests that a release's manifest and feature list want.
using BlobOf = std::function<Result<std::string>(const std::string& digest)>;
// Reads all blobs of `bundle` through `blob_of`; those of `optional` components may be missing.
Result<ReleaseContent> GatherContent(ReleaseBundle bundle, const BlobOf& blob_of,
                                     const std::string& optional = "");

}  // namespace telltale::control
