// Who may do what: the table of docs/control.md.
#include <algorithm>
#include <array>

#include "control/plane.h"

namespace telltale::control {
namespace {

using Roles = std::span<const std::string_view>;

constexpr std::array<std::string_view, 6> kReaders = {"viewer",   "author",          "approver",
                                                      "deployer", "privacy_officer", "break_glass"};
constexpr std::array<std::string_view, 1> kAuthors = {"author"};
constexpr std::array<std::string_view, 1> kApprovers = {"approver"};
constexpr std::array<std::string_view, 1> kDeployers = {"deployer"};
constexpr std::array<std::string_view, 1> kBreakers = {"break_glass"};

constexpr Operation Read(std::string_view name, Scope scope = Scope::kAny) {
  return {.name = name, .roles = Roles(kReaders), .scope = scope};
}
template <std::size_t n>
constexpr Operation Change(std::string_view name, const std::array<std::string_view, n>& roles,
                           Scope scope) {
  return {.name = name, .roles = Roles(roles), .scope = scope, .is_change = true};
}

constexpr std::array kOperations = {
    Read("status"),
    Read("environments.list"),
    Read("environments.get"),
    Change("environments.put", kDeployers, Scope::kEnvironment),
    Change("environments.delete", kDeployers, Scope::kEnvironment),
    Read("cohorts.list"),
    Read("cohorts.get"),
    Change("cohorts.put", kAuthors, Scope::kEverything),
    Change("cohorts.delete", kAuthors, Scope::kEverything),
    Read("cohorts.preview"),
    Read("gates.list"),
    Read("gates.get"),
    Change("gates.put", kAuthors, Scope::kEverything),
    Change("gates.delete", kAuthors, Scope::kEverything),
    Read("policies.list"),
    Read("policies.get"),
    Change("policies.put", kAuthors, Scope::kEverything),
    Change("policies.delete", kAuthors, Scope::kEverything),
    Read("mirrors.list"),
    Read("mirrors.get"),
    Change("mirrors.put", kAuthors, Scope::kEverything),
    Change("mirrors.delete", kAuthors, Scope::kEverything),
    Read("role-bindings.list"),
    Read("role-bindings.get"),
    Change("role-bindings.put", kDeployers, Scope::kEverything),
    Change("role-bindings.delete", kDeployers, Scope::kEverything),
    Read("release.list"),
    Read("release.get"),
    Read("release.diff"),
    Change("release.put", kAuthors, Scope::kAny),
    Read("blob.get"),
    Change("blob.put", kAuthors, Scope::kAny),
    Change("reinstate", kApprovers, Scope::kEverything),
    Read("promotion.get"),
    Change("promotion.put", kDeployers, Scope::kEnvironment),
    Change("rollback", kDeployers, Scope::kEnvironment),
    Change("hold", kDeployers, Scope::kEnvironment),
    Change("resume", kDeployers, Scope::kEnvironment),
    Read("pin.get"),
    Change("pin.put", kDeployers, Scope::kEnvironment),
    Change("pin.delete", kDeployers, Scope::kEnvironment),
    Change("break_glass", kBreakers, Scope::kEnvironment),
    Read("rehearsals.list"),
    Change("rehearsals.put", kDeployers, Scope::kEnvironment),
    Read("ledger"),
    Read("live"),
    Read("rollouts.list"),
    Read("rollouts.get"),
    Read("rollouts.report"),
    Read("rollouts.gate"),
    Read("rollouts.repair_draft"),
    Change("approve", kApprovers, Scope::kRollout),
    Change("halt", kDeployers, Scope::kRollout),
    Change("judge_halt", kApprovers, Scope::kRollout),
    Read("audit"),
    Read("audit.verify"),
};

}  // namespace

std::span<const Operation> Operations() { return kOperations; }

const Operation* FindOperation(std::string_view name) {
  const auto found = std::find_if(kOperations.begin(), kOperations.end(),
                                  [&](const Operation& one) { return one.name == name; });
  return found == kOperations.end() ? nullptr : &*found;
}

}  // namespace telltale::control
