// base/cohort.h from and to the message of a config record: for its writer (control/) and for
// everyone who reads one. Needs the generated messages (contract_proto).
#pragma once

#include <algorithm>

#include "base/bytes.h"
#include "base/cohort.h"
#include "internal/v1/internal.pb.h"

namespace telltale::contract {

inline void SetCohort(const Cohort& cohort, internal::v1::Cohort& out) {
  out.set_per_10000(cohort.per_10000);
  out.set_salt(cohort.salt);
  for (const VehicleRef& ref : cohort.always) out.add_always(std::string(AsText(ref.bytes)));
  for (const VehicleRef& ref : cohort.never) out.add_never(std::string(AsText(ref.bytes)));
}

// A reference that has not 16 bytes is nobody's and left out.
inline Cohort CohortOf(const internal::v1::Cohort& in) {
  Cohort cohort{.per_10000 = in.per_10000(), .salt = in.salt(), .always = {}, .never = {}};
  const auto add = [](std::vector<VehicleRef>& to, const std::string& bytes) {
    VehicleRef ref;
    if (bytes.size() != ref.bytes.size()) return;
    std::copy(bytes.begin(), bytes.end(), ref.bytes.begin());
    to.push_back(ref);
  };
  for (const std::string& bytes : in.always()) add(cohort.always, bytes);
  for (const std::string& bytes : in.never()) add(cohort.never, bytes);
  return cohort;
}

}  // namespace telltale::contract
