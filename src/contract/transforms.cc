#include "contract/transforms.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "contract/units.h"

namespace telltale::contract {
namespace {

const Field* Find(const std::vector<Field>& fields, std::string_view name) {
  const auto at = std::find_if(fields.begin(), fields.end(),
                               [&](const Field& field) { return field.name == name; });
  return at == fields.end() ? nullptr : &*at;
}

bool IsNumber(ValueType type) {
  switch (type) {
    case ValueType::kInt32:
    case ValueType::kInt64:
    case ValueType::kUint32:
    case ValueType::kUint64:
    case ValueType::kFloat:
    case ValueType::kDouble:
      return true;
    default:
      return false;
  }
}

bool IsInteger(ValueType type) {
  return IsNumber(type) && type != ValueType::kFloat && type != ValueType::kDouble;
}

bool CanFeed(const Field& field) {
  return !field.repeated && !field.derived && field.number != kFieldSeq &&
         field.number != kFieldEventTimeUs && field.type != ValueType::kMessage &&
         field.type != ValueType::kBytes;
}

// "" when values of `from` can become values of `owner`'s column by `transform`.
std::string WhyNotTypes(const Field& from, const Field& owner, const Transform& transform) {
  const bool is_scaled = transform.scale != 1 || transform.offset != 0;
  const bool has_map = !transform.map.empty();
  if (is_scaled && has_map) return "scale or offset, and map: choose one";
  if (is_scaled && !IsNumber(owner.type)) return "scale and offset need a number's column";
  if (is_scaled && !IsNumber(from.type) && from.type != ValueType::kString) {
    return "scale and offset are for numbers, or numbers sent as text";
  }
  const bool is_float = from.type == ValueType::kFloat || from.type == ValueType::kDouble;
  if (has_map && is_float) return "map is for texts, enums, whole numbers and bools";
  if (has_map || from.type == owner.type) return "";
  if (IsNumber(owner.type)) {
    const bool fits = IsNumber(from.type) || from.type == ValueType::kString ||
                      from.type == ValueType::kEnum || from.type == ValueType::kBool;
    return fits ? "" : "its type does not become a number";
  }
  if (owner.type == ValueType::kBool) {
    return IsInteger(from.type) ? "" : "only whole numbers become a bool without a map";
  }
  if (owner.type == ValueType::kEnum) {
    return IsInteger(from.type) || from.type == ValueType::kString
               ? ""
               : "only texts and whole numbers become an enum's column without a map";
  }
  return from.type == ValueType::kEnum ? "" : "only texts and enums become a text without a map";
}

std::string WhyNotUnits(const Field& from, const Field& owner, const Transform& transform) {
  if (from.unit == owner.unit || from.unit.empty() || owner.unit.empty()) return "";
  if (!transform.map.empty()) return "";
  const auto right = ConversionOf(from.unit, owner.unit);
  if (!right) {
    return fmt::format("{} does not become {}, as far as src/contract/units.cc knows", from.unit,
                       owner.unit);
  }
  if (IsNear({transform.scale, transform.offset}, *right)) return "";
  return fmt::format("from {} to {} it is scale {} offset {}", from.unit, owner.unit, right->scale,
                     right->offset);
}

// "" when `from` may feed the column of `owner`, another field, by `transform`.
std::string WhyNot(const Field& from, const Field& owner, const Transform& transform) {
  if (&from == &owner) return "a field does not feed itself";
  if (!CanFeed(from) || !CanFeed(owner)) {
    return "only singular numbers, bools, enums and texts of cars share a column";
  }
  if (from.privacy != owner.privacy) return "fields of one column have one privacy class";
  if (owner.column != owner.name) {
    return fmt::format("{} has another field's column itself", owner.name);
  }
  std::string why = WhyNotTypes(from, owner, transform);
  return why.empty() ? WhyNotUnits(from, owner, transform) : why;
}

Error Invalid(const std::string& message, const Field& field, const std::string& why) {
  return Error{Code::kInvalid, fmt::format("contract field {}.{}: {}", message, field.name, why)};
}

Status CheckNumbers(const Transform& transform) {
  if (!std::isfinite(transform.scale) || transform.scale == 0 || !std::isfinite(transform.offset)) {
    return Error{Code::kInvalid, "scale must be a finite number and not 0, offset finite"};
  }
  std::set<std::string> seen;
  for (const auto& [from, to] : transform.map) {
    if (from.empty() || to.empty()) return Error{Code::kInvalid, "map needs from and to"};
    if (!seen.insert(from).second) {
      return Error{Code::kInvalid, "map has '" + from + "' more than once"};
    }
  }
  return Ok();
}

// A field's own values into its own column.
std::string WhyNotOwn(const Field& field) {
  if (field.transform.is_identity()) return "";
  if (!CanFeed(field)) return "only singular numbers, bools, enums and texts are transformed";
  if (IsInteger(field.type) && field.transform.map.empty()) {
    return "scale and offset of its own column need a float or double: add such a field beside it";
  }
  if (field.type == ValueType::kString && field.transform.map.empty()) {
    return "a text's own column is text: give the column to a number and name this field there";
  }
  return WhyNotTypes(field, field, field.transform);
}

Status CheckOne(const std::vector<Field>& fields, const Field& field, const std::string& message) {
  if (const Status numbers = CheckNumbers(field.transform); !numbers.ok()) {
    return Invalid(message, field, numbers.error().message);
  }
  if (FeedsAnother(fields, field)) {
    const std::string why = WhyNot(field, *Find(fields, field.column), field.transform);
    if (!why.empty()) return Invalid(message, field, "into column " + field.column + ": " + why);
    if (!field.from.empty()) return Invalid(message, field, "`from` is for a column of its own");
  } else if (const std::string why = WhyNotOwn(field); !why.empty()) {
    return Invalid(message, field, why);
  }
  const bool is_scaled = field.transform.scale != 1 || field.transform.offset != 0;
  if (is_scaled && !FeedsAnother(fields, field) && FeedersOf(fields, field).size() > 1) {
    return Invalid(message, field,
                   "scaled in its own column, it cannot share it: `unit` is of the "
                   "sent value, so nobody could tell the column's");
  }
  std::set<std::string> seen;
  for (const Source& source : field.from) {
    const Field* from = Find(fields, source.field);
    if (from == nullptr) return Invalid(message, field, "from: no field " + source.field);
    if (!seen.insert(source.field).second || from->column == field.name) {
      return Invalid(message, field, "from: " + source.field + " feeds it already");
    }
    if (const Status numbers = CheckNumbers(source.transform); !numbers.ok()) {
      return Invalid(message, field, "from " + source.field + ": " + numbers.error().message);
    }
    const std::string why = WhyNot(*from, field, source.transform);
    if (!why.empty()) return Invalid(message, field, "from " + source.field + ": " + why);
  }
  return Ok();
}

}  // namespace

bool FeedsAnother(const std::vector<Field>& fields, const Field& field) {
  return field.column != field.name && Find(fields, field.column) != nullptr;
}

std::vector<Feeder> FeedersOf(const std::vector<Field>& fields, const Field& owner) {
  std::vector<Feeder> feeders;
  for (auto field = fields.rbegin(); field != fields.rend(); ++field) {
    const bool names_it = &*field != &owner && field->column == owner.name;
    if (names_it && FeedsAnother(fields, *field)) feeders.push_back({&*field, &field->transform});
  }
  feeders.push_back({&owner, &owner.transform});
  for (const Source& source : owner.from) {
    feeders.push_back({Find(fields, source.field), &source.transform});
  }
  return feeders;
}

Status CheckTransforms(const std::vector<Field>& fields, const std::string& message,
                       bool top_level) {
  for (const Field& field : fields) {
    const bool has_any =
        !field.transform.is_identity() || !field.from.empty() || FeedsAnother(fields, field);
    if (has_any && !top_level) {
      return Invalid(message, field, "only fields of Report are transformed or share a column");
    }
    RETURN_IF_ERROR(CheckOne(fields, field, message));
  }
  return Ok();
}

}  // namespace telltale::contract
