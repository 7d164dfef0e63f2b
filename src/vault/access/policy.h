// Who may ask the vault for what, as code: docs/formats/vault-policy.md. Opens nothing and reads no
// clock, so that `telltale vault policy check` and the vault judge by the same lines. A Policy is
// immutable; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "vault/access/caller.h"

namespace telltale::access {

inline constexpr std::uint64_t kPolicyBytesMax = 1u << 20;
inline constexpr int kApprovalHours = 24;       // an approval lapses after this
inline constexpr int kBreakGlassHoursMax = 24;  // longest interval without a second person
inline constexpr int kReviewHoursMax = 72;      // an older open review stops break-glass

enum class Verb { kRequest, kApprove, kAudit, kSubjectExport, kHold, kOperate, kEditPolicy };
std::string_view VerbName(Verb verb);  // as the file calls it

enum class Form {
  kTrace,         // every row as it was sent
  kCells,         // S2 cells and floored times
  kDistanceBins,  // distance travelled in bins and floored times; no place at all
};
std::string_view FormName(Form form);

struct Person {
  std::uint32_t number = 0;  // what book and audit log carry; the name is in the policy only
  std::string name;
  std::vector<std::uint32_t> uids;
  std::vector<std::string> certificates;  // common names, or "sha256:<64 hex>"
  std::vector<std::string> roles;
};

// A person as the book remembers him across policies: a new number does not make a new person.
struct PersonKey {
  std::uint32_t number = 0;  // 0: nobody
  std::vector<std::uint32_t> uids;
  std::vector<std::string> certificates;
};
PersonKey KeyOf(const Person& person);
// The same number, or any identity in common.
bool IsSamePerson(const PersonKey& one, const PersonKey& other);

struct SecondPerson {
  enum class When { kNever, kAlways, kOver };
  When when = When::kAlways;
  std::uint64_t over_vehicles = 0;  // kOver: more than this many
  std::uint64_t over_hours = 0;     // kOver: longer than this
};

// Who says yes to what needs it.
struct Approval {
  std::vector<std::string> roles;
  std::uint32_t approvers = 0;
};

struct Purpose {
  std::string name;
  std::vector<std::string> roles;  // who may ask
  bool all_fields = false;         // kTrace: everything, also what the contract does not name
  std::set<std::string> fields;    // kTrace, not all_fields
  std::set<std::string> classes;   // data, quarantine, unknown; held: what holds keep
  Form form = Form::kDistanceBins;
  int cell_level = 0;              // kCells
  std::uint32_t bin_m = 0;         // kDistanceBins
  std::uint32_t time_floor_s = 0;  // kCells, kDistanceBins
  std::uint64_t vehicles_max = 0;  // of one request
  std::uint64_t hours_max = 0;     // of one request's interval
  SecondPerson second_person;
  Approval approval;
  bool break_glass = false;
  std::uint32_t export_hours = 0;  // how long a kept answer lives; 0 = none is kept
};

struct Caps {  // of one person and UTC day
  std::uint64_t requests = 0;
  std::uint64_t vehicles = 0;
  std::uint64_t rows = 0;
};

struct Policy {
  std::vector<Person> people;
  std::map<std::string, std::set<Verb>> roles;
  std::map<std::string, Purpose> purposes;
  Caps caps;
  std::optional<Approval> holds;  // none: holds are refused
  Approval clock;                 // a clock that jumped is confirmed by so many
  std::string digest;             // SHA-256 of the text, hex
  std::string text;

  // Null: nobody here, or the identities name two people.
  const Person* PersonOf(const Caller& caller) const;
  const Person* PersonOf(std::uint32_t number) const;
  bool Has(const Person& person, Verb verb) const;
  // The role under which he may ask for this; empty: none.
  std::string RoleFor(const Person& person, const Purpose& purpose) const;
  bool MayApprove(const Person& person, const Approval& approval) const;
};

struct PolicyMistake {
  int line = 0;  // from 1; 0: of the whole file
  std::string what;
};

struct PolicyReading {
  Policy policy;  // holds only if there are no mistakes
  std::vector<PolicyMistake> mistakes;
  std::vector<std::string> warnings;  // of a policy that holds: what nobody can do
};

// All mistakes at once. `environment_kind` "prod" refuses what only a trial may do.
PolicyReading ReadPolicy(std::string_view text, std::string_view environment_kind);
// The policy, or kInvalid with every mistake, one a line: "FILE:LINE: what".
Result<Policy> PolicyOf(const PolicyReading& reading, std::string_view file);

// What `telltale init` writes: one person, who may do everything, by these user ids.
std::string FirstPolicy(const std::vector<std::uint32_t>& uids, std::string_view environment_kind);

}  // namespace telltale::access
