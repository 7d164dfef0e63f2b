// The vehicles of an environment, as control counts a cohort's strata by.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"

namespace telltale::app {

// [{"vehicle_ref" (32 hex), "model", "vehicle_class"}] of the installation in `dir`, from its
// running registry; no VIN leaves it. The firmware is the cars' own word and in no register: it is
// left out.
//   kUnavailable  the registry does not run, or does not answer
Result<nlohmann::json> VehiclesOfEnvironment(const std::string& dir);

}  // namespace telltale::app
