#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <array>

#include "contract/check/random_schema_testing.h"

namespace telltale::contract::check::testing {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr std::array<std::string_view, 15> kScalars = {
    "int32",    "int64",    "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64",
    "sfixed32", "sfixed64", "float",  "double", "bool",   "string", "bytes"};

template <typename T>
T& Pick(std::vector<T>& from, Random& random) {
  return from[random.Below(from.size())];
}

bool IsMap(const RandomField& field) { return field.type.starts_with("map<"); }
bool IsNamed(const RandomField& field) { return field.type[0] == 'M' || field.type[0] == 'E'; }
bool IsSingleScalar(const RandomField& field) {
  return !IsMap(field) && !IsNamed(field) && field.label != "repeated" && field.oneof.empty();
}

std::string OtherScalar(const std::string& type, Random& random) {
  while (true) {
    const std::string other(kScalars[random.Below(kScalars.size())]);
    const bool is_kin =
        (type == "string" && other == "bytes") || (type == "bytes" && other == "string");
    if (other != type && !is_kin) return other;
  }
}

void AppendField(std::string& text, const RandomField& field) {
  text += "    " + field.label + (field.label.empty() ? "" : " ") + field.type + " " + field.name +
          " = " + std::to_string(field.number) +
          (field.default_value.empty() ? "" : " [default = " + field.default_value + "]") + ";\n";
}

}  // namespace

std::string RandomSchema::RandomType(Random& random) const {
  const std::uint64_t kind = random.Below(10);
  if (kind == 0) return messages_[random.Below(messages_.size())].name;
  if (kind == 1) return enums_[random.Below(enums_.size())].name;
  if (kind == 2) return "map<string, int32>";
  return std::string(kScalars[random.Below(kScalars.size())]);
}

RandomField RandomSchema::NewField(RandomMessage& message, Random& random) {
  RandomField field;
  field.name = "field_" + std::to_string(names_++);
  message.next += static_cast<int>(random.Below(3));
  field.number = message.next++;
  field.type = RandomType(random);
  if (IsMap(field)) return field;
  field.label = random.Below(5) == 0 ? "repeated" : "optional";
  if (is_proto2_ && field.type == "int32" && field.label == "optional" && random.Below(2) == 0) {
    field.default_value = std::to_string(random.Below(100) + 1);
  }
  return field;
}

RandomSchema RandomSchema::Make(Random& random) {
  RandomSchema schema;
  schema.is_proto2_ = random.Below(2) == 0;
  for (std::uint64_t i = 0; i < 2 + random.Below(3); ++i) {
    schema.messages_.push_back({"M" + std::to_string(i), {}, {}, {}, 1});
  }
  for (std::uint64_t i = 0; i < 2 + random.Below(2); ++i) {
    RandomEnum one{"E" + std::to_string(i), {}, 1};
    for (std::uint64_t v = 0; v < 2 + random.Below(4); ++v) {
      one.values.emplace_back(one.name + "_V" + std::to_string(v), static_cast<int>(v));
    }
    one.next = static_cast<int>(one.values.size());
    schema.enums_.push_back(one);
  }
  for (RandomMessage& message : schema.messages_) {
    for (std::uint64_t i = 0; i < 2 + random.Below(6); ++i) {
      message.fields.push_back(schema.NewField(message, random));
      RandomField& field = message.fields.back();
      if (!schema.is_proto2_ && IsSingleScalar(field) && random.Below(4) == 0) field.label = "";
    }
    if (random.Below(2) == 0) {
      for (int i = 0; i < 2; ++i) {
        RandomField member = schema.NewField(message, random);
        member.type = "int32";
        member.label = member.default_value = "";
        member.oneof = "choice";
        message.fields.push_back(member);
      }
    }
    if (random.Below(2) == 0) {
      message.reserved.emplace_back(message.next, message.next + 3);
      message.next += 4;
      message.reserved_names.push_back("was_" + message.name);
    }
  }
  return schema;
}

std::string RandomSchema::EditAdditively(Random& random) {
  std::string done;
  for (std::uint64_t i = 0; i < 1 + random.Below(4); ++i) {
    RandomMessage& message = Pick(messages_, random);
    RandomEnum& one = Pick(enums_, random);
    switch (random.Below(7)) {
      case 0:
        one.values.emplace_back(one.name + "_N" + std::to_string(names_++), one.next++);
        done += "enum value; ";
        break;
      case 1:
        messages_.push_back({"M" + std::to_string(100 + names_++), {}, {}, {}, 1});
        messages_.back().fields.push_back(NewField(messages_.back(), random));
        done += "message; ";
        break;
      case 2:
        message.reserved.emplace_back(message.next, message.next + 1);
        message.next += 2;
        done += "reserved; ";
        break;
      case 3: {
        std::vector<std::pair<int, int>> split;  // each range in two, or back to front
        for (const auto& [first, last] : message.reserved) {
          if (first < last) split.emplace_back(first + 1, last);
          split.emplace_back(first, first);
        }
        message.reserved = split;
        done += "ranges split; ";
        break;
      }
      case 4:
        std::reverse(message.fields.begin(), message.fields.end());
        done += "order; ";
        break;
      default:
        message.fields.push_back(NewField(message, random));
        done += "field; ";
    }
  }
  return done;
}

std::string RandomSchema::BreakField(RandomMessage& message, Random& random) {
  RandomField& field = Pick(message.fields, random);
  switch (random.Below(7)) {
    case 0: {
      const auto same = std::count_if(message.fields.begin(), message.fields.end(),
                                      [&](const auto& one) { return one.oneof == field.oneof; });
      if (!field.oneof.empty() && same == 1) return "";
      message.fields.erase(message.fields.begin() + (&field - message.fields.data()));
      return "field-removed";
    }
    case 1:
      field.number = message.next++;
      return "field-renumbered";
    case 2:
      field.name = "renamed_" + std::to_string(names_++);
      return "field-renamed";
    case 3:
      field.name = "unused_" + std::to_string(field.number);
      return "field-placeholder";
    case 4:
      if (IsMap(field) || IsNamed(field)) return "";
      field.type = OtherScalar(field.type, random);
      field.default_value = "";
      return "type-changed";
    case 5:
      if (IsMap(field) || !field.oneof.empty() || field.label.empty()) return "";
      field.label = field.label == "repeated" ? "optional" : "repeated";
      field.default_value = "";
      return "cardinality-changed";
    default:
      if (field.type == "string" || field.type == "bytes") {
        field.type = field.type == "string" ? "bytes" : "string";
        return "kind-changed";
      }
      if (field.type[0] != 'E' || is_proto2_) return "";
      field.type = "int32";
      return "kind-changed";
  }
}

std::string RandomSchema::BreakPair(RandomMessage& message, Random& random) {
  RandomField& a = message.fields[random.Below(message.fields.size())];
  RandomField& b = message.fields[random.Below(message.fields.size())];
  if (&a == &b || a.oneof != b.oneof) return "";
  std::swap(a.number, b.number);
  return "fields-swapped";
}

std::string RandomSchema::BreakOneof(RandomMessage& message, Random& random) {
  const std::uint64_t kind = random.Below(4);
  std::vector<RandomField*> members;
  for (RandomField& field : message.fields) {
    if (!field.oneof.empty()) members.push_back(&field);
  }
  if (members.empty()) return "";
  if (kind == 0) {
    for (RandomField* member : members) member->oneof = "other";
    return "oneof-renamed";
  }
  if (kind == 1) {
    for (RandomField* member : members) {
      member->oneof = "";
      member->label = "optional";
    }
    return "oneof-removed";
  }
  if (kind == 2) {
    members[0]->oneof = "";
    members[0]->label = "optional";
    return "oneof-moved";
  }
  for (RandomField& field : message.fields) {
    if (!IsSingleScalar(field) || !field.default_value.empty()) continue;
    field.oneof = members[0]->oneof;
    field.label = "";
    return "oneof-moved";
  }
  return "";
}

std::string RandomSchema::BreakEnum(Random& random) {
  RandomEnum& one = Pick(enums_, random);
  const std::size_t at = 1 + random.Below(one.values.size() - 1);
  switch (random.Below(5)) {
    case 0:
      one.values.erase(one.values.begin() + static_cast<std::ptrdiff_t>(at));
      return "enum-value-removed";
    case 1:
      one.values[at].first += "_RENAMED";
      return "enum-value-renamed";
    case 2:
      one.values[at].second = one.next++;
      return "enum-value-renumbered";
    case 3:
      if (one.values.size() < 3) return "";
      std::swap(one.values[1].second, one.values[2].second);
      return "enum-values-swapped";
    default:
      one.values[0].first += "_OTHER";
      return "enum-zero-changed";
  }
}

std::string RandomSchema::BreakReserved(RandomMessage& message, Random& random) {
  if (message.reserved.empty() || message.reserved_names.empty()) return "";
  RandomField field = NewField(message, random);
  switch (random.Below(4)) {
    case 0:
      message.reserved.pop_back();
      return "reserved-number-removed";
    case 1:
      message.reserved_names.pop_back();
      return "reserved-name-removed";
    case 2:
      field.name = message.reserved_names.back();
      message.reserved_names.pop_back();
      message.fields.push_back(field);
      return "name-reused";
    default:
      field.number = message.reserved.back().first++;
      if (message.reserved.back().first > message.reserved.back().second) {
        message.reserved.pop_back();
      }
      message.fields.push_back(field);
      return "number-reused";
  }
}

std::string RandomSchema::AddBadField(RandomMessage& message, Random& random) {
  RandomField field = NewField(message, random);
  field.type = "int32";
  field.default_value = "";
  field.label = is_proto2_ ? "required" : "";
  message.fields.push_back(field);
  return is_proto2_ ? "required-added" : "presence-missing";
}

std::string RandomSchema::EditBreaking(Random& random) {
  RandomMessage& message = Pick(messages_, random);
  switch (random.Below(8)) {
    case 0:
      return BreakPair(message, random);
    case 1:
      return BreakOneof(message, random);
    case 2:
      return BreakEnum(random);
    case 3:
      return BreakReserved(message, random);
    case 4:
      return AddBadField(message, random);
    case 5: {
      RandomField& field = Pick(message.fields, random);
      if (!is_proto2_ && IsSingleScalar(field)) {
        field.label = field.label.empty() ? "optional" : "";
        return "presence-changed";
      }
      if (field.default_value.empty()) return "";
      field.default_value += "1";
      return "default-changed";
    }
    default:
      return BreakField(message, random);
  }
}

std::string RandomSchema::ToText() const {
  std::string text = "syntax = \"";
  text += is_proto2_ ? "proto2" : "proto3";
  text += "\";\npackage p;\n";
  for (const RandomEnum& one : enums_) {
    text += "enum " + one.name + " {\n";
    for (const auto& [name, number] : one.values) {
      text += "  " + name + " = " + std::to_string(number) + ";\n";
    }
    text += "}\n";
  }
  for (const RandomMessage& message : messages_) {
    text += "message " + message.name + " {\n";
    std::set<std::string> oneofs;
    for (const RandomField& field : message.fields) {
      if (field.oneof.empty()) AppendField(text, field);
      if (!field.oneof.empty()) oneofs.insert(field.oneof);
    }
    for (const std::string& oneof : oneofs) {
      text += "  oneof " + oneof + " {\n";
      for (const RandomField& field : message.fields) {
        if (field.oneof == oneof) AppendField(text, field);
      }
      text += "  }\n";
    }
    for (const auto& [first, last] : message.reserved) {
      text += "  reserved " + std::to_string(first) + " to " + std::to_string(last) + ";\n";
    }
    for (const std::string& name : message.reserved_names) text += "  reserved \"" + name + "\";\n";
    text += "}\n";
  }
  return text;
}

void FillRandomly(Message& message, Random& random, int depth) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  const google::protobuf::Descriptor& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor* field = type.field(i);
    if (random.Below(3) == 0) continue;
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      if (depth > 2 || field->is_map()) continue;
      FillRandomly(field->is_repeated() ? *reflection.AddMessage(&message, field)
                                        : *reflection.MutableMessage(&message, field),
                   random, depth + 1);
    } else if (field->type() == FieldDescriptor::TYPE_INT64 && !field->is_repeated()) {
      reflection.SetInt64(&message, field, static_cast<std::int64_t>(random.NextU64()));
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE && !field->is_repeated()) {
      reflection.SetDouble(&message, field, static_cast<double>(random.Below(1000)) / 8);
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING && !field->is_repeated()) {
      reflection.SetString(&message, field, std::string(random.Below(9), 'x'));
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_INT32 && field->is_repeated()) {
      for (int n = 0; n < 3; ++n) reflection.AddInt32(&message, field, n - 1);
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_INT32) {
      reflection.SetInt32(&message, field, static_cast<std::int32_t>(random.NextU64()));
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_ENUM && !field->is_repeated()) {
      const auto& values = *field->enum_type();
      const auto at =
          static_cast<int>(random.Below(static_cast<std::uint64_t>(values.value_count())));
      reflection.SetEnum(&message, field, values.value(at));
    }
  }
}

std::string DeterministicBytes(const Message& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializePartialToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

}  // namespace telltale::contract::check::testing
