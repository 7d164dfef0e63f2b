// A rollout (docs/decisions/0009-authority-by-lot.md) from and to the message of a config record:
// for its writer (control/) and for who obeys it (publish/). Needs the generated messages
// (contract_proto).
#pragma once

#include <string>

#include "base/clock.h"
#include "base/cohort.h"
#include "base/ids.h"
#include "base/result.h"
#include "contract/cohort_wire.h"
#include "internal/v1/internal.pb.h"

namespace telltale::contract {

// A second release over a share of the vehicles.
struct Rollout {
  std::string id = {};
  std::string candidate = {};        // release id: 64 hex digits
  std::string speaker = {};          // computes the safety path for it; "" = the candidate
  Cohort order = {};                 // gives lots; its share is not looked at
  std::uint32_t shadow_lots = 0;     // computed by the candidate
  std::uint32_t authority_lots = 0;  // spoken for by the candidate; at most shadow_lots
  Micros warm_up = {};               // log time
  ConfigSeq began = {};
  friend bool operator==(const Rollout&, const Rollout&) = default;
};

//   kInvalid  more authority than shadow, too many lots, a warm-up below 0, or the stable release
//             as its candidate
inline Status CheckRollout(const Rollout& rollout, const std::string& stable_release) {
  if (rollout.authority_lots > rollout.shadow_lots || rollout.shadow_lots > kLots) {
    return Error{Code::kInvalid,
                 "a rollout has at most 10,002 lots, and no more authority than shadow"};
  }
  if (rollout.warm_up < Micros{0}) {
    return Error{Code::kInvalid, "warm_up_us must not be negative"};
  }
  if (rollout.candidate == stable_release) {
    return Error{Code::kInvalid, "the stable release is no candidate"};
  }
  return Ok();
}

inline void SetRollout(const Rollout& in, internal::v1::Rollout& out) {
  out.set_id(in.id);
  out.set_candidate(in.candidate);
  SetCohort(in.order, *out.mutable_order());
  out.set_shadow_lots(in.shadow_lots);
  out.set_authority_lots(in.authority_lots);
  out.set_warm_up_us(in.warm_up.value);
  out.set_began_config_seq(in.began.value);
}

// As it is: CheckRollout() says whether it can be. The message does not name a speaker: where it
// stands in the config record does.
inline Rollout RolloutOf(const internal::v1::Rollout& in) {
  return {.id = in.id(),
          .candidate = in.candidate(),
          .order = CohortOf(in.order()),
          .shadow_lots = in.shadow_lots(),
          .authority_lots = in.authority_lots(),
          .warm_up = Micros{in.warm_up_us()},
          .began = ConfigSeq{in.began_config_seq()}};
}

}  // namespace telltale::contract
