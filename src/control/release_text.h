// Things of a release as text, so that two releases can be compared key by key: rules of a
// rules.yaml, fields and columns of a contract. What they mean is looked at elsewhere (safety/,
// contract/). Any thread.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "contract/contract.h"

namespace telltale::control {

inline constexpr std::size_t kRulesBytesMax = 64u << 10;

// Name of a rule, field, column or feature -> its keys -> each value in words.
using Keys = std::map<std::string, std::string>;
using Items = std::map<std::string, Keys>;

// By rule name. A value with a unit reads "3.92 m/s2", a ladder "LOW from 3 m/s2, ...".
//   kInvalid  not YAML, no list of rules, a rule without a name or a name that is there twice
//   kTooBig   over kRulesBytesMax
Result<Items> RulesAsItems(std::string_view rules);

// By name; of a field inside another "outer.inner".
Items FieldsAsItems(const contract::Contract& contract);

// By lake column: type, unit, range and what feeds it (docs/decisions/0006): the release's
// component `transforms` is CanonicalItems() of it.
Items TransformsAsItems(const contract::Contract& contract);

// One JSON object, keys sorted, no white space: the same items always give the same bytes.
std::string CanonicalItems(const Items& items);

enum class ChangeKind { kAdded, kRemoved, kChanged };
std::string_view ChangeName(ChangeKind change);  // "added", ...

struct KeyChange {
  std::string key;
  std::string before;  // "" = not set
  std::string after;
};
struct ItemChange {
  std::string name;
  ChangeKind change = ChangeKind::kChanged;
  std::vector<KeyChange> keys;  // of an added or removed item all that it has
};
// In the order of the names; what is the same in both is left out.
std::vector<ItemChange> DiffItems(const Items& before, const Items& after);

}  // namespace telltale::control
