// Who may publish: per partition one release, under a rising authority epoch, from an input offset.
#pragma once

#include <cstdint>
#include <string>

#include "base/ids.h"
#include "base/result.h"

namespace telltale::publish {

struct Authority {
  AuthorityEpoch epoch;
  std::string release;  // 64 hex digits
  Offset first;         // F: nothing of lower input offsets is published under it
  friend bool operator==(const Authority&, const Authority&) = default;
};

// First start: epoch 1, `release`, F = 0 for each partition of the installation in `dir`, in one
// transaction. Does nothing when any authority is there already, whichever release has it.
//   kInvalid      `release` is not 64 lower-case hex digits
//   kUnavailable  the disk failed or another process holds the store for too long
Status InstallFirstAuthority(const std::string& dir, const std::string& release,
                             std::uint16_t partitions);

}  // namespace telltale::publish
