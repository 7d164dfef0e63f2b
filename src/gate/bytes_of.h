// Small pieces of the gate's state (docs/formats/gate-state.md), for its parts.
#pragma once

#include <algorithm>
#include <string>

#include "base/bytes.h"
#include "base/ids.h"

namespace telltale::gate {

inline void PutRef(std::string& out, const VehicleRef& ref) { out.append(AsText(ref.bytes)); }
inline VehicleRef GetRef(ByteReader& in) {
  VehicleRef ref;
  const ByteSpan bytes = in.Take(ref.bytes.size());
  if (in.ok()) std::copy(bytes.begin(), bytes.end(), ref.bytes.begin());
  return ref;
}
inline std::string GetText(ByteReader& in) { return std::string(AsText(in.TakeBlob())); }
// How many follow, of at least `bytes_min` each; 0, and nothing can be read any more, when that
// cannot be.
inline std::uint32_t GetCount(ByteReader& in, std::size_t bytes_min) {
  const auto count = in.Get<std::uint32_t>();
  if (in.ok() && count <= in.remaining() / bytes_min) return count;
  in.Take(in.remaining() + 1);
  return 0;
}

}  // namespace telltale::gate
