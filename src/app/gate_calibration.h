// What `telltale gate calibration` tells, out of what an installation has kept. docs/gate.md.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/disk.h"
#include "gate/calibration.h"

namespace telltale::app {

// Of the answer to GET /v1/rollouts: those that are over and had a gate of kind evidence.
gate::LiveRollouts LiveRolloutsIn(const nlohmann::json& rollouts);

// For each rule that alerted, placebo cohorts of all registered vehicles:
// [{"rule","vehicles","vehicles_with_alerts","alerts","draws","halted","low","high"}].
//   kNotFound   the installation in `dir` has no registry or no alerts yet
//   errors of DatabaseCopy
Result<nlohmann::json> PlaceboRows(Disk& disk, const std::string& dir);

// {"live": {…}, "needed", "stands_for_it", "shipped": […], "placebo": […] or null,
// "placebo_words"}.
nlohmann::json CalibrationAnswer(const gate::LiveRollouts& live,
                                 const Result<nlohmann::json>& placebo);
// Lines of at most 100 columns.
std::string CalibrationWords(const nlohmann::json& answer);

}  // namespace telltale::app
