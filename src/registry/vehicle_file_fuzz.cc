// Whatever the bytes: an answer, and every entry of an accepted file keeps the stated rules.
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "registry/vehicle_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace telltale;
  const auto entries = registry::ParseVehicleFile(AsText({data, size}));
  if (!entries.ok()) {
    CHECK(entries.error().code == Code::kInvalid);
    return 0;
  }
  for (const auto& entry : *entries) {
    CHECK(registry::IsVin(entry.vin) && registry::IsModel(entry.model));
    CHECK(registry::IsFuel(entry.fuel) && entry.ownership_epoch > 0);
  }
  return 0;
}
