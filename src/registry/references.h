// Where vehicle references come from: chance, or a seed in a demonstration.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/ids.h"
#include "base/random.h"

namespace telltale::registry {

inline constexpr std::uint64_t kOdometerOffsetMaxM = 1'000'000'000;  // 1,000,000 km in metres

struct Reference {
  VehicleRef vehicle_ref;
  double odometer_offset_km = 0;  // 0 - 1,000,000, in steps of a metre
};

class ReferenceSource {
 public:
  virtual ~ReferenceSource() = default;
  virtual Reference Draw(std::string_view vin, std::uint32_t ownership_epoch) = 0;
};

// For real vehicles: says nothing about the VIN. `random` must outlive it.
class RandomReferences final : public ReferenceSource {
 public:
  explicit RandomReferences(Random& random) : random_(random) {}
  Reference Draw(std::string_view vin, std::uint32_t ownership_epoch) override;

 private:
  Random& random_;
};

// For demonstrations only: the same seed, VIN and epoch give the same reference, whatever the order
// vehicles come in (docs/formats/registry-db.md).
class SeededReferences final : public ReferenceSource {
 public:
  explicit SeededReferences(std::uint64_t seed);
  Reference Draw(std::string_view vin, std::uint32_t ownership_epoch) override;

 private:
  std::string key_;
};

}  // namespace telltale::registry
