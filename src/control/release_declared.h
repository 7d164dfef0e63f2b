// What a release says of itself: its name and the differences it means to make
// (docs/formats/release-manifest.md). Any thread.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/disk.h"
#include "base/result.h"

namespace telltale::control {

inline constexpr std::size_t kDeclaredMax = 64;
inline constexpr std::size_t kDeclaredBytesMax = 64u << 10;

struct PercentRange {
  double low = 0;
  double high = 0;
  friend bool operator==(const PercentRange&, const PercentRange&) = default;
};

// One difference, and why. About a rule, a field, a feature or the engine.
struct DeclaredChange {
  enum class About { kRule, kField, kFeature, kEngine };
  About about = About::kRule;
  std::string name;  // "" for the engine
  // Rule: how many more (or, below 0, fewer) alerts fire; feature: rows. From the old count.
  std::optional<PercentRange> percent = std::nullopt;
  bool added = false;    // the old release does not have it
  bool removed = false;  // the new one does not
  bool payload = false;  // rule: the same alerts, but what they say differs
  std::string why;
  friend bool operator==(const DeclaredChange&, const DeclaredChange&) = default;
};

struct Declaration {
  std::string name;   // [a-z0-9][a-z0-9-]{0,62}
  std::string about;  // one line for people; may be empty
  std::vector<DeclaredChange> changes;
  friend bool operator==(const Declaration&, const Declaration&) = default;

  // nullptr: nothing is declared of it.
  const DeclaredChange* Find(DeclaredChange::About kind, std::string_view name) const;
};

// release.yaml; messages begin with the line.
//   kInvalid      not YAML, an unknown key, a value out of bounds
//   kTooBig       over the limits above
//   kUnsupported  a newer version of the file
Result<Declaration> ReadReleaseYaml(std::string_view yaml);

// declared.json: canonical, so that one declaration has one form.
std::string DeclarationJson(const Declaration& declaration);
//   kCorrupt      not such bytes, or not in the canonical form
//   kTooBig, kUnsupported
Result<Declaration> ParseDeclaration(std::string_view json);
// Of a release as it lies in `folder`; nothing is declared where there is no such file, as of the
// release that `telltale init` makes. Errors of ParseDeclaration and of the disk.
Result<Declaration> ReadDeclaration(Disk& disk, const std::string& folder);

// The names that a release has, for CheckDeclaration.
struct KnownNames {
  std::set<std::string> rules;
  std::set<std::string> fields;
  std::set<std::string> features;
};
//   kInvalid  something is declared of a rule, field or feature that the release does not have (or
//             still has, when declared removed); the message names it and what is there
Status CheckDeclaration(const Declaration& declaration, const KnownNames& known);

// "fires 10 to 20 % less", "new", "gone", "says something else"; joined by ", ".
std::string InWords(const DeclaredChange& change);
std::string_view AboutName(DeclaredChange::About about);  // "rule", "field", "feature", "engine"

}  // namespace telltale::control
