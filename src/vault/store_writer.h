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
  SegmentRecord committed;         // bytes and frames as in the catalogue
  SegmentRecord next;              // with what is in the buffer
  std::string buffer;              // frames since the last commit
  std::vector<FrameSpan> pending;  // to be found after the commit
  std::unique_ptr<File> file;      // null: not made yet, or closed to save handles
  Micros written_at;               // monotonic
};

}  // namespace telltale::vault
