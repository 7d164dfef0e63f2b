// Bytes as what a shadow run is asked for: refused, or lots and ids as the format says.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "lake/shadow_run.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto run = telltale::lake::ParseShadowRun(text);
  if (!run.ok()) return 0;
  CHECK(run->release.size() == 64 && run->contract.size() == 64);
  CHECK(run->lots >= 1 && run->lots <= telltale::kLots);
  for (const auto& vehicle : run->order.never) {
    CHECK(run->Has(vehicle) == (run->lots == telltale::kLots));
  }
  return 0;
}
