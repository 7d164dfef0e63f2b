// What was paired and driven, as evidence. Pure; any thread.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "gate/comparison.h"
#include "gate/evidence.h"
#include "gate/ingest.h"

namespace telltale::gate {

// In log time a release that is further behind the other than this is silent for its vehicles.
inline constexpr Micros kSilentAfter = Micros::Seconds(120);

struct TallyInput {
  const Comparison& comparison;
  const Ingest& ingest;
  std::vector<std::string> rules = {};  // of both releases, also those that never fired
  std::string rules_digest = {};        // the component that they are judged for
  bool is_silence_known = true;  // the journals are open for long enough to have heard a mark
  std::int64_t settle_driving_us = 0;
  std::function<std::string(const VehicleRef&)> model_of = {};
};

// exposure, paired, arms, and the sources ingest, stable_journal and candidate_journal. A source is
// left out when it cannot be followed, or when not all of it was counted: that is a HOLD.
void FillTally(const TallyInput& input, Evidence& evidence);

}  // namespace telltale::gate
