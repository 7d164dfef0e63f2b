#include "control/release_text.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "contract/transforms.h"

namespace telltale::control {
namespace {

constexpr int kDepthMax = 8;

std::string YamlText(const YAML::Node& node, int depth = 0);

// {from: {value: 3, unit: m/s2}, severity: LOW} -> "LOW from 3 m/s2"
std::string YamlTextOfMap(const YAML::Node& map, int depth) {
  const YAML::Node value = map["value"];
  const YAML::Node unit = map["unit"];
  if (map.size() == 2 && value.IsDefined() && unit.IsDefined()) {
    return YamlText(value, depth) + " " + YamlText(unit, depth);
  }
  const YAML::Node severity = map["severity"];
  const YAML::Node from = map["from"];
  if (map.size() == 2 && severity.IsDefined() && from.IsDefined()) {
    return YamlText(severity, depth) + " from " + YamlText(from, depth);
  }
  std::string text;
  for (const auto& entry : map) {
    text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", YamlText(entry.first, depth),
                        YamlText(entry.second, depth));
  }
  return "{" + text + "}";
}

std::string YamlText(const YAML::Node& node, int depth) {
  if (depth > kDepthMax) return "...";
  if (node.IsScalar()) return node.Scalar();
  if (node.IsMap()) return YamlTextOfMap(node, depth + 1);
  if (!node.IsSequence()) return "";
  std::string text;
  for (const auto& one : node) text += (text.empty() ? "" : ", ") + YamlText(one, depth + 1);
  return text;
}

Result<Items> ReadRules(std::string_view rules) {
  const YAML::Node root = YAML::Load(std::string(rules));
  const Error no_rules{Code::kInvalid, "rules.yaml has no list `rules`: see docs/rules.md"};
  if (!root.IsMap()) return no_rules;
  const YAML::Node list = root["rules"];
  if (!list.IsDefined() || !(list.IsSequence() || list.IsNull())) return no_rules;
  Items items;
  for (const auto& rule : list) {
    const YAML::Node name = rule.IsMap() ? rule["name"] : YAML::Node();
    if (!name.IsDefined() || !name.IsScalar()) {
      return Error{Code::kInvalid,
                   fmt::format("rules.yaml line {}: a rule without a name", rule.Mark().line + 1)};
    }
    const auto [at, is_new] = items.emplace(name.Scalar(), Keys{});
    if (!is_new) {
      return Error{Code::kInvalid, fmt::format("rules.yaml line {}: a rule of this name is above",
                                               rule.Mark().line + 1)};
    }
    for (const auto& entry : rule) {
      const std::string key = YamlText(entry.first);
      if (key != "name") at->second[key] = YamlText(entry.second);
    }
  }
  return items;
}

std::string_view TypeName(const contract::Field& field) {
  constexpr std::array<std::string_view, 11> kNames = {"bool",   "int32", "int64",  "uint32",
                                                       "uint64", "float", "double", "enum",
                                                       "string", "bytes", "message"};
  return kNames.at(static_cast<std::size_t>(field.type));
}

std::string_view PrivacyName(contract::Privacy privacy) {
  constexpr std::array<std::string_view, 4> kNames = {"OPEN", "PRECISE", "IDENTITY", "LINKING"};
  return kNames.at(static_cast<std::size_t>(privacy));
}

std::string RangeOf(const contract::Field& field) {
  if (!field.min && !field.max) return "";
  return fmt::format("{} to {}", field.min ? fmt::format("{}", *field.min) : "any",
                     field.max ? fmt::format("{}", *field.max) : "any");
}

std::string ValuesOf(const contract::Field& field) {
  std::string text;
  for (const std::string& value : field.values) text += (text.empty() ? "" : ", ") + value;
  for (const auto& [number, name] : field.enum_values) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", number, name);
  }
  return text;
}

std::string TextOfTransform(const contract::Transform& transform) {
  if (transform.is_identity()) return "as sent";
  std::string text;
  if (transform.scale != 1 || transform.offset != 0) {
    text = fmt::format("x {} + {}", transform.scale, transform.offset);
  }
  for (const auto& [from, to] : transform.map) {
    text += fmt::format("{}{} becomes {}", text.empty() ? "" : ", ", from, to);
  }
  return text;
}

// What is not set has no key: adding an option to the contract's language changes no digest.
void Set(Keys& keys, const char* key, std::string value) {
  if (!value.empty()) keys[key] = std::move(value);
}

void AddFields(const std::vector<contract::Field>& fields, const std::string& outer, Items& items) {
  for (const contract::Field& field : fields) {
    const std::string name = outer + field.name;
    Keys& keys = items[name];
    keys["number"] = std::to_string(field.number);
    keys["type"] = fmt::format("{}{}", field.repeated ? "repeated " : "", TypeName(field));
    keys["privacy"] = PrivacyName(field.privacy);
    Set(keys, "column", field.column == field.name ? "" : field.column);
    Set(keys, "unit", field.unit);
    Set(keys, "range", RangeOf(field));
    Set(keys, "safety", field.safety ? "yes" : "");
    Set(keys, "derived", field.derived ? "yes" : "");
    Set(keys, "vss_path", field.vss_path);
    Set(keys, "first_firmware", field.first_firmware);
    Set(keys, "values", ValuesOf(field));
    Set(keys, "pattern", field.pattern);
    AddFields(field.members, name + ".", items);
  }
}

void AddColumns(const std::vector<contract::Field>& fields, const std::string& outer,
                Items& items) {
  for (const contract::Field& field : fields) {
    const bool is_open =
        field.privacy == contract::Privacy::kOpen || field.privacy == contract::Privacy::kLinking;
    if (!is_open || contract::FeedsAnother(fields, field)) continue;
    const std::string column = outer + field.column;
    Keys& keys = items[column];
    keys["type"] = fmt::format("{}{}", field.repeated ? "repeated " : "", TypeName(field));
    Set(keys, "unit", field.unit);
    std::string feeders;
    for (const contract::Feeder& feeder : contract::FeedersOf(fields, field)) {
      const std::string range = RangeOf(*feeder.field);
      feeders += fmt::format("{}{} ({}{}{}{}) {}", feeders.empty() ? "" : "; ", feeder.field->name,
                             feeder.field->number, feeder.field->unit.empty() ? "" : ", ",
                             feeder.field->unit, range.empty() ? "" : ", " + range,
                             TextOfTransform(*feeder.transform));
    }
    keys["from"] = feeders;
    Set(keys, "values", ValuesOf(field));
    AddColumns(field.members, column + ".", items);
  }
}

std::vector<KeyChange> DiffKeys(const Keys& before, const Keys& after) {
  std::vector<KeyChange> changes;
  for (const auto& [key, value] : before) {
    const auto now = after.find(key);
    if (now == after.end()) {
      changes.push_back({key, value, ""});
    } else if (now->second != value) {
      changes.push_back({key, value, now->second});
    }
  }
  for (const auto& [key, value] : after) {
    if (!before.contains(key)) changes.push_back({key, "", value});
  }
  std::sort(changes.begin(), changes.end(),
            [](const KeyChange& a, const KeyChange& b) { return a.key < b.key; });
  return changes;
}

}  // namespace

Result<Items> RulesAsItems(std::string_view rules) {
  if (rules.size() > kRulesBytesMax) {
    return Error{Code::kTooBig, "rules.yaml is over 64 KiB: split the release's rules"};
  }
  try {
    return ReadRules(rules);
  } catch (const YAML::Exception& e) {
    return Error{Code::kInvalid,
                 fmt::format("rules.yaml line {}: not YAML: {}", e.mark.line + 1, e.msg)};
  }
}

Items FieldsAsItems(const contract::Contract& contract) {
  Items items;
  AddFields(contract.fields(), "", items);
  return items;
}

Items TransformsAsItems(const contract::Contract& contract) {
  Items items;
  AddColumns(contract.fields(), "", items);
  return items;
}

std::string CanonicalItems(const Items& items) {
  return nlohmann::json(items).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string_view ChangeName(ChangeKind change) {
  constexpr std::array<std::string_view, 3> kNames = {"added", "removed", "changed"};
  return kNames.at(static_cast<std::size_t>(change));
}

std::vector<ItemChange> DiffItems(const Items& before, const Items& after) {
  std::vector<ItemChange> changes;
  for (const auto& [name, keys] : before) {
    const auto now = after.find(name);
    if (now == after.end()) {
      changes.push_back({name, ChangeKind::kRemoved, DiffKeys(keys, {})});
    } else if (now->second != keys) {
      changes.push_back({name, ChangeKind::kChanged, DiffKeys(keys, now->second)});
    }
  }
  for (const auto& [name, keys] : after) {
    if (!before.contains(name)) changes.push_back({name, ChangeKind::kAdded, DiffKeys({}, keys)});
  }
  std::sort(changes.begin(), changes.end(),
            [](const ItemChange& a, const ItemChange& b) { return a.name < b.name; });
  return changes;
}

}  // namespace telltale::control
