// The disk seam. Everything durable goes through it, so that a test can drop, tear and refuse
// writes. PosixDisk is the real one; SimDisk (sim_disk.h) loses what was not synced.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace telltale {

// One open file. One thread at a time, except ReadAt which any thread may call beside a writer.
// Errors: kUnavailable on any I/O error (the message names path and errno); kOverloaded when the
// disk is full.
class File {
 public:
  virtual ~File() = default;
  // Reads up to out.size() bytes; fewer only at the end of the file.
  virtual Result<std::size_t> ReadAt(std::uint64_t at, std::span<std::uint8_t> out) const = 0;
  virtual Status WriteAt(std::uint64_t at, ByteSpan bytes) = 0;
  // Data and what is needed to find it (fdatasync).
  virtual Status Sync() = 0;
  virtual Result<std::uint64_t> Size() const = 0;
  virtual Status Truncate(std::uint64_t size) = 0;
  // Reserves space so that later writes below `size` cannot meet a full disk; reads give zeros.
  virtual Status Preallocate(std::uint64_t size) = 0;
};

enum class OpenMode {
  kRead,         // must exist
  kReadWrite,    // must exist
  kCreate,       // must not exist
  kCreateOrOpen  // either
};

class Disk {
 public:
  virtual ~Disk() = default;
  //   kNotFound, kExists by mode; kUnavailable otherwise
  virtual Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode,
                                             std::uint32_t permissions = 0640) = 0;
  // Names (not paths) of the entries, sorted. kNotFound when there is no such folder.
  virtual Result<std::vector<std::string>> List(const std::string& folder) = 0;
  virtual bool Exists(const std::string& path) = 0;
  // Makes parents too; an existing folder is fine.
  virtual Status MakeFolders(const std::string& folder, std::uint32_t permissions = 0750) = 0;
  virtual Status Rename(const std::string& from, const std::string& to) = 0;
  virtual Status Remove(const std::string& path) = 0;
  // Makes creations, renames and removals inside `folder` survive a power cut.
  virtual Status SyncFolder(const std::string& folder) = 0;
};

class PosixDisk final : public Disk {
 public:
  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode,
                                     std::uint32_t permissions) override;
  Result<std::vector<std::string>> List(const std::string& folder) override;
  bool Exists(const std::string& path) override;
  Status MakeFolders(const std::string& folder, std::uint32_t permissions) override;
  Status Rename(const std::string& from, const std::string& to) override;
  Status Remove(const std::string& path) override;
  Status SyncFolder(const std::string& folder) override;
};

// Whole file in memory; kTooBig over `bytes_max`.
Result<std::string> ReadWholeFile(Disk& disk, const std::string& path,
                                  std::uint64_t bytes_max = 64u << 20);
// The new content or the old, never a mix: temporary file, sync, rename, folder sync.
Status WriteFileDurably(Disk& disk, const std::string& path, std::string_view content,
                        std::uint32_t permissions = 0640);
std::string ParentFolder(const std::string& path);

}  // namespace telltale
