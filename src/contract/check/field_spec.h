// What a version says of its fields in our own options (telltale.v1.field, telltale.v1.block), read
// by reflection with the option's definition in that same version: an older version without some
// member reads as if it were absent. One thread at a time.
#pragma once

#include <google/protobuf/dynamic_message.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace google::protobuf {
class Descriptor;
class DescriptorPool;
class FieldDescriptor;
}  // namespace google::protobuf

namespace telltale::contract::check {

// By how much they protect; a field without a class is sealed as IDENTITY is.
enum class PrivacyClass { kOpen, kLinking, kPrecise, kIdentity, kNone };

std::string_view ClassName(PrivacyClass of);
int Protection(PrivacyClass of);

// Into a column: value * scale + offset, or one value by another.
struct Transform {
  double scale = 1;
  double offset = 0;
  std::map<std::string, std::string> map;
};

struct FieldSpec {
  std::string unit;
  std::optional<double> min;
  std::optional<double> max;
  PrivacyClass privacy = PrivacyClass::kNone;
  bool safety = false;
  bool derived = false;
  std::string column;  // as given; empty: the field's name
  std::vector<std::string> values;
  std::string pattern;
  Transform transform;
  std::map<std::string, Transform> from;
};

struct NumberBlock {
  std::string name;
  int first = 0;
  int last = 0;  // included
};

class SpecReader {
 public:
  explicit SpecReader(const google::protobuf::DescriptorPool& pool);

  // The version has the option telltale.v1.field at all.
  bool exists() const { return field_option_ != nullptr; }
  // The option as it is stored; empty when the field has none.
  std::string Raw(const google::protobuf::FieldDescriptor& field) const;
  FieldSpec Read(const std::string& raw);
  std::vector<NumberBlock> Blocks(const google::protobuf::Descriptor& message);

 private:
  google::protobuf::DynamicMessageFactory factory_;
  const google::protobuf::FieldDescriptor* field_option_ = nullptr;
  const google::protobuf::FieldDescriptor* block_option_ = nullptr;
  const google::protobuf::FieldDescriptor* field_compiled_in_ = nullptr;
  const google::protobuf::FieldDescriptor* block_compiled_in_ = nullptr;
};

}  // namespace telltale::contract::check
