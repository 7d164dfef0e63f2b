// What the lake found of a candidate, in short: out of the reports in data/lake/shadow
// (docs/formats/shadow-report.md). No vehicle is named in it. docs/control.md has the JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/disk.h"

namespace telltale::app {

// For a rollout of `release`, whose cohort has this salt; without one any report of the release is
// taken.
struct LakeQuestion {
  std::string release = {};
  std::string salt = {};
};

// {"features", "telemetry"}; null: there is no such report. What cannot be read, or is another
// rollout's, is a verdict with its reason.
nlohmann::json LakeFindings(Disk& disk, const std::string& environment_dir,
                            const LakeQuestion& question);
// One of them, out of a report's text.
nlohmann::json LakeFinding(std::string_view report, const std::string& kind,
                           const LakeQuestion& question);

}  // namespace telltale::app
