// The files of one copy of the key tree. Only sealed bytes pass through here.
#pragma once

#include <set>
#include <string>

#include "base/disk.h"

namespace telltale::vault {

// Owner thread.
class TreeFolder {
 public:
  static constexpr std::string_view kRootName = "root";
  // There while the first root is being made: root keys of then belong to nothing.
  static constexpr std::string_view kCreatingName = "creating";
  // Room that is given up when the disk is full, so that a destruction can still write.
  static constexpr std::string_view kReserveName = "reserve";

  TreeFolder(Disk& disk, std::string path) : disk_(disk), path_(std::move(path)) {}

  Status Make() { return disk_.MakeFolders(path_, 0700); }
  Result<std::string> Read(std::string_view name, std::uint64_t bytes_max) const {
    return ReadWholeFile(disk_, PathOf(name), bytes_max);
  }
  bool Has(std::string_view name) const { return disk_.Exists(PathOf(name)); }
  // Whole under its name or not at all; durable after Sync().
  Status Put(const std::string& name, std::string_view bytes);
  // Durable on return.
  Status PutRoot(std::string_view bytes);
  Status Sync() { return disk_.SyncFolder(path_); }
  Status Remove(std::string_view name);
  // Removes page files other than `kept`, and what an interrupted writing left. Each is tried
  // whatever the one before said.
  Status RemoveOthers(const std::set<std::string>& kept);
  // Preallocates the reserve unless it is there.
  Status KeepReserve(std::uint64_t bytes);
  // Whether there was one to give up.
  bool GiveUpReserve();

  std::string PathOf(std::string_view name) const { return path_ + "/" + std::string(name); }
  const std::string& path() const { return path_; }

 private:
  Disk& disk_;
  std::string path_;
};

// The first error of several steps, each of which is tried.
inline void Keep(Status& first, const Status& step) {
  if (first.ok() && !step.ok()) first = step;
}

}  // namespace telltale::vault
