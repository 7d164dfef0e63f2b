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

inline constexpr std::uint64_t kErasureListBytesMax = 1u << 30;  // about 10 million entries

// Reads the list and what is added to it. One thread.
class ErasureList {
 public:
  // `disk` must outlive it. No file means that nobody was erased.
  ErasureList(Disk& disk, std::string path) : disk_(&disk), path_(std::move(path)) {}

  // Takes what was added since the last call; true when anything was. Costs an open and a size when
  // nothing was. On an error what was known stays known.
  //   kUnsupported  a newer list
  //   kCorrupt      not an erasure list
  //   kTooBig, kUnavailable
  Result<bool> Refresh();

  bool Contains(const VehicleRef& ref) const {
    return !tags_.empty() && tags_.contains(ErasureTagOf(ref));
  }
  bool has_head() const { return read_to_ > 0; }  // a list without one was never added to
  bool empty() const { return tags_.empty(); }
  std::size_t size() const { return tags_.size(); }
  // Whole lines that fail their check: torn by a power cut before anyone was told that they are
  // there, or damaged since, and then a vehicle is missing from the list.
  std::uint64_t damaged() const { return damaged_; }

 private:
  struct TagHash {
    std::size_t operator()(const ErasureTag& tag) const noexcept;
  };
  Status Take(std::string_view lines);

  Disk* disk_;
  std::string path_;
  std::uint64_t read_to_ = 0;  // the end of the last whole line
  std::uint64_t damaged_ = 0;
  std::unordered_set<ErasureTag, TagHash> tags_;
};

// Adds `ref` unless it is there; durable when this returns. True: it was not there. What a crash
// left behind the last whole line is cut off. One process at a time: the caller holds a lock.
//   as ErasureList::Refresh, and kOverloaded on a full disk
Result<bool> AppendErasure(Disk& disk, const std::string& path, const VehicleRef& ref, Micros now);

}  // namespace telltale
