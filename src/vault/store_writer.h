// A segment that this run is writing. Private to the store.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "vault/store.h"

namespace telltale::vault {

struct Store::Writer {
  std::shared_ptr<const SegmentFile> segment;
  FrameCipher cipher;
  SegmentRecord committed;  // number, hour, class; bytes and frames as in the state
  std::uint64_t next_frame = 0;
  std::string buffer;                                   // frames since the last commit
  std::vector<std::pair<FrameHead, FrameRef>> pending;  // to be found after the commit
  std::unique_ptr<File> file;  // null: not made yet, or closed to save handles
};

}  // namespace telltale::vault
