// One version's types by full name, as the comparison walks them. One thread at a time.
#pragma once

#include <google/protobuf/descriptor.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "contract/check/check.h"
#include "contract/check/field_spec.h"
#include "contract/check/intervals.h"

namespace telltale::contract::check {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::OneofDescriptor;
using google::protobuf::ServiceDescriptor;

inline constexpr std::int64_t kFieldNumbersEnd = FieldDescriptor::kMaxNumber + 1;

// The fields of a message, or the extensions of one: by number and by name. Extensions go by their
// full name.
class FieldSet {
 public:
  FieldSet() = default;
  explicit FieldSet(const Descriptor& message);
  void AddExtension(const FieldDescriptor* field);
  const FieldDescriptor* ByNumber(int number) const;
  const FieldDescriptor* ByName(const std::string& name) const;
  const std::vector<const FieldDescriptor*>& all() const { return all_; }
  static const std::string& NameOf(const FieldDescriptor& field);

 private:
  const Descriptor* message_ = nullptr;  // knows its fields by number and name itself
  std::vector<const FieldDescriptor*> all_;
  std::unordered_map<int, const FieldDescriptor*> by_number_;
  std::unordered_map<std::string_view, const FieldDescriptor*> by_name_;
};

class Schema {
 public:
  // `pool` and `paths` must outlive this.
  Schema(const google::protobuf::DescriptorPool& pool, std::vector<const FileDescriptor*> files,
         const ShownPaths& paths);

  const std::vector<const FileDescriptor*>& files() const { return files_; }
  // Without map entries; a message before those within.
  const std::vector<const Descriptor*>& messages() const { return messages_; }
  const std::vector<const EnumDescriptor*>& enums() const { return enums_; }
  const std::vector<const ServiceDescriptor*>& services() const { return services_; }
  // By the full name of the message they extend.
  const std::map<std::string, FieldSet>& extensions() const { return extensions_; }
  const FileDescriptor* FindFile(std::string_view name) const;
  const Descriptor* FindMessage(std::string_view full_name) const;
  const EnumDescriptor* FindEnum(std::string_view full_name) const;
  const FieldSet& FieldsOf(const Descriptor& message) const;
  SpecReader& specs() const { return *specs_; }
  // Our option of the field, parsed once.
  const FieldSpec& SpecOf(const FieldDescriptor& field) const;

  template <typename AnyDescriptor>
  Place PlaceOf(const AnyDescriptor& of) const {
    google::protobuf::SourceLocation location;
    return of.GetSourceLocation(&location) ? PlaceAt(FileOf(of), location) : PlaceIn(FileOf(of));
  }
  Place PlaceIn(const FileDescriptor& file) const;
  // Of the line `package ...;`.
  Place PlaceOfPackage(const FileDescriptor& file) const;

 private:
  static const FileDescriptor& FileOf(const OneofDescriptor& of) {
    return *of.containing_type()->file();
  }
  static const FileDescriptor& FileOf(const EnumValueDescriptor& of) { return *of.type()->file(); }
  static const FileDescriptor& FileOf(const google::protobuf::MethodDescriptor& of) {
    return *of.service()->file();
  }
  template <typename AnyDescriptor>
  static const FileDescriptor& FileOf(const AnyDescriptor& of) {
    return *of.file();
  }
  Place PlaceAt(const FileDescriptor& file, const google::protobuf::SourceLocation& at) const;
  void AddMessage(const Descriptor& message);
  void AddExtension(const FieldDescriptor& field);

  std::vector<const FileDescriptor*> files_;
  const ShownPaths* paths_;
  std::vector<const Descriptor*> messages_;
  std::vector<const EnumDescriptor*> enums_;
  std::vector<const ServiceDescriptor*> services_;
  std::map<std::string, FieldSet> extensions_;
  std::unordered_map<std::string_view, const Descriptor*> message_by_name_;
  std::unordered_map<std::string_view, const EnumDescriptor*> enum_by_name_;
  std::unordered_map<const Descriptor*, FieldSet> fields_;
  std::unique_ptr<SpecReader> specs_;
  mutable std::unordered_map<const FieldDescriptor*, FieldSpec> spec_by_field_;
};

IntervalSet ReservedNumbers(const Descriptor& message);
IntervalSet ReservedNumbers(const EnumDescriptor& values);  // closed in the descriptor
IntervalSet ExtensionNumbers(const Descriptor& message);

}  // namespace telltale::contract::check
