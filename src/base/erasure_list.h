// Which vehicles were erased (docs/formats/erasure-list.md): SHA-256 of their references, so that
// the list itself names nobody. Whoever reads records of vehicles asks it and leaves theirs out, so
// that no replay, restart or repair brings an erased vehicle back.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>

#include "base/disk.h"
#include "base/ids.h"

namespace telltale {

using ErasureTag = std::array<std::uint8_t, 32>;
ErasureTag ErasureTagOf(const VehicleRef& ref);

inline constexpr std::uint64_t kErasureListBytesMax = 1u << 30;  // about 16 million entries

// Reads the list and what is added to it. One thread.
class ErasureList {
 public:
  // `disk` must outlive it. No file means that nobody was erased.
  ErasureList(Disk& disk, std::string path) : disk_(&disk), path_(std::move(path)) {}

  // Takes what was added since the last call; true when anything was. Costs an open and a size when
  // nothing was. On an error what was known stays known.
  //   kCorrupt  a whole line that is none of a list, or the list became shorter: somebody may be
  //             missing from it
  //   kTooBig, kUnavailable
  Result<bool> Refresh();

  bool Contains(const VehicleRef& ref) const {
    return !tags_.empty() && tags_.contains(ErasureTagOf(ref));
  }
  bool empty() const { return tags_.empty(); }
  std::size_t size() const { return tags_.size(); }

 private:
  struct TagHash {
    std::size_t operator()(const ErasureTag& tag) const noexcept;
  };

  Disk* disk_;
  std::string path_;
  std::uint64_t read_to_ = 0;  // the end of the last whole line
  std::unordered_set<ErasureTag, TagHash> tags_;
};

// Adds `ref` unless it is there; durable when this returns. True: it was not there. The list is
// replaced whole, so nobody sees half a line. One process at a time: the caller holds a lock.
//   as ErasureList::Refresh, and kOverloaded on a full disk
Result<bool> AppendErasure(Disk& disk, const std::string& path, const VehicleRef& ref);

}  // namespace telltale
