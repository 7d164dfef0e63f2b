// One owner of a folder at a time. The lock ends with the process, however that ends.
#pragma once

#include <memory>
#include <string>

#include "base/disk.h"

namespace telltale {

// Held while this object lives.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

// A Disk that is not the operating system's keeps its own locks.
class LockingDisk {
 public:
  virtual ~LockingDisk() = default;
  virtual Result<std::unique_ptr<FileLock>> TryLock(const std::string& path) = 0;
};

// Creates `path` if need be and takes it (flock). Any thread.
//   kUnavailable  held, by this or another process, or the disk failed
Result<std::unique_ptr<FileLock>> LockFile(Disk& disk, const std::string& path);

}  // namespace telltale
