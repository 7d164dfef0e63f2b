// One earlier version beside the candidate, and the steps of comparing them. Each step adds its
// findings. One thread at a time.
#pragma once

#include <fmt/format.h>

#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "contract/check/approval_book.h"
#include "contract/check/findings.h"
#include "contract/check/history.h"
#include "contract/check/type_names.h"

namespace telltale::contract::check {

// Full names, in the candidate, of messages that our option is used in, and of all that they hold.
using Reach = std::unordered_set<std::string>;

// By the candidate's field and all that is compared of an older one: what was found. A version that
// had the field just so is not compared again.
using SeenPairs =
    std::unordered_map<const FieldDescriptor*, std::unordered_map<std::string, Findings::Indices>>;

struct Pairing {
  const Schema& before;
  const Schema& now;
  const Schema& latest;  // the newest version; `before` itself when that is it
  const TypeNames& names;
  const History& history;
  const Reach& reach;
  ApprovalBook& approvals;
  Findings& findings;
  SeenPairs& seen;

  bool UsesOptions(const Descriptor* now_message) const {
    return now_message != nullptr && reach.contains(now_message->full_name());
  }
  // "add field 97 beside it, same column", with the real number; `with` says what of it is new.
  std::string AddBeside(const FieldDescriptor& now_field, const std::string& with = "") const;
};

// Types that are gone or moved, then each pair of types.
void CompareTypes(const Pairing& pair);

// The fields of a message, or the extensions of one. `owner` is null for extensions of a message
// that is not judged.
struct FieldSets {
  const FieldSet& before;
  const FieldSet& now;
  const FieldSet* latest;  // null: the latest version has no such message
  const Descriptor* before_owner;
  const Descriptor* now_owner;
};
void CompareFieldSets(const Pairing& pair, const FieldSets& sets);
// Two fields with the same number.
void CompareField(const Pairing& pair, const FieldDescriptor& before, const FieldDescriptor& now);
void CompareOneofs(const Pairing& pair, const Descriptor& before, const Descriptor& now);
void CompareEnums(const Pairing& pair, const EnumDescriptor& before, const EnumDescriptor& now);
void CompareReserved(const Pairing& pair, const Descriptor& before, const Descriptor& now);
void CompareReserved(const Pairing& pair, const EnumDescriptor& before, const EnumDescriptor& now);
void CompareExtensionRanges(const Pairing& pair, const Descriptor& before, const Descriptor& now);
// Our option of a field that stays.
void CompareSpecs(const Pairing& pair, const FieldDescriptor& before, const FieldDescriptor& now);
void CompareServices(const Pairing& pair);

// What the candidate adds; once, after all versions.
struct Additions {
  const Schema& now;
  const Schema& latest;
  const History& history;
  const Reach& reach;
  ApprovalBook& approvals;
  Findings& findings;
};
void CheckNewFields(const Additions& additions);
void CheckColumns(const Additions& additions);

// The column of a field: the option's, or its name.
const std::string& ColumnOf(const FieldDescriptor& field, const FieldSpec& spec);
// Whether the option says all that an OPEN text may say.
bool IsBounded(const FieldSpec& spec);
// Whether a name says that what it names is not to be used: reserved_, unused_, deprecated_, ...
bool IsPlaceholder(std::string_view name);

// Names that changed places: of (number before, name, number now) those that form a circle.
struct Renumbering {
  int before;
  int now;
  std::string name;
};
std::vector<std::vector<Renumbering>> FindCircles(const std::vector<Renumbering>& moved);

}  // namespace telltale::contract::check
