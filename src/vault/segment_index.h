// The index behind a finished segment's frames: which vehicle's frames lie where, sorted, found by
// a few reads of one block each. Bytes: docs/formats/vault-segment.md, "Index". No keys, no
// decisions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/disk.h"
#include "base/ids.h"

namespace telltale::vault {

inline constexpr std::size_t kIndexBlockBytes = 4096;

// Where one frame lies in its file.
struct FrameSpan {
  VehicleRef vehicle;
  std::uint64_t at = 0;
  std::uint32_t bytes = 0;
  std::uint32_t first_event_hour = 0;
  std::uint32_t last_event_hour = 0;

  bool Touches(std::int64_t first_hour, std::int64_t last_hour) const {
    return first_event_hour <= last_hour && last_event_hour >= first_hour;
  }
};

// The index as stored, of spans in any order. Empty spans give no bytes.
std::string EncodeIndex(std::vector<FrameSpan> spans);

// The vehicle's spans, in order of place. `index_at` and `index_bytes` from the catalogue.
//   kCorrupt      a block that was read fails its check: look at the frames' heads instead
//   kUnavailable  disk
Result<std::vector<FrameSpan>> FindInIndex(const File& file, std::uint64_t index_at,
                                           std::uint64_t index_bytes, const VehicleRef& vehicle);
// All of it. Errors as above.
Result<std::vector<FrameSpan>> ReadIndex(const File& file, std::uint64_t index_at,
                                         std::uint64_t index_bytes);

}  // namespace telltale::vault
