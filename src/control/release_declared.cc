#include "control/release_declared.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/format_version.h"
#include "base/utf8.h"

namespace telltale::control {
namespace {

using nlohmann::json;
using About = DeclaredChange::About;

constexpr std::array kAbouts = {About::kRule, About::kField, About::kFeature, About::kEngine};
constexpr std::size_t kWhyBytesMax = 500;
constexpr double kPercentMax = 100'000;
constexpr std::uint64_t kYamlVersion = 1;

bool IsName(std::string_view text) {
  const auto is_plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !text.empty() && text.size() <= 63 && is_plain(text.front()) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return is_plain(c) || c == '-'; });
}

// One line that may be shown to people as it is.
bool IsLine(std::string_view text) {
  return IsUtf8(text) && std::none_of(text.begin(), text.end(), [](char c) {
           return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
         });
}

// What reading either form must have seen to.
Status CheckChange(const DeclaredChange& change) {
  const auto invalid = [](const std::string& what) { return Error{Code::kInvalid, what}; };
  if (change.name.empty() != (change.about == About::kEngine) || change.name.size() > 256 ||
      !IsLine(change.name)) {
    return invalid("a change is about one rule, field or feature by its name, or `engine: true`");
  }
  if (change.why.empty() || change.why.size() > kWhyBytesMax || !IsLine(change.why)) {
    return invalid(
        fmt::format("`why` must say in one line, up to {} bytes, why this changes", kWhyBytesMax));
  }
  if (change.added && change.removed) return invalid("`added` and `removed` exclude each other");
  if (change.payload && change.about != About::kRule) return invalid("only a rule has `payload`");
  if (!change.percent) return Ok();
  if (change.about != About::kRule && change.about != About::kFeature) {
    return invalid("only rules have `fires_percent` and features `rows_percent`");
  }
  if (change.added || change.removed) {
    return invalid("what is added or removed has no percentage: there is nothing to compare with");
  }
  const auto [low, high] = *change.percent;
  if (!(low >= -100 && low <= high && high <= kPercentMax)) {
    return invalid("a percentage is [LOW, HIGH], from -100 (none left) upwards, LOW first");
  }
  return Ok();
}

Status CheckWhole(const Declaration& declaration) {
  if (!IsName(declaration.name)) {
    return Error{Code::kInvalid,
                 "`name` must be 1 to 63 of a-z, 0-9 and -, and begin with a letter or digit"};
  }
  if (declaration.about.size() > kWhyBytesMax || !IsLine(declaration.about)) {
    return Error{Code::kInvalid, "`about` must be one line of up to 500 bytes"};
  }
  if (declaration.changes.size() > kDeclaredMax) {
    return Error{Code::kTooBig, fmt::format("more than {} declared changes", kDeclaredMax)};
  }
  for (std::size_t i = 0; i < declaration.changes.size(); ++i) {
    const DeclaredChange& change = declaration.changes[i];
    RETURN_IF_ERROR(CheckChange(change));
    for (std::size_t j = 0; j < i; ++j) {
      const DeclaredChange& other = declaration.changes[j];
      if (other.about == change.about && other.name == change.name) {
        return Error{Code::kInvalid,
                     fmt::format("{} {} is declared twice", AboutName(change.about), change.name)};
      }
    }
  }
  return Ok();
}

std::string_view PercentKey(About about) {
  return about == About::kFeature ? "rows_percent" : "fires_percent";
}

Error AtLine(const YAML::Node& node, const std::string& what) {
  return {Code::kInvalid, fmt::format("release.yaml line {}: {}", node.Mark().line + 1, what)};
}

Result<PercentRange> ReadPercent(const YAML::Node& node) {
  PercentRange range;
  if (!node.IsSequence() || node.size() != 2 ||
      !YAML::convert<double>::decode(node[0], range.low) ||
      !YAML::convert<double>::decode(node[1], range.high) || !std::isfinite(range.low) ||
      !std::isfinite(range.high)) {
    return AtLine(node, "a percentage is [LOW, HIGH], such as [-20, -10]");
  }
  return range;
}

Status ReadKey(const std::string& key, const YAML::Node& value, DeclaredChange& change,
               int& abouts) {
  for (const About about : kAbouts) {
    if (key != AboutName(about)) continue;
    change.about = about;
    ++abouts;
    if (about != About::kEngine) change.name = value.IsScalar() ? value.Scalar() : "";
    return Ok();
  }
  if (key == "why") {
    change.why = value.IsScalar() ? value.Scalar() : "";
    return Ok();
  }
  if (key == "fires_percent" || key == "rows_percent") {
    ASSIGN_OR_RETURN(change.percent, ReadPercent(value));
    return Ok();
  }
  for (const auto& [name, flag] : {std::pair{"added", &change.added},
                                   {"removed", &change.removed},
                                   {"payload", &change.payload}}) {
    if (key != name) continue;
    if (!value.IsScalar() || !YAML::convert<bool>::decode(value, *flag)) {
      return AtLine(value, fmt::format("`{}` is true or false", name));
    }
    return Ok();
  }
  return AtLine(value, fmt::format("unknown key `{}`: a change has rule, field, feature or engine; "
                                   "fires_percent, rows_percent, added, removed, payload; why",
                                   key.substr(0, 64)));
}

Result<DeclaredChange> ReadChange(const YAML::Node& node) {
  if (!node.IsMap()) return AtLine(node, "a declared change is a map of keys and values");
  DeclaredChange change;
  int abouts = 0;
  std::string percent_key;
  for (const auto& entry : node) {
    const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
    if (key.ends_with("_percent")) percent_key = key;
    RETURN_IF_ERROR(ReadKey(key, entry.second, change, abouts));
  }
  if (abouts != 1) return AtLine(node, "a change names one rule, field, feature, or the engine");
  if (!percent_key.empty() && percent_key != PercentKey(change.about)) {
    return AtLine(node, "rules have `fires_percent`, features `rows_percent`");
  }
  const Status checked = CheckChange(change);
  if (!checked.ok()) return AtLine(node, checked.error().message);
  return change;
}

Result<Declaration> ReadYaml(std::string_view text) {
  const YAML::Node root = YAML::Load(std::string(text));
  if (!root.IsMap()) return AtLine(root, "want `version: 1`, `name` and `declared`");
  Declaration declaration;
  std::uint64_t version = 0;
  for (const auto& entry : root) {
    const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
    const YAML::Node& value = entry.second;
    if (key == "version") {
      if (!value.IsScalar() || !YAML::convert<std::uint64_t>::decode(value, version)) {
        return AtLine(value, "`version` must be 1");
      }
    } else if (key == "name" || key == "about") {
      if (!value.IsScalar()) return AtLine(value, fmt::format("`{}` is text", key));
      (key == "name" ? declaration.name : declaration.about) = value.Scalar();
    } else if (key == "declared") {
      if (!value.IsSequence() && !value.IsNull()) return AtLine(value, "`declared` is a list");
      for (const auto& change : value) {
        ASSIGN_OR_RETURN(DeclaredChange read, ReadChange(change));
        declaration.changes.push_back(std::move(read));
      }
    } else {
      return AtLine(entry.first, fmt::format("unknown key `{}`: there are version, name, about, "
                                             "declared",
                                             key.substr(0, 64)));
    }
  }
  if (version == 0) return AtLine(root, "`version: 1` is missing");
  if (version > kYamlVersion) {
    return Error{Code::kUnsupported,
                 fmt::format("release.yaml is of version {}; this telltale reads up to {}: use a "
                             "newer telltale",
                             version, kYamlVersion)};
  }
  RETURN_IF_ERROR(CheckWhole(declaration));
  return declaration;
}

std::optional<DeclaredChange> ChangeFromJson(const json& object) {
  if (!object.is_object()) return std::nullopt;
  DeclaredChange change;
  const auto about = object.find("about");
  if (about == object.end() || !about->is_string()) return std::nullopt;
  const auto known = std::find_if(kAbouts.begin(), kAbouts.end(),
                                  [&](About one) { return *about == AboutName(one); });
  if (known == kAbouts.end()) return std::nullopt;
  change.about = *known;
  for (const auto& [key, into] : {std::pair{"name", &change.name}, {"why", &change.why}}) {
    if (const auto at = object.find(key); at != object.end()) {
      if (!at->is_string()) return std::nullopt;
      *into = at->get<std::string>();
    }
  }
  for (const auto& [key, into] : {std::pair{"added", &change.added},
                                  {"removed", &change.removed},
                                  {"payload", &change.payload}}) {
    *into = object.value(key, json()) == json(true);
  }
  const auto percent = object.find(PercentKey(change.about));
  if (percent == object.end()) return change;
  if (!percent->is_array() || percent->size() != 2 || !(*percent)[0].is_number() ||
      !(*percent)[1].is_number()) {
    return std::nullopt;
  }
  change.percent = PercentRange{(*percent)[0].get<double>(), (*percent)[1].get<double>()};
  return change;
}

json ChangeToJson(const DeclaredChange& change) {
  json object = {{"about", AboutName(change.about)}, {"why", change.why}};
  if (!change.name.empty()) object["name"] = change.name;
  if (change.added) object["added"] = true;
  if (change.removed) object["removed"] = true;
  if (change.payload) object["payload"] = true;
  if (change.percent) {
    object[std::string(PercentKey(change.about))] = {change.percent->low, change.percent->high};
  }
  return object;
}

std::string Listed(const std::set<std::string>& names) {
  constexpr std::size_t kShown = 20;
  std::string text;
  std::size_t shown = 0;
  for (const std::string& name : names) {
    if (shown++ == kShown) return text + ", ...";
    text += (text.empty() ? "" : ", ") + name;
  }
  return text.empty() ? "none" : text;
}

}  // namespace

std::string_view AboutName(About about) {
  constexpr std::array<std::string_view, 4> kNames = {"rule", "field", "feature", "engine"};
  return kNames.at(static_cast<std::size_t>(about));
}

const DeclaredChange* Declaration::Find(About kind, std::string_view of) const {
  for (const DeclaredChange& change : changes) {
    if (change.about == kind && change.name == of) return &change;
  }
  return nullptr;
}

Result<Declaration> ReadReleaseYaml(std::string_view yaml) {
  if (yaml.size() > kDeclaredBytesMax) {
    return Error{Code::kTooBig, "release.yaml is over 64 KiB"};
  }
  try {
    return ReadYaml(yaml);
  } catch (const YAML::Exception& e) {
    return Error{Code::kInvalid,
                 fmt::format("release.yaml line {}: not YAML: {}", e.mark.line + 1, e.msg)};
  }
}

std::string DeclarationJson(const Declaration& declaration) {
  json object = {{"format", VersionOf(Format::kReleaseDeclared).written},
                 {"name", declaration.name},
                 {"about", declaration.about},
                 {"declared", json::array()}};
  for (const DeclaredChange& change : declaration.changes) {
    object["declared"].push_back(ChangeToJson(change));
  }
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<Declaration> ParseDeclaration(std::string_view text) {
  const Error corrupt{Code::kCorrupt, "these are no declared changes of a release"};
  if (text.size() > kDeclaredBytesMax * 2) {
    return Error{Code::kTooBig, "the declared changes are over 128 KiB"};
  }
  const json object = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object() || !object.contains("format")) return corrupt;
  if (!object["format"].is_number_unsigned()) return corrupt;
  const auto format = object["format"].get<std::uint64_t>();
  RETURN_IF_ERROR(
      CheckReadable(Format::kReleaseDeclared, "the release's declared.json", format, format));
  Declaration declaration;
  const auto list = object.find("declared");
  if (list == object.end() || !list->is_array()) return corrupt;
  for (const auto& [key, into] :
       {std::pair{"name", &declaration.name}, {"about", &declaration.about}}) {
    const auto at = object.find(key);
    if (at == object.end() || !at->is_string()) return corrupt;
    *into = at->get<std::string>();
  }
  for (const json& one : *list) {
    auto change = ChangeFromJson(one);
    if (!change) return corrupt;
    declaration.changes.push_back(*std::move(change));
  }
  RETURN_IF_ERROR(CheckWhole(declaration));
  if (DeclarationJson(declaration) != text) return corrupt;
  return declaration;
}

Result<Declaration> ReadDeclaration(Disk& disk, const std::string& folder) {
  const auto text = ReadWholeFile(disk, folder + "/declared.json", 2 * kDeclaredBytesMax);
  if (text.ok()) return ParseDeclaration(*text);
  if (text.error().code == Code::kNotFound) return Declaration();
  return text.error();
}

Status CheckDeclaration(const Declaration& declaration, const KnownNames& known) {
  for (const DeclaredChange& change : declaration.changes) {
    if (change.about == About::kEngine) continue;
    const auto& names = change.about == About::kRule    ? known.rules
                        : change.about == About::kField ? known.fields
                                                        : known.features;
    if (names.contains(change.name) != change.removed) continue;
    if (change.removed) {
      return Error{Code::kInvalid, fmt::format("{} {} is declared removed, but the release has it",
                                               AboutName(change.about), change.name)};
    }
    return Error{Code::kInvalid,
                 fmt::format("declared of {} {}, which the release does not have; it has {}",
                             AboutName(change.about), change.name, Listed(names))};
  }
  return Ok();
}

std::string InWords(const DeclaredChange& change) {
  std::vector<std::string> words;
  if (change.added) words.emplace_back("new");
  if (change.removed) words.emplace_back("gone");
  if (change.percent) {
    const auto [low, high] = *change.percent;
    const std::string_view what = change.about == About::kFeature ? "rows" : "fires";
    if (high <= 0) {  // 0 - high: -high would say "-0"
      words.push_back(fmt::format("{} {} to {} % less", what, 0 - high, -low));
    } else if (low >= 0) {
      words.push_back(fmt::format("{} {} to {} % more", what, low, high));
    } else {
      words.push_back(fmt::format("{} {} % less to {} % more", what, -low, high));
    }
  }
  if (change.payload) words.emplace_back("says something else");
  if (words.empty()) words.emplace_back("changes");
  return fmt::format("{}", fmt::join(words, ", "));
}

}  // namespace telltale::control
