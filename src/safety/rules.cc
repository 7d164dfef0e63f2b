#include "safety/rules.h"

#include <google/protobuf/descriptor.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <optional>

#include "contract/contract.h"
#include "safety/units.h"

namespace telltale::safety {
namespace {

constexpr double kFloatSlack = 4.0 / (1 << 23);  // 4 units in the last place of a float
constexpr double kDoubleSlack = 1e-12;
constexpr std::int64_t kTimeMsMax = 600'000;
constexpr std::int64_t kGapMsMin = 1'000;
constexpr std::int64_t kGapMsDefault = 10'000;

Error At(const YAML::Node& node, Code code, const std::string& message) {
  const int line = node.IsDefined() ? node.Mark().line + 1 : 0;
  return Error{code, "line " + std::to_string(line) + ": " + message};
}
Error At(const YAML::Node& node, const std::string& message) {
  return At(node, Code::kInvalid, message);
}

// A file names a field, rule or key: shown in messages, so kept short and printable.
std::string Shown(const std::string& text) {
  std::string out;
  for (const char c : text.substr(0, 64)) out += (c >= ' ' && c <= '~') ? c : '?';
  return "'" + out + "'";
}

Status OnlyKeys(const YAML::Node& map, std::initializer_list<std::string_view> allowed,
                const std::string& where) {
  if (!map.IsMap()) return At(map, where + " must be a map of keys and values");
  std::vector<std::string> seen;
  for (const auto& entry : map) {
    if (!entry.first.IsScalar()) return At(entry.first, where + " has a key that is not a word");
    const std::string& key = entry.first.Scalar();
    if (std::find(allowed.begin(), allowed.end(), key) == allowed.end()) {
      return At(entry.first, "unknown key " + Shown(key) + " in " + where);
    }
    if (std::find(seen.begin(), seen.end(), key) != seen.end()) {
      return At(entry.first, "key " + Shown(key) + " twice in " + where);
    }
    seen.push_back(key);
  }
  return Ok();
}

Result<std::string> Word(const YAML::Node& map, const char* key, const std::string& where) {
  const YAML::Node node = map[key];
  if (!node.IsDefined()) return At(map, "missing key '" + std::string(key) + "' in " + where);
  if (!node.IsScalar()) return At(node, "'" + std::string(key) + "' must be one word");
  return node.Scalar();
}

Result<double> Number(const YAML::Node& node, const std::string& what) {
  double value = 0;
  if (!node.IsDefined() || !node.IsScalar() || !YAML::convert<double>::decode(node, value) ||
      !std::isfinite(value)) {
    return At(node, what + " must be a number");
  }
  return value;
}

Result<std::int64_t> Whole(const YAML::Node& map, const char* key, std::int64_t otherwise,
                           std::int64_t least, std::int64_t most) {
  const YAML::Node node = map[key];
  if (!node.IsDefined()) return otherwise;
  std::int64_t value = 0;
  if (!node.IsScalar() || !YAML::convert<std::int64_t>::decode(node, value) || value < least ||
      value > most) {
    return At(node, "'" + std::string(key) + "' must be a whole number from " +
                        std::to_string(least) + " to " + std::to_string(most));
  }
  return value;
}

// {value: 3.92, unit: m/s2} in the unit `to`.
Result<double> Quantity(const YAML::Node& node, const std::string& what, const std::string& to) {
  RETURN_IF_ERROR(OnlyKeys(node, {"value", "unit"}, what));
  ASSIGN_OR_RETURN(const double value, Number(node["value"], "'value' of " + what));
  ASSIGN_OR_RETURN(const std::string unit, Word(node, "unit", what));
  const auto converted = ConvertUnit(value, unit, to);
  if (!converted) {
    return At(node, what + " is in " + Shown(unit) + " which does not convert to " + Shown(to) +
                        ", the unit of the field");
  }
  if (!std::isfinite(*converted)) return At(node, what + " is too large");
  return *converted;
}

Result<Severity> ParseSeverity(const YAML::Node& node) {
  static constexpr std::string_view kNames[] = {"LOW", "MEDIUM", "HIGH", "CRITICAL"};
  if (node.IsDefined() && node.IsScalar()) {
    for (std::uint8_t n = 0; n < 4; ++n) {
      if (node.Scalar() == kNames[n]) return static_cast<Severity>(n + 1);
    }
  }
  return At(node, "severity must be one of LOW, MEDIUM, HIGH, CRITICAL");
}

std::optional<WireForm> FormOf(const contract::Field& field, const contract::Contract& contract) {
  using google::protobuf::FieldDescriptor;
  const auto* report = contract.report_descriptor();
  const FieldDescriptor* wire =
      report == nullptr ? nullptr : report->FindFieldByNumber(static_cast<int>(field.number));
  if (wire == nullptr || wire->is_repeated()) return std::nullopt;
  switch (wire->type()) {
    case FieldDescriptor::TYPE_FLOAT:
      return WireForm::kFloat;
    case FieldDescriptor::TYPE_DOUBLE:
      return WireForm::kDouble;
    case FieldDescriptor::TYPE_FIXED64:
      return WireForm::kFixed64;
    case FieldDescriptor::TYPE_BOOL:
      return WireForm::kBool;
    case FieldDescriptor::TYPE_UINT32:
    case FieldDescriptor::TYPE_UINT64:
      return WireForm::kUnsigned;
    case FieldDescriptor::TYPE_INT32:
    case FieldDescriptor::TYPE_INT64:
    case FieldDescriptor::TYPE_ENUM:
      return WireForm::kSigned;
    default:
      return std::nullopt;
  }
}

Slot SlotOf(const contract::Field& field, WireForm form) {
  constexpr double kAll = std::numeric_limits<double>::max();
  return {field.number, form, field.min.value_or(-kAll), field.max.value_or(kAll)};
}

// Reads the rules one by one into a RuleSet.
class Loader {
 public:
  explicit Loader(const contract::Contract& contract) : contract_(contract) {
    AddFixed("speed_kmh");
    AddFixed(contract_.FindByNumber(contract::kFieldCell));
    AddFixed(contract_.FindByNumber(contract::kFieldHeadingOctant));
    AddFixed(contract_.FindByNumber(contract::kFieldVehicleClass));
  }

  Status Add(const YAML::Node& node) {
    if (!node.IsMap()) return At(node, "a rule must be a map of keys and values");
    Rule rule;
    ASSIGN_OR_RETURN(rule.name, Word(node, "name", "a rule"));
    RETURN_IF_ERROR(CheckName(node, rule.name));
    ASSIGN_OR_RETURN(const std::string kind, Word(node, "kind", Shown(rule.name)));
    if (kind == "threshold") {
      RETURN_IF_ERROR(ReadThreshold(node, rule));
    } else if (kind == "edge") {
      RETURN_IF_ERROR(ReadEdge(node, rule));
    } else {
      return At(node["kind"], "kind must be 'threshold' or 'edge'");
    }
    RETURN_IF_ERROR(ReadCommon(node, rule));
    set_.rules.push_back(std::move(rule));
    return Ok();
  }
  RuleSet Take() { return std::move(set_); }

 private:
  void AddFixed(const char* name) { AddFixed(contract_.FindByName(name)); }
  void AddFixed(const contract::Field* field) {
    const auto form = field == nullptr ? std::nullopt : FormOf(*field, contract_);
    set_.slots.push_back(form ? SlotOf(*field, *form) : Slot{});
  }

  Status CheckName(const YAML::Node& node, const std::string& name) {
    const auto fits = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    };
    if (name.empty() || name.size() > 64 || name[0] < 'a' || name[0] > 'z' ||
        !std::all_of(name.begin(), name.end(), fits)) {
      return At(node["name"], "a rule's name is 1-64 of a-z, 0-9, _ and starts with a letter");
    }
    for (const Rule& other : set_.rules) {
      if (other.name == name) return At(node["name"], "rule " + Shown(name) + " is there twice");
    }
    return Ok();
  }

  Result<const contract::Field*> FindField(const YAML::Node& node) {
    if (!node.IsDefined() || !node.IsScalar()) return At(node, "a field must be one word");
    const contract::Field* field = contract_.FindByName(node.Scalar());
    if (field == nullptr) {
      return At(node, Code::kNotFound, "the contract has no field " + Shown(node.Scalar()));
    }
    if (!field->safety) {
      return At(node, "field " + Shown(field->name) +
                          " does not go to the safety stream (contract option `safety`)");
    }
    return field;
  }

  Status AddSlot(const YAML::Node& node, const contract::Field& field, WireForm form, Rule& rule) {
    std::size_t slot = 0;
    while (slot < set_.slots.size() && set_.slots[slot].number != field.number) ++slot;
    if (slot == kSlotsMax) return At(node, Code::kTooBig, "more than 64 fields in all rules");
    if (slot == set_.slots.size()) set_.slots.push_back(SlotOf(field, form));
    const auto index = static_cast<std::uint8_t>(slot);
    if (std::find(rule.slots.begin(), rule.slots.end(), index) != rule.slots.end()) {
      return At(node, "field " + Shown(field.name) + " is named twice");
    }
    rule.slots.push_back(index);
    return Ok();
  }

  // Gives the slack that the fields' types need.
  Result<double> ReadFields(const YAML::Node& node, Rule& rule) {
    const YAML::Node fields = node["fields"];
    if (!fields.IsDefined() || !fields.IsSequence() || fields.size() == 0 ||
        fields.size() > kFieldsPerRuleMax) {
      return At(fields.IsDefined() ? fields : node, "'fields' must list 1 to 8 fields");
    }
    double slack = kDoubleSlack;
    for (const auto& entry : fields) {
      ASSIGN_OR_RETURN(const contract::Field* field, FindField(entry));
      const auto form = FormOf(*field, contract_);
      if (!form || *form == WireForm::kBool || field->type == contract::ValueType::kEnum) {
        return At(entry, "field " + Shown(field->name) + " is not a number");
      }
      if (rule.slots.empty()) rule.unit = field->unit;
      if (field->unit != rule.unit) return At(entry, "the fields of a rule must have one unit");
      if (*form == WireForm::kFloat) slack = kFloatSlack;
      RETURN_IF_ERROR(AddSlot(entry, *field, *form, rule));
    }
    const YAML::Node combine = node["combine"];
    if (combine.IsDefined() && (!combine.IsScalar() || combine.Scalar() != "max")) {
      return At(combine, "combine must be 'max'");
    }
    if (rule.slots.size() > 1 && !combine.IsDefined()) {
      return At(fields, "several fields need 'combine: max'");
    }
    return slack;
  }

  Status ReadThreshold(const YAML::Node& node, Rule& rule) {
    RETURN_IF_ERROR(OnlyKeys(node,
                             {"name", "kind", "fields", "combine", "direction", "level", "hold_ms",
                              "reset_percent", "minimum_speed", "gap_ms", "severity"},
                             Shown(rule.name)));
    ASSIGN_OR_RETURN(const double slack, ReadFields(node, rule));
    ASSIGN_OR_RETURN(const std::string direction, Word(node, "direction", Shown(rule.name)));
    if (direction == "above") {
      rule.direction = Direction::kAbove;
    } else if (direction == "below") {
      rule.direction = Direction::kBelow;
    } else if (direction == "magnitude") {
      rule.direction = Direction::kMagnitude;
    } else {
      return At(node["direction"], "direction must be above, below or magnitude");
    }
    const YAML::Node level_node = node["level"];
    if (!level_node.IsDefined()) return At(node, "missing key 'level' in " + Shown(rule.name));
    ASSIGN_OR_RETURN(const double level, Quantity(level_node, "'level'", rule.unit));
    if (level <= 0) return At(level_node, "'level' must be above zero; `direction` has the sign");
    ASSIGN_OR_RETURN(const std::int64_t hold_ms, Whole(node, "hold_ms", 0, 0, kTimeMsMax));
    ASSIGN_OR_RETURN(const std::int64_t reset, Whole(node, "reset_percent", 80, 1, 100));
    rule.hold = Micros{hold_ms * 1000};
    rule.enter = level * (1 - slack);
    rule.leave = level * static_cast<double>(reset) / 100 * (1 - slack);
    return ReadLadder(node, level, slack, rule);
  }

  Status ReadLadder(const YAML::Node& node, double level, double slack, Rule& rule) {
    const YAML::Node ladder = node["severity"];
    if (!ladder.IsDefined()) return At(node, "missing key 'severity' in " + Shown(rule.name));
    if (ladder.IsScalar()) {
      ASSIGN_OR_RETURN(const Severity severity, ParseSeverity(ladder));
      rule.severity.push_back({0, severity});
      return Ok();
    }
    if (!ladder.IsSequence() || ladder.size() == 0 || ladder.size() > 4) {
      return At(ladder, "'severity' must be one word or a list of 1 to 4 steps");
    }
    for (const auto& step : ladder) {
      RETURN_IF_ERROR(OnlyKeys(step, {"from", "severity"}, "a step of 'severity'"));
      if (!step["from"].IsDefined()) return At(step, "a step of 'severity' needs 'from'");
      ASSIGN_OR_RETURN(const double from, Quantity(step["from"], "'from'", rule.unit));
      ASSIGN_OR_RETURN(const Severity severity, ParseSeverity(step["severity"]));
      if (rule.severity.empty() ? from > level * (1 + kDoubleSlack)
                                : from * (1 - slack) <= rule.severity.back().from ||
                                      severity <= rule.severity.back().severity) {
        return At(step, "steps of 'severity' must rise and begin at the level or lower");
      }
      rule.severity.push_back({from * (1 - slack), severity});
    }
    return Ok();
  }

  Status ReadEdge(const YAML::Node& node, Rule& rule) {
    RETURN_IF_ERROR(OnlyKeys(node, {"name", "kind", "field", "severity", "minimum_speed", "gap_ms"},
                             Shown(rule.name)));
    const YAML::Node field_node = node["field"];
    if (!field_node.IsDefined()) return At(node, "missing key 'field' in " + Shown(rule.name));
    ASSIGN_OR_RETURN(const contract::Field* field, FindField(field_node));
    const auto form = FormOf(*field, contract_);
    if (!form || *form != WireForm::kBool) {
      return At(field_node, "field " + Shown(field->name) + " is not a bool");
    }
    RETURN_IF_ERROR(AddSlot(field_node, *field, *form, rule));
    const YAML::Node severity_node = node["severity"];
    if (!severity_node.IsDefined())
      return At(node, "missing key 'severity' in " + Shown(rule.name));
    ASSIGN_OR_RETURN(const Severity severity, ParseSeverity(severity_node));
    rule.has_peak = false;
    rule.enter = rule.leave = 0.5;
    rule.severity.push_back({0, severity});
    return Ok();
  }

  Status ReadCommon(const YAML::Node& node, Rule& rule) {
    ASSIGN_OR_RETURN(const std::int64_t gap_ms,
                     Whole(node, "gap_ms", kGapMsDefault, kGapMsMin, kTimeMsMax));
    rule.gap = Micros{gap_ms * 1000};
    const YAML::Node speed = node["minimum_speed"];
    if (!speed.IsDefined()) return Ok();
    const contract::Field* field = contract_.FindByName("speed_kmh");
    if (field == nullptr || set_.slots[kSlotSpeed].number == 0) {
      return At(speed, Code::kNotFound, "the contract has no field 'speed_kmh'");
    }
    ASSIGN_OR_RETURN(rule.minimum_speed, Quantity(speed, "'minimum_speed'", field->unit));
    if (rule.minimum_speed < 0) return At(speed, "'minimum_speed' must not be negative");
    rule.minimum_speed *= 1 - kFloatSlack;
    return Ok();
  }

  const contract::Contract& contract_;
  RuleSet set_;
};

Result<RuleSet> Load(std::string_view yaml, const contract::Contract& contract) {
  const YAML::Node root = YAML::Load(std::string(yaml));
  RETURN_IF_ERROR(OnlyKeys(root, {"version", "rules"}, "the file"));
  ASSIGN_OR_RETURN(const std::int64_t version, Whole(root, "version", 0, 0, 1'000'000));
  if (version == 0) return At(root, "missing 'version: 1'");
  if (version != 1) {
    return At(root["version"], Code::kUnsupported, "this build reads version 1 of rules files");
  }
  const YAML::Node rules = root["rules"];
  if (!rules.IsDefined() || !rules.IsSequence()) return At(root, "'rules' must be a list");
  if (rules.size() > kRulesMax) return At(rules, Code::kTooBig, "more than 32 rules");
  Loader loader(contract);
  for (const auto& rule : rules) RETURN_IF_ERROR(loader.Add(rule));
  return loader.Take();
}

}  // namespace

Result<RuleSet> LoadRules(std::string_view yaml, const contract::Contract& contract) {
  if (yaml.size() > kRulesFileBytesMax) {
    return Error{Code::kTooBig, "line 0: a rules file is at most 64 KiB"};
  }
  try {
    return Load(yaml, contract);
  } catch (const YAML::Exception& e) {
    return Error{Code::kInvalid, "line " + std::to_string(e.mark.line + 1) + ": " + e.msg};
  } catch (const std::exception&) {
    // yaml-cpp lets a few standard exceptions through on hostile input.
    return Error{Code::kInvalid, "line 0: not readable as YAML"};
  }
}

}  // namespace telltale::safety
