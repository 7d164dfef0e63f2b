#include <fmt/format.h>

#include "vault/access/policy.h"

namespace telltale::access {
namespace {

constexpr std::string_view kText =
    R"(# Who may ask the vault for what (docs/vault-access.md). A change of this file alone changes
# nothing: `telltale vault policy check FILE`, then `telltale vault policy activate FILE`. Whoever
# activates it may neither ask nor approve while it is in force.
version: 1

# What a role may do: request, approve, audit, subject_export, hold, operate, edit_policy.
# For a trial one role has all of it; apart from a trial these are different people.
roles:
  operator: [request, approve, audit, subject_export, hold, operate, edit_policy]

# number: what the audit log carries; never give it to somebody else. uids: on the local socket, the
# kernel's word. certificates: over HTTP, the subject's common name or "sha256:<fingerprint>".
people:
  - number: 1
    name: operator
    uids: [{uids}]
    roles: [operator]

purposes:
  # Exact positions, as the car sent them.
  crash_reconstruction:
    roles: [operator]
    form: trace
    fields: all                # or a list of the contract's names
    classes: [data, quarantine, unknown, held]
    max_vehicles: 10
    max_hours: 744
    # never (not in prod), always, or {{over_vehicles: 1, over_hours: 24}}
    second_person: {second}
{approval}    break_glass: true          # one vehicle, 24 hours, nobody else, a review after it
    export_hours: 24           # a kept answer dies after this; 0 = none is kept
  # How far a car drove and when, without any place.
  failure_analysis:
    roles: [operator]
    form: distance_bins
    bin_m: 500
    time_floor_s: 300
    max_vehicles: 100
    max_hours: 744
    second_person: never
    export_hours: 168
  # Where roughly, as cells.
  regional_wear:
    roles: [operator]
    form: cells
    cell_level: 9              # 12 or coarser
    time_floor_s: 900
    max_vehicles: 100
    max_hours: 744
    second_person: never

# Of one person in one UTC day.
caps:
  requests: 500
  vehicles: 1000
  rows: 20000000

# A hold needs two people beside who asks for it; without this section none can be made.
holds:
  approve_roles: [operator]
  approvers: 2

# A clock that jumped is believed again when somebody says so, and so many others agree.
clock:
  approve_roles: [operator]
  approvers: {clock}
)";

}  // namespace

std::string FirstPolicy(const std::vector<std::uint32_t>& uids, std::string_view environment_kind) {
  const bool is_prod = environment_kind == "prod";
  return fmt::format(
      fmt::runtime(kText), fmt::arg("uids", fmt::join(uids, ", ")),
      fmt::arg("second", is_prod ? "always" : "never"),
      fmt::arg("approval", is_prod ? "    approve_roles: [operator]\n    approvers: 1\n" : ""),
      fmt::arg("clock", is_prod ? 1 : 0));
}

}  // namespace telltale::access
