// What one release changes against another: rule by rule, field by field; and what therefore has to
// run twice in a rollout. Pure; any thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "control/release_build.h"
#include "control/release_text.h"

namespace telltale::control {

// Lines of an SQL text that came and went, as a summary.
struct FeatureChange {
  std::string name;
  ChangeKind change = ChangeKind::kChanged;
  std::size_t lines_added = 0;
  std::size_t lines_removed = 0;
};

// Whether the later contract may follow the earlier (docs/contract-check.md).
struct Compatibility {
  enum class Verdict { kSame, kAccepted, kRejected, kCouldNotJudge };
  Verdict verdict = Verdict::kSame;
  std::vector<std::string> findings;  // "REJECT field-removed telltale.v1.Report.x: effect"
};
std::string_view VerdictName(Compatibility::Verdict verdict);  // "same", "accepted", ...

// What both releases run for, for the vehicles of a rollout. All else is the same in both by
// construction, so one run does for both.
struct DualRun {
  bool safety = false;                // worker and journal
  bool telemetry = false;             // lake transforms
  std::vector<std::string> features;  // by name
  std::vector<std::string> because;   // one sentence each
};

struct ReleaseDiff {
  std::string before;
  std::string after;
  std::vector<std::string> changed;  // components whose digest differs
  std::vector<ItemChange> rules;
  std::vector<ItemChange> fields;
  std::vector<ItemChange> transforms;
  std::vector<FeatureChange> features;
  Compatibility compatibility;
  Declaration declaration;  // of the later one
  DualRun dual_run;
};

// Errors of RulesAsItems and FromDescriptorSet: contents that CheckContent() took have none.
Result<ReleaseDiff> DiffReleases(const ReleaseContent& before, const ReleaseContent& after);

// As `telltale release diff --json` and GET /v1/releases/A/diff/B give it (docs/releases.md).
nlohmann::json ToJson(const ReleaseDiff& diff);

}  // namespace telltale::control
