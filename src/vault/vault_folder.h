// Everything in the vault's folder, opened in its order: root keys, key tree, ledger, store.
#pragma once

#include <memory>
#include <string>

#include "vault/store.h"

namespace telltale::vault {

struct VaultFolderOptions {
  std::string dir;  // the vault's folder
  Windows windows;
  std::uint16_t partitions = kPartitionsDefault;
  std::vector<std::string> replicas;    // folders on other disks that the key tree is kept in too
  const store::DiskVfs* vfs = nullptr;  // null: the operating system's disk
};

class VaultFolder {
 public:
  // `provider` null: files below <dir>/keys/root. Everything passed must outlive it. Takes over
  // keys of format 1. Errors of KeyTree::Open, PresenceLedger::Open and Store::Open.
  static Result<std::unique_ptr<VaultFolder>> Open(Disk& disk, Clock& clock, Random& random,
                                                   Counters& counters,
                                                   std::unique_ptr<KeyProvider> provider,
                                                   VaultFolderOptions options);

  Store& store() { return *store_; }
  KeyTree& keys() { return *keys_; }
  PresenceLedger& ledger() { return *ledger_; }
  KeyProvider& provider() { return *provider_; }

 private:
  VaultFolder() = default;
  std::unique_ptr<KeyProvider> provider_;
  std::unique_ptr<KeyTree> keys_;
  std::unique_ptr<PresenceLedger> ledger_;
  std::unique_ptr<Store> store_;
};

}  // namespace telltale::vault
