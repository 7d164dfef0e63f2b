#include "registry/references.h"

#include <algorithm>
#include <string>

#include "base/bytes.h"
#include "seal/seal.h"

namespace telltale::registry {

Reference RandomReferences::Draw(std::string_view, std::uint32_t) {
  Reference drawn;
  random_.Fill(drawn.vehicle_ref.bytes);
  drawn.odometer_offset_km = static_cast<double>(random_.Below(kOdometerOffsetMaxM + 1)) / 1000.0;
  return drawn;
}

SeededReferences::SeededReferences(std::uint64_t seed) {
  std::string text = "telltale demo reference v1";
  text.push_back('\0');
  PutLe(text, seed);
  key_ = seal::Sha256(text);
}

Reference SeededReferences::Draw(std::string_view vin, std::uint32_t ownership_epoch) {
  std::string message = key_;
  PutBlob(message, vin);
  PutLe(message, ownership_epoch);
  const std::string hash = seal::Sha256(key_ + seal::Sha256(message));
  Reference drawn;
  std::copy_n(hash.begin(), drawn.vehicle_ref.bytes.size(), drawn.vehicle_ref.bytes.begin());
  const auto draw = GetLe<std::uint64_t>(hash.data() + 16);
  drawn.odometer_offset_km = static_cast<double>(draw % (kOdometerOffsetMaxM + 1)) / 1000.0;
  return drawn;
}

}  // namespace telltale::registry
