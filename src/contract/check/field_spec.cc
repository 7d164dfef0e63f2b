#include "contract/check/field_spec.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/unknown_field_set.h>

#include <array>
#include <memory>

namespace telltale::contract::check {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::UnknownField;
using google::protobuf::UnknownFieldSet;

// One option message, member by member; a member that this version lacks, or has with another
// type, reads as absent.
class Members {
 public:
  explicit Members(const Message& message)
      : message_(message), reflection_(*message.GetReflection()) {}

  std::string Text(const char* name) const {
    const FieldDescriptor* field = Find(name, FieldDescriptor::CPPTYPE_STRING);
    return field == nullptr ? "" : reflection_.GetString(message_, field);
  }
  bool Flag(const char* name) const {
    const FieldDescriptor* field = Find(name, FieldDescriptor::CPPTYPE_BOOL);
    return field != nullptr && reflection_.GetBool(message_, field);
  }
  int EnumNumber(const char* name) const {
    const FieldDescriptor* field = Find(name, FieldDescriptor::CPPTYPE_ENUM);
    return field == nullptr ? 0 : reflection_.GetEnumValue(message_, field);
  }
  int Number(const char* name) const {
    const FieldDescriptor* field = Find(name, FieldDescriptor::CPPTYPE_UINT32);
    return field == nullptr ? 0 : static_cast<int>(reflection_.GetUInt32(message_, field));
  }
  std::optional<double> Double(const char* name) const {
    const FieldDescriptor* field = Find(name, FieldDescriptor::CPPTYPE_DOUBLE);
    if (field == nullptr || !reflection_.HasField(message_, field)) return std::nullopt;
    return reflection_.GetDouble(message_, field);
  }
  std::vector<std::string> Texts(const char* name) const {
    std::vector<std::string> all;
    const FieldDescriptor* field = Find(name, FieldDescriptor::CPPTYPE_STRING, true);
    for (int i = 0; field != nullptr && i < reflection_.FieldSize(message_, field); ++i) {
      all.push_back(reflection_.GetRepeatedString(message_, field, i));
    }
    return all;
  }
  template <typename Visit>
  void ForEach(const char* name, const Visit& visit) const {
    const FieldDescriptor* field = Find(name, FieldDescriptor::CPPTYPE_MESSAGE, true);
    for (int i = 0; field != nullptr && i < reflection_.FieldSize(message_, field); ++i) {
      visit(Members(reflection_.GetRepeatedMessage(message_, field, i)));
    }
  }

 private:
  const FieldDescriptor* Find(const char* name, FieldDescriptor::CppType type,
                              bool repeated = false) const {
    const FieldDescriptor* field = message_.GetDescriptor()->FindFieldByName(name);
    if (field == nullptr || field->is_repeated() != repeated || field->cpp_type() != type) {
      return nullptr;
    }
    return field;
  }
  const Message& message_;
  const google::protobuf::Reflection& reflection_;
};

Transform TransformOf(const Members& members) {
  Transform transform;
  transform.scale = members.Double("scale").value_or(1);
  transform.offset = members.Double("offset").value_or(0);
  members.ForEach("map", [&](const Members& mapping) {
    transform.map.emplace(mapping.Text("from"), mapping.Text("to"));
  });
  return transform;
}

PrivacyClass ClassOf(int number) {
  switch (number) {
    case 1:
      return PrivacyClass::kOpen;
    case 2:
      return PrivacyClass::kPrecise;
    case 3:
      return PrivacyClass::kIdentity;
    case 4:
      return PrivacyClass::kLinking;
    default:
      return PrivacyClass::kNone;
  }
}

// The option arrives as an unknown field of the options, or as a known extension (`compiled_in`,
// else null) when some library of this process has compiled options.proto in.
template <typename Visit>
void ForEachRaw(const Message& options, int number, const FieldDescriptor* compiled_in,
                const Visit& visit) {
  const google::protobuf::Reflection& reflection = *options.GetReflection();
  const UnknownFieldSet& unknown = reflection.GetUnknownFields(options);
  for (int i = 0; i < unknown.field_count(); ++i) {
    const UnknownField& one = unknown.field(i);
    if (one.number() == number && one.type() == UnknownField::TYPE_LENGTH_DELIMITED) {
      visit(one.length_delimited());
    }
  }
  if (compiled_in == nullptr) return;
  if (!compiled_in->is_repeated()) {
    if (!reflection.HasField(options, compiled_in)) return;
    return visit(reflection.GetMessage(options, compiled_in).SerializePartialAsString());
  }
  for (int i = 0; i < reflection.FieldSize(options, compiled_in); ++i) {
    visit(reflection.GetRepeatedMessage(options, compiled_in, i).SerializePartialAsString());
  }
}

const FieldDescriptor* FindCompiledIn(const FieldDescriptor* option) {
  if (option == nullptr) return nullptr;
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  const Descriptor* extendee = pool.FindMessageTypeByName(option->containing_type()->full_name());
  const FieldDescriptor* found =
      extendee == nullptr ? nullptr : pool.FindExtensionByNumber(extendee, option->number());
  const bool is_message = found != nullptr && found->message_type() != nullptr;
  return is_message ? found : nullptr;
}

const FieldDescriptor* FindOption(const DescriptorPool& pool, const char* name,
                                  const char* extendee, bool repeated) {
  const FieldDescriptor* option = pool.FindExtensionByName(name);
  if (option == nullptr || option->type() != FieldDescriptor::TYPE_MESSAGE) return nullptr;
  if (option->is_repeated() != repeated) return nullptr;
  return option->containing_type()->full_name() == extendee ? option : nullptr;
}

}  // namespace

std::string_view ClassName(PrivacyClass of) {
  constexpr std::array<std::string_view, 5> kNames = {"OPEN", "LINKING", "PRECISE", "IDENTITY",
                                                      "no class"};
  return kNames[static_cast<std::size_t>(of)];
}

int Protection(PrivacyClass of) {
  return static_cast<int>(of == PrivacyClass::kNone ? PrivacyClass::kIdentity : of);
}

SpecReader::SpecReader(const DescriptorPool& pool) : factory_(&pool) {
  field_option_ = FindOption(pool, "telltale.v1.field", "google.protobuf.FieldOptions", false);
  block_option_ = FindOption(pool, "telltale.v1.block", "google.protobuf.MessageOptions", true);
  field_compiled_in_ = FindCompiledIn(field_option_);
  block_compiled_in_ = FindCompiledIn(block_option_);
}

std::string SpecReader::Raw(const FieldDescriptor& field) const {
  std::string all;  // protobuf merges an option that is there twice: so does concatenation
  if (field_option_ == nullptr) return all;
  ForEachRaw(field.options(), field_option_->number(), field_compiled_in_,
             [&](const std::string& bytes) { all += bytes; });
  return all;
}

FieldSpec SpecReader::Read(const std::string& raw) {
  FieldSpec spec;
  if (field_option_ == nullptr || raw.empty()) return spec;
  std::unique_ptr<Message> option(factory_.GetPrototype(field_option_->message_type())->New());
  if (!option->ParsePartialFromString(raw)) return spec;
  const Members members(*option);
  spec.unit = members.Text("unit");
  spec.min = members.Double("min");
  spec.max = members.Double("max");
  spec.privacy = ClassOf(members.EnumNumber("privacy"));
  spec.safety = members.Flag("safety");
  spec.derived = members.Flag("derived");
  spec.column = members.Text("column");
  spec.values = members.Texts("values");
  spec.pattern = members.Text("pattern");
  spec.transform = TransformOf(members);
  members.ForEach("from", [&](const Members& source) {
    spec.from.emplace(source.Text("field"), TransformOf(source));
  });
  return spec;
}

std::vector<NumberBlock> SpecReader::Blocks(const Descriptor& message) {
  std::vector<NumberBlock> blocks;
  if (block_option_ == nullptr) return blocks;
  ForEachRaw(
      message.options(), block_option_->number(), block_compiled_in_,
      [&](const std::string& bytes) {
        std::unique_ptr<Message> option(
            factory_.GetPrototype(block_option_->message_type())->New());
        if (!option->ParsePartialFromString(bytes)) return;
        const Members members(*option);
        blocks.push_back({members.Text("name"), members.Number("first"), members.Number("last")});
      });
  return blocks;
}

}  // namespace telltale::contract::check
