#include "contract/field_options.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/unknown_field_set.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "contract/open_text.h"
#include "contract/transforms.h"

namespace telltale::contract {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::DynamicMessageFactory;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::UnknownField;
using google::protobuf::UnknownFieldSet;

constexpr std::size_t kColumnBytesMax = 100;

ValueType TypeOf(const FieldDescriptor& field) {
  switch (field.type()) {
    case FieldDescriptor::TYPE_BYTES:
      return ValueType::kBytes;
    case FieldDescriptor::TYPE_STRING:
      return ValueType::kString;
    default:
      break;
  }
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return ValueType::kInt32;
    case FieldDescriptor::CPPTYPE_INT64:
      return ValueType::kInt64;
    case FieldDescriptor::CPPTYPE_UINT32:
      return ValueType::kUint32;
    case FieldDescriptor::CPPTYPE_UINT64:
      return ValueType::kUint64;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return ValueType::kDouble;
    case FieldDescriptor::CPPTYPE_FLOAT:
      return ValueType::kFloat;
    case FieldDescriptor::CPPTYPE_BOOL:
      return ValueType::kBool;
    case FieldDescriptor::CPPTYPE_ENUM:
      return ValueType::kEnum;
    case FieldDescriptor::CPPTYPE_STRING:
      return ValueType::kString;
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return ValueType::kMessage;
  }
  return ValueType::kBytes;
}

// The option message of one field, read member by member; a member that this contract's
// options.proto lacks, or has with another type, reads as absent.
class OptionReader {
 public:
  explicit OptionReader(const Message& option)
      : option_(option), reflection_(*option.GetReflection()) {}

  std::string Text(const char* name) const {
    const FieldDescriptor* field = Find(name, FieldDescriptor::CPPTYPE_STRING);
    return field == nullptr ? "" : reflection_.GetString(option_, field);
  }
  bool Flag(const char* name) const {
    const FieldDescriptor* field = Find(name, FieldDescriptor::CPPTYPE_BOOL);
    return field != nullptr && reflection_.GetBool(option_, field);
  }
  int Number(const char* name) const {
    const FieldDescriptor* field = Find(name, FieldDescriptor::CPPTYPE_ENUM);
    return field == nullptr ? 0 : reflection_.GetEnumValue(option_, field);
  }
  std::optional<double> Bound(const char* name) const {
    const FieldDescriptor* field = Find(name, FieldDescriptor::CPPTYPE_DOUBLE);
    if (field == nullptr || !reflection_.HasField(option_, field)) return std::nullopt;
    return reflection_.GetDouble(option_, field);
  }
  std::vector<std::string> Texts(const char* name) const {
    std::vector<std::string> texts;
    const FieldDescriptor* field = Find(name, FieldDescriptor::CPPTYPE_STRING, true);
    if (field == nullptr) return texts;
    for (int i = 0; i < reflection_.FieldSize(option_, field); ++i) {
      texts.push_back(reflection_.GetRepeatedString(option_, field, i));
    }
    return texts;
  }
  Transform ReadTransform() const {
    Transform transform;
    transform.scale = Bound("scale").value_or(1);
    transform.offset = Bound("offset").value_or(0);
    ForEach("map", [&](const OptionReader& mapping) {
      transform.map.emplace_back(mapping.Text("from"), mapping.Text("to"));
    });
    return transform;
  }
  std::vector<Source> Sources() const {
    std::vector<Source> sources;
    ForEach("from", [&](const OptionReader& source) {
      sources.push_back({source.Text("field"), source.ReadTransform()});
    });
    return sources;
  }

 private:
  const FieldDescriptor* Find(const char* name, FieldDescriptor::CppType type,
                              bool repeated = false) const {
    const FieldDescriptor* field = option_.GetDescriptor()->FindFieldByName(name);
    if (field == nullptr || field->is_repeated() != repeated || field->cpp_type() != type) {
      return nullptr;
    }
    return field;
  }
  template <typename Visit>
  void ForEach(const char* name, const Visit& visit) const {
    const FieldDescriptor* field = Find(name, FieldDescriptor::CPPTYPE_MESSAGE, true);
    if (field == nullptr) return;
    for (int i = 0; i < reflection_.FieldSize(option_, field); ++i) {
      visit(OptionReader(reflection_.GetRepeatedMessage(option_, field, i)));
    }
  }
  const Message& option_;
  const google::protobuf::Reflection& reflection_;
};

Privacy PrivacyOf(int number) {
  switch (number) {
    case 1:
      return Privacy::kOpen;
    case 2:
      return Privacy::kPrecise;
    case 4:
      return Privacy::kLinking;
    default:
      return Privacy::kIdentity;  // unspecified, or a class of a newer contract: sealed
  }
}

bool IsColumnName(const std::string& text) {
  if (text.empty() || text.size() > kColumnBytesMax) return false;
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  };
  return (text[0] < '0' || text[0] > '9') && std::all_of(text.begin(), text.end(), is_plain);
}

Status CheckField(const Field& field, const std::string& full_name, bool top_level) {
  const auto invalid = [&](const char* why) {
    return Error{Code::kInvalid, "contract field " + full_name + ": " + why};
  };
  if (!IsColumnName(field.column)) {
    return invalid("the column must be lower case letters, digits and _, at most 100");
  }
  const double low = field.min.value_or(-INFINITY);
  const double high = field.max.value_or(INFINITY);
  if (std::isnan(low) || std::isnan(high) || low > high) return invalid("min is above max");
  if (field.safety && field.privacy != Privacy::kOpen) return invalid("safety needs class OPEN");
  if (field.privacy == Privacy::kOpen && field.type == ValueType::kBytes) {
    return invalid("bytes cannot be OPEN: nothing bounds what they say");
  }
  if (top_level && field.derived != (field.number >= kFieldFirstDerived)) {
    return invalid("derived fields, and only those, have numbers from 10,000");
  }
  if (!top_level && field.derived) return invalid("a member of a message cannot be derived");
  if (const Status text = CheckOpenText(field); !text.ok()) {
    return invalid(text.error().message.c_str());
  }
  return Ok();
}

class FieldReader {
 public:
  explicit FieldReader(const DescriptorPool& pool) : factory_(&pool) {
    extension_ = pool.FindExtensionByName("telltale.v1.field");
  }

  bool has_option() const {
    return extension_ != nullptr && extension_->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
           !extension_->is_repeated();
  }

  Result<std::vector<Field>> Read(const Descriptor& message, int depth) {
    if (depth > kNestingMax) {
      return Error{Code::kInvalid, "contract message " + message.full_name() +
                                       ": nested too deep or recursive; the limit is 8"};
    }
    std::vector<Field> fields;
    std::set<std::string> columns;
    for (int i = 0; i < message.field_count(); ++i) {
      const FieldDescriptor& descriptor = *message.field(i);
      ASSIGN_OR_RETURN(Field field, ReadOne(descriptor, depth));
      fields.push_back(std::move(field));
    }
    for (const Field& field : fields) {
      if (FeedsAnother(fields, field) || columns.insert(field.column).second) continue;
      return Error{Code::kInvalid, "contract field " + message.full_name() + "." + field.name +
                                       ": its column is taken"};
    }
    RETURN_IF_ERROR(CheckTransforms(fields, message.full_name(), depth == 0));
    std::sort(fields.begin(), fields.end(),
              [](const Field& a, const Field& b) { return a.number < b.number; });
    return fields;
  }

 private:
  Result<Field> ReadOne(const FieldDescriptor& descriptor, int depth) {
    if (descriptor.type() == FieldDescriptor::TYPE_GROUP) {
      return Error{Code::kInvalid, "contract field " + descriptor.full_name() + ": is a group"};
    }
    Field field;
    field.number = static_cast<std::uint32_t>(descriptor.number());
    field.name = descriptor.name();
    field.column = descriptor.name();
    field.type = TypeOf(descriptor);
    field.repeated = descriptor.is_repeated();
    RETURN_IF_ERROR(ReadOption(descriptor, field));
    if (const auto* values = descriptor.enum_type(); values != nullptr) {
      for (int i = 0; i < values->value_count(); ++i) {
        field.enum_values.emplace_back(values->value(i)->number(), values->value(i)->name());
      }
    }
    if (field.type == ValueType::kMessage) {
      ASSIGN_OR_RETURN(field.members, Read(*descriptor.message_type(), depth + 1));
    }
    RETURN_IF_ERROR(CheckField(field, descriptor.full_name(), depth == 0));
    return field;
  }

  // The option arrives as an unknown field of FieldOptions, or as a known extension when some
  // library of this process has compiled options.proto in: the serialised form is the same.
  Status ReadOption(const FieldDescriptor& descriptor, Field& field) {
    UnknownFieldSet raw;
    if (!raw.ParseFromString(descriptor.options().SerializeAsString())) return Ok();
    std::unique_ptr<Message> option(factory_.GetPrototype(extension_->message_type())->New());
    bool found = false;
    for (int i = 0; i < raw.field_count(); ++i) {
      const UnknownField& candidate = raw.field(i);
      if (candidate.number() != extension_->number() ||
          candidate.type() != UnknownField::TYPE_LENGTH_DELIMITED) {
        continue;
      }
      if (!option->MergeFromString(candidate.length_delimited())) {
        return Error{Code::kInvalid,
                     "contract field " + descriptor.full_name() + ": its option cannot be read"};
      }
      found = true;
    }
    if (!found) return Ok();  // stays sealed
    const OptionReader reader(*option);
    field.unit = reader.Text("unit");
    field.min = reader.Bound("min");
    field.max = reader.Bound("max");
    field.privacy = PrivacyOf(reader.Number("privacy"));
    field.safety = reader.Flag("safety");
    if (std::string column = reader.Text("column"); !column.empty()) field.column = column;
    field.vss_path = reader.Text("vss_path");
    field.first_firmware = reader.Text("first_firmware");
    if (field.first_firmware.empty()) field.first_firmware = "1.0.0";
    field.values = reader.Texts("values");
    field.pattern = reader.Text("pattern");
    field.transform = reader.ReadTransform();
    field.from = reader.Sources();
    field.derived = reader.Flag("derived");
    return Ok();
  }

  DynamicMessageFactory factory_;
  const FieldDescriptor* extension_ = nullptr;
};

}  // namespace

Result<std::vector<Field>> ReadFields(const DescriptorPool& pool, const Descriptor& report) {
  FieldReader reader(pool);
  if (!reader.has_option()) {
    return Error{Code::kInvalid, "contract descriptor set: no option telltale.v1.field"};
  }
  return reader.Read(report, 0);
}

}  // namespace telltale::contract
