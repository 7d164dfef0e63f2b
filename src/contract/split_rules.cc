#include "contract/split_rules.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>

#include "base/check.h"

namespace telltale::contract {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

struct Wire {
  WireType type;
  Encoding encoding;
};

Wire WireOf(FieldDescriptor::Type type) {
  switch (type) {
    case FieldDescriptor::TYPE_DOUBLE:
      return {WireType::kFixed64, Encoding::kDouble};
    case FieldDescriptor::TYPE_FLOAT:
      return {WireType::kFixed32, Encoding::kFloat};
    case FieldDescriptor::TYPE_INT64:
      return {WireType::kVarint, Encoding::kInt64};
    case FieldDescriptor::TYPE_UINT64:
      return {WireType::kVarint, Encoding::kUint64};
    case FieldDescriptor::TYPE_INT32:
      return {WireType::kVarint, Encoding::kInt32};
    case FieldDescriptor::TYPE_FIXED64:
      return {WireType::kFixed64, Encoding::kFixed64};
    case FieldDescriptor::TYPE_FIXED32:
      return {WireType::kFixed32, Encoding::kFixed32};
    case FieldDescriptor::TYPE_UINT32:
      return {WireType::kVarint, Encoding::kUint32};
    case FieldDescriptor::TYPE_SFIXED32:
      return {WireType::kFixed32, Encoding::kSfixed32};
    case FieldDescriptor::TYPE_SFIXED64:
      return {WireType::kFixed64, Encoding::kSfixed64};
    case FieldDescriptor::TYPE_SINT32:
      return {WireType::kVarint, Encoding::kSint32};
    case FieldDescriptor::TYPE_SINT64:
      return {WireType::kVarint, Encoding::kSint64};
    case FieldDescriptor::TYPE_BOOL:
    case FieldDescriptor::TYPE_ENUM:
      return {WireType::kVarint, Encoding::kUint64};
    default:
      return {WireType::kBytes, Encoding::kUint64};
  }
}

Action ActionOf(const Field& field, FieldRule& rule) {
  if (field.privacy == Privacy::kLinking && !field.repeated && field.type != ValueType::kBool &&
      field.type != ValueType::kEnum && rule.wire != WireType::kBytes) {
    rule.units_per_km = field.unit == "km" ? 1.0f : field.unit == "m" ? 1000.0f : 0.0f;
    if (rule.units_per_km > 0) return Action::kDistance;
  }
  if (field.privacy != Privacy::kOpen) return Action::kSealed;
  if (field.type == ValueType::kMessage) return Action::kMessage;
  if (field.type == ValueType::kString) return Action::kOpenText;
  return Action::kOpen;
}

void SetReportRoles(const Field& field, FieldRule& rule) {
  if (field.number == kFieldSeq && rule.encoding == Encoding::kUint64) rule.action = Action::kSeq;
  if (field.number == kFieldEventTimeUs && rule.encoding == Encoding::kInt64) {
    rule.action = Action::kEventTime;
  }
  const bool is_float = rule.encoding == Encoding::kDouble || rule.encoding == Encoding::kFloat;
  if (!is_float || rule.action != Action::kSealed || field.repeated) return;
  if (field.name == "latitude_deg") rule.place = Place::kLatitude;
  if (field.name == "longitude_deg") rule.place = Place::kLongitude;
  if (field.name == "heading_deg") rule.place = Place::kHeading;
}

// Returns the index of the message's rules. The contract has bounded the depth.
std::uint16_t AddMessage(SplitRules& out, const std::vector<Field>& fields,
                         const Descriptor& descriptor, const std::string& path) {
  const std::size_t index = out.messages.size();
  const bool is_report = index == 0;
  CHECK(index < UINT16_MAX);
  out.messages.emplace_back();
  MessageRules rules;
  rules.path = path;
  for (const Field& field : fields) {
    if (is_report && field.number >= kFieldFirstDerived) continue;  // unknown from a car
    const FieldDescriptor* from = descriptor.FindFieldByNumber(static_cast<int>(field.number));
    CHECK(from != nullptr);
    const Wire wire = WireOf(from->type());
    FieldRule rule;
    rule.wire = wire.type;
    rule.encoding = wire.encoding;
    rule.safety = field.safety;
    rule.packable = from->is_packable();
    rule.action = ActionOf(field, rule);
    if (rule.action == Action::kMessage) {
      rule.message = AddMessage(out, field.members, *from->message_type(),
                                path + std::to_string(field.number) + ".");
      rule.list = field.repeated;
      if (rule.list) rule.list_slot = rules.list_slots++;
    }
    if (rule.action == Action::kOpenText) {
      rule.text = static_cast<std::uint16_t>(out.texts.size());
      out.texts.emplace_back(field);
    }
    if (is_report) SetReportRoles(field, rule);
    rules.Set(field.number, rule);
  }
  out.messages[index] = std::move(rules);
  return static_cast<std::uint16_t>(index);
}

}  // namespace

void MessageRules::Set(std::uint32_t number, const FieldRule& rule) {
  const std::size_t tag = (std::size_t{number} << 3) | static_cast<std::uint8_t>(rule.wire);
  if (rule.action == Action::kOpen && rule.wire != WireType::kBytes && tag <= kPlainTagMax) {
    if (plain_.size() <= tag) plain_.resize(tag + 1);
    const std::uint8_t bytes = rule.wire == WireType::kFixed64   ? 8
                               : rule.wire == WireType::kFixed32 ? 4
                                                                 : 1;
    plain_[tag] = {bytes, rule.wire == WireType::kVarint, rule.safety};
  }
  if (number < kDenseMax) {
    if (dense_.size() <= number) dense_.resize(number + 1);
    dense_[number] = rule;
    return;
  }
  const auto at = std::lower_bound(sparse_.begin(), sparse_.end(), number,
                                   [](const auto& a, std::uint32_t b) { return a.first < b; });
  sparse_.insert(at, {number, rule});
}

const FieldRule& MessageRules::FindSparse(std::uint32_t number) const {
  static const FieldRule kUnknownField;
  const auto at = std::lower_bound(sparse_.begin(), sparse_.end(), number,
                                   [](const auto& a, std::uint32_t b) { return a.first < b; });
  return at != sparse_.end() && at->first == number ? at->second : kUnknownField;
}

SplitRules SplitRules::Of(const Contract& contract) {
  SplitRules rules;
  AddMessage(rules, contract.fields(), *contract.report_descriptor(), "");
  return rules;
}

bool IsPacked(ByteSpan bytes, WireType wire) {
  if (wire == WireType::kFixed32) return bytes.size() % 4 == 0;
  if (wire == WireType::kFixed64) return bytes.size() % 8 == 0;
  WireCursor in(bytes);
  while (!in.done()) {
    std::uint64_t ignored = 0;
    if (!in.ReadVarint(ignored)) return false;
  }
  return true;
}

}  // namespace telltale::contract
