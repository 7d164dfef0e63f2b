// What access/ needs of the key tree: tags of vehicles in the audit log, keys of kept answers.
#pragma once

#include "vault/access/door.h"
#include "vault/keys/key_tree.h"
#include "vault/owner_tasks.h"

namespace telltale::vault {

// The tag's key derives from the vehicle's, so that nobody can make it again after an erasure. Any
// thread.
class TreeTags final : public VehicleTags {
 public:
  explicit TreeTags(const KeyTree& keys) : keys_(keys) {}
  Result<std::string> Tag(const VehicleRef& vehicle, std::string_view salt) override;

 private:
  const KeyTree& keys_;
};

// Any thread; keys are made on the owner's.
class TreeExportKeys final : public ExportKeys {
 public:
  TreeExportKeys(KeyTree& keys, OwnerTasks& tasks) : keys_(keys), tasks_(tasks) {}
  Status EnsureHour(Hour dies_at) override;
  Status CopyHour(Hour dies_at, seal::SecretKey& key) override;

 private:
  KeyTree& keys_;
  OwnerTasks& tasks_;
};

}  // namespace telltale::vault
