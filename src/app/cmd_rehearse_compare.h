// What a release would have published against what was published: pure, for the report of
// `telltale rehearse` (docs/releases.md).
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "control/release_declared.h"

namespace telltale::app {

// One alert as its newest change tells it.
struct RehearsedAlert {
  std::string rule;
  std::string vehicle;  // 32 hex digits; never in a report
  std::uint64_t revision = 0;
  std::int64_t started_at_us = 0;
  std::int64_t ended_at_us = 0;   // 0 while open
  std::int64_t opened_at_us = 0;  // receipt of the report that opened it
  nlohmann::json payload;         // what two releases are compared by
};
using RehearsedAlerts = std::map<std::string, RehearsedAlert>;  // by output_id, hex

// Takes one change, in any order; `line` is as in docs/formats/feed.md. False: it is no such line.
bool TakeChange(const nlohmann::json& line, RehearsedAlerts& alerts);

enum class RuleVerdict {
  kSame,         // no difference
  kAsDeclared,   // as the release said
  kNoEvidence,   // something is declared, but nothing fired that could show it
  kNotDeclared,  // differs, and nothing was said of it
  kOutside,      // differs otherwise than was said
};
std::string_view RuleVerdictName(RuleVerdict verdict);  // "same", "as_declared", ...

struct RuleOutcome {
  std::string rule;
  std::uint64_t published = 0;
  std::uint64_t rehearsed = 0;
  std::uint64_t same = 0;
  std::uint64_t changed = 0;  // the same episode, told otherwise
  std::uint64_t missing = 0;  // published only
  std::uint64_t extra = 0;    // rehearsed only
  std::uint64_t vehicles_affected = 0;
  std::map<std::string, std::uint64_t> changed_keys;
  std::vector<std::string> examples;  // output ids, a few
  std::string declared;               // in words; "" = nothing
  RuleVerdict verdict = RuleVerdict::kSame;
  std::string says;  // one sentence

  bool passed() const { return verdict <= RuleVerdict::kNoEvidence; }
};

struct Rehearsed {
  std::vector<RuleOutcome> rules;  // by name
  std::uint64_t vehicles_affected = 0;

  bool passed() const;
};

// Alerts opened at or after `from_us` (receipt) are compared: by output_id; what is left over by
// rule and vehicle where the episodes overlap. Rules that are only declared are there too.
Rehearsed CompareAlerts(const RehearsedAlerts& published, const RehearsedAlerts& rehearsed,
                        std::int64_t from_us, const control::Declaration& declaration);

nlohmann::ordered_json ToJson(const Rehearsed& rehearsed);

}  // namespace telltale::app
