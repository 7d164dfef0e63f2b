// Releases as the control plane needs them. The store itself is behind this seam.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/config.h"
#include "base/disk.h"
#include "base/result.h"
#include "control/release_build.h"

namespace telltale::control {

class ReleaseShelf {
 public:
  virtual ~ReleaseShelf() = default;

  // Release objects of docs/control.md, without `state`, which is the plane's.
  virtual Result<nlohmann::json> List() = 0;                      // an array
  virtual Result<nlohmann::json> Get(const std::string& id) = 0;  // kNotFound
  virtual Result<nlohmann::json> Diff(const std::string& from, const std::string& to) = 0;
  // `body`: {"manifest", "signature", "declared", …}. Its blobs are there. Again: fine.
  virtual Result<nlohmann::json> Put(const std::string& id, const nlohmann::json& body) = 0;
  // kInvalid  the bytes are not what `sha256` says
  virtual Status PutBlob(const std::string& sha256, std::string_view bytes) = 0;
  virtual Result<std::string> GetBlob(const std::string& sha256) = 0;

  // Everything that an installation needs to run it: data/releases/<id>, data/contracts,
  // data/engines. Again: fine.
  virtual Status InstallInto(const Paths& environment, const std::string& id) = 0;
};

// The store of releases (release_store.h): signed ones alone. Without `check_rules` the rules are
// not read. `disk` must outlive it.
std::unique_ptr<ReleaseShelf> MakeStoreShelf(Disk& disk, const Paths& paths,
                                             RulesCheck check_rules = nullptr);

}  // namespace telltale::control
