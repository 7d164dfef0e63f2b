#include "vault/vault_folder.h"

#include "vault/keys/file_provider.h"
#include "vault/keys/import_hours.h"

namespace telltale::vault {

Result<std::unique_ptr<VaultFolder>> VaultFolder::Open(Disk& disk, Clock& clock, Random& random,
                                                       Counters& counters,
                                                       std::unique_ptr<KeyProvider> provider,
                                                       VaultFolderOptions options) {
  std::unique_ptr<VaultFolder> folder(new VaultFolder());
  const std::string keys = options.dir + "/keys";
  folder->provider_ = std::move(provider);
  if (folder->provider_ == nullptr) {
    ASSIGN_OR_RETURN(folder->provider_, FileProvider::Open(disk, keys + "/root", random));
  }
  ASSIGN_OR_RETURN(folder->keys_, KeyTree::Open(disk, random, *folder->provider_, counters,
                                                {keys + "/tree", options.replicas}));
  ASSIGN_OR_RETURN(const ImportedHours imported,
                   ImportHourKeys(disk, keys + "/hours", *folder->keys_));
  counters.Get("keys_damaged").Add(imported.damaged);
  ASSIGN_OR_RETURN(folder->ledger_,
                   PresenceLedger::Open(disk, clock.NowUtc(), {.folder = options.dir + "/ledger"}));
  StoreOptions store;
  store.dir = std::move(options.dir);
  store.windows = options.windows;
  store.partitions = options.partitions;
  store.vfs = options.vfs;
  store.provider = folder->provider_->name();
  store.proof = folder->provider_->proof();
  ASSIGN_OR_RETURN(folder->store_, Store::Open(disk, clock, random, counters, *folder->keys_,
                                               *folder->ledger_, std::move(store)));
  return folder;
}

}  // namespace telltale::vault
