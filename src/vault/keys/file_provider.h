// Root keys as files on the vault's own disk. Who has an image of that disk from before a
// destruction has the keys too: every receipt says so.
#pragma once

#include "base/disk.h"
#include "base/random.h"
#include "vault/keys/provider.h"

namespace telltale::vault {

class FileProvider final : public KeyProvider {
 public:
  // `folder` (<vault>/keys/root) is made when absent. What an interrupted making or destruction
  // left is overwritten and removed.
  //   kUnavailable  disk
  static Result<std::unique_ptr<FileProvider>> Open(Disk& disk, std::string folder, Random& random);

  Result<std::string> Create() override;
  Result<std::string> Wrap(const std::string& id, const seal::SecretKey& plain,
                           std::string_view context) override;
  Status Unwrap(const std::string& id, std::string_view wrapped, std::string_view context,
                seal::SecretKey& plain) override;
  // Overwritten with zeros, synced, unlinked, folder synced; each is tried.
  Status Destroy(const std::string& id) override;
  Result<std::vector<std::string>> List() override;
  std::string_view name() const override { return "file"; }
  std::string_view proof() const override { return "not provable against a disk image"; }

 private:
  FileProvider(Disk& disk, std::string folder, Random& random)
      : disk_(disk), folder_(std::move(folder)), random_(random) {}
  std::string PathOf(std::string_view id) const;
  Status Load(const std::string& id, seal::SecretKey& key) const;
  Status FinishOld();

  Disk& disk_;
  const std::string folder_;
  Random& random_;
};

// Zeros over all of it, sync, unlink, folder sync: each step is tried whatever the one before said,
// for unlinking alone is still more than leaving a key. A file that is not there is fine.
Status OverwriteAndRemove(Disk& disk, const std::string& path);
bool IsAllZeros(std::string_view bytes);

}  // namespace telltale::vault
