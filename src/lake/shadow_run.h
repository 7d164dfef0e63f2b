// A candidate release's rows for the vehicles of its cohort: what `telltale-lake --shadow FOLDER`
// is asked for. Format: docs/formats/shadow-run.md.
#pragma once

#include <string>
#include <string_view>

#include "base/cohort.h"
#include "base/result.h"

namespace telltale::lake {

struct ShadowRun {
  std::string release;     // hex; stamped instead of the one in force
  std::string contract;    // hex; columns, ranges and conversions are this contract's
  Cohort order;            // gives lots; its share is not looked at
  std::uint32_t lots = 0;  // vehicles of lower lots, 1 to kLots

  bool Has(const VehicleRef& vehicle) const { return LotOf(order, vehicle) < lots; }
};

//   kInvalid      not such an object, or a member has no such value: it is named
//   kUnsupported  written for a newer reader
Result<ShadowRun> ParseShadowRun(std::string_view json);

}  // namespace telltale::lake
