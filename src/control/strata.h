// Who a cohort would take, counted by what vehicles are.
#pragma once

#include <nlohmann/json.hpp>

#include "base/cohort.h"
#include "base/result.h"

namespace telltale::control {

// `vehicles`: [{"vehicle_ref" (32 hex), "model", "vehicle_class", "firmware"}]; what is missing is
// "", and what is missing of all is no stratum. The answer is `vehicles`, `strata` and
// `never_covered` of docs/control.md's preview. Strata that `order.never` leaves out whole are
// never covered.
//   kInvalid  a vehicle without a reference
Result<nlohmann::json> StrataOf(const nlohmann::json& vehicles, const Cohort& order);

}  // namespace telltale::control
