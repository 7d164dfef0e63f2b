// control/ - releases and what is in force. First form: the one release that `telltale init` makes,
// and the first config record.
//   in      the shipped contract, rules and engine
//   out     data/releases/<id>, data/contracts/<digest>.desc, a signed config record to the log's
//           owner
//   owns    data/releases, data/contracts, data/control
//   thread  none of its own; calls belong to one thread at a time
//   not here: authority over partitions (publish/), appending to the log (gateway/)
#pragma once

#include <map>
#include <string>

#include "base/config.h"
#include "base/disk.h"
#include "base/result.h"

namespace telltale::control {

// Component name ("contract", "rules", "engine") to hex SHA-256 of its bytes.
using Components = std::map<std::string, std::string>;

// docs/formats/release-manifest.md: the same components always give the same bytes.
std::string CanonicalManifest(const Components& components);
//   kCorrupt      not a manifest
//   kUnsupported  a newer format
Result<Components> ParseManifest(std::string_view manifest);
// Hex SHA-256 of the manifest's bytes.
std::string ReleaseId(std::string_view manifest);

// Files a release is made of.
struct ReleaseFiles {
  std::string contract_descriptor;  // a FileDescriptorSet
  std::string rules;                // YAML
  std::string engine;               // the program telltale-worker
};

struct Release {
  std::string id;
  Components components;
};

// Copies contract and rules below `paths` and writes the manifest last, so that a release that can
// be found is whole. Doing it again is fine.
//   kNotFound  one of the files does not exist (the message names it)
//   kInvalid   the descriptor set is no contract
Result<Release> InstallRelease(Disk& disk, const ReleaseFiles& files, const Paths& paths);

// Checks every stored byte of it: manifest against id, files against manifest.
//   kNotFound  no such release; kCorrupt  a byte of it changed; kUnsupported  a newer format
Result<Release> LoadRelease(Disk& disk, const Paths& paths, const std::string& id);

// Hex SHA-256 of a file's bytes.
Result<std::string> DigestOfFile(Disk& disk, const std::string& path);

}  // namespace telltale::control
