// A disk in memory that behaves as badly as a real one may: for tests and simulation.
// Crash() keeps what was synced and, of everything else, a random part: each 512-byte sector by
// itself, some torn in the middle; unsynced creations, renames and removals up to a random one per
// folder. Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <set>

#include "base/disk.h"
#include "base/file_lock.h"
#include "base/mutex.h"

namespace telltale {

class SimDisk final : public Disk, public LockingDisk {
 public:
  SimDisk();
  ~SimDisk() override;

  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode,
                                     std::uint32_t permissions = 0640) override;
  Result<std::vector<std::string>> List(const std::string& folder) override;
  bool Exists(const std::string& path) override;
  Status MakeFolders(const std::string& folder, std::uint32_t permissions = 0750) override;
  Status Rename(const std::string& from, const std::string& to) override;
  Status Remove(const std::string& path) override;
  Status SyncFolder(const std::string& folder) override;
  Result<std::unique_ptr<FileLock>> TryLock(const std::string& path) override;

  // Power cut. Open files answer kUnavailable from now on; locks are free.
  void Crash(std::uint64_t seed);
  // Sum of the files' sizes; growing beyond gives kOverloaded, as a full disk does.
  void SetCapacity(std::uint64_t bytes);
  // The next `calls` that change anything succeed, then all fail (kUnavailable) until set again.
  void FailAfter(std::uint64_t calls);
  void FailNever();
  // After `calls` more syncs of files that succeed, one fails as kernels let it (kUnavailable):
  // what it was to write is read as if it were there, and no later sync writes it. Then all is
  // well.
  void LoseAtSync(std::uint64_t calls);
  // File::ReadAt answers kUnavailable while set.
  void FailReads(bool fail);
  // File::Sync blocks while paused. WaitForPausedSync returns when one does.
  void PauseSyncs();
  void ResumeSyncs();
  void WaitForPausedSync();

  std::uint64_t bytes_written() const;
  std::uint64_t syncs() const;  // of files

 private:
  friend class SimFile;
  friend class SimLock;
  struct Node;
  struct Change;
  struct Core;
  std::shared_ptr<Core> core_;  // files and locks outlive nothing: they share it
};

}  // namespace telltale
