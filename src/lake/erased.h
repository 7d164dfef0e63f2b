// Vehicles that were erased: data/erased/list, a line of 64 hexadecimal digits each, the SHA-256 of
// the reference's 16 bytes (docs/formats/erasure-list.md). Lines are only ever added.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_set>

#include "base/disk.h"
#include "base/ids.h"

namespace telltale::lake {

class Erased {
 public:
  explicit Erased(std::string path) : path_(std::move(path)) {}

  // Looks at the list again; true when it is longer than before. No list: nobody is erased.
  //   kCorrupt  not such lines, or shorter than before: nothing may be read on
  //   kUnavailable  the disk
  Result<bool> Refresh(Disk& disk);

  bool Has(VehicleRef vehicle) const { return !tags_.empty() && tags_.contains(TagOf(vehicle)); }
  std::uint64_t lines() const { return lines_; }

  static std::string TagOf(VehicleRef vehicle);  // 64 digits

 private:
  std::string path_;
  std::uint64_t bytes_ = 0;  // of the list as it was read
  std::uint64_t lines_ = 0;
  std::unordered_set<std::string> tags_;
};

}  // namespace telltale::lake
