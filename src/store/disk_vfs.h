// SQLite on a Disk, so that databases meet the same power cuts and failing disks as all other files
// do: for tests and simulation. Programs let SQLite use the operating system.
//
// WAL runs as it does there: what connections share (SQLite's wal-index) is memory of this object
// and gone when the last of them closes, as it is after a power cut. Locks are among the
// connections of this object only. Scratch files, which no one reads again, are the operating
// system's.
#pragma once

#include <memory>
#include <string>

#include "base/disk.h"

namespace telltale::store {

// Any thread; connections as in sqlite.h. No Database on it may outlive it. After a simulated power
// cut, those of the life before are closed before any is opened.
class DiskVfs {
 public:
  explicit DiskVfs(Disk& disk);  // `disk` must outlive it
  ~DiskVfs();
  DiskVfs(const DiskVfs&) = delete;
  DiskVfs& operator=(const DiskVfs&) = delete;

  Disk& disk() const;
  const std::string& name() const;  // as sqlite3_open_v2 takes it

  struct Core;

 private:
  std::unique_ptr<Core> core_;
};

}  // namespace telltale::store
