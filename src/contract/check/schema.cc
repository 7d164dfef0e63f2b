#include "contract/check/schema.h"

#include <fmt/format.h>

namespace telltale::contract::check {

std::string Place::ToString() const {
  return line == 0 ? file : fmt::format("{}:{}:{}", file, line, column);
}

FieldSet::FieldSet(const Descriptor& message) : message_(&message) {
  all_.reserve(static_cast<std::size_t>(message.field_count()));
  for (int i = 0; i < message.field_count(); ++i) all_.push_back(message.field(i));
}

void FieldSet::AddExtension(const FieldDescriptor* field) {
  all_.push_back(field);
  by_number_.emplace(field->number(), field);
  by_name_.emplace(NameOf(*field), field);
}

const FieldDescriptor* FieldSet::ByNumber(int number) const {
  if (message_ != nullptr) return message_->FindFieldByNumber(number);
  const auto at = by_number_.find(number);
  return at == by_number_.end() ? nullptr : at->second;
}

const FieldDescriptor* FieldSet::ByName(const std::string& name) const {
  if (message_ != nullptr) return message_->FindFieldByName(name);
  const auto at = by_name_.find(name);
  return at == by_name_.end() ? nullptr : at->second;
}

const std::string& FieldSet::NameOf(const FieldDescriptor& field) {
  return field.is_extension() ? field.full_name() : field.name();
}

Schema::Schema(const google::protobuf::DescriptorPool& pool,
               std::vector<const FileDescriptor*> files, const ShownPaths& paths)
    : files_(std::move(files)), paths_(&paths), specs_(std::make_unique<SpecReader>(pool)) {
  for (const FileDescriptor* file : files_) {
    for (int i = 0; i < file->message_type_count(); ++i) AddMessage(*file->message_type(i));
    for (int i = 0; i < file->enum_type_count(); ++i) enums_.push_back(file->enum_type(i));
    for (int i = 0; i < file->extension_count(); ++i) AddExtension(*file->extension(i));
    for (int i = 0; i < file->service_count(); ++i) services_.push_back(file->service(i));
  }
  for (const Descriptor* message : messages_)
    message_by_name_.emplace(message->full_name(), message);
  for (const EnumDescriptor* one : enums_) enum_by_name_.emplace(one->full_name(), one);
}

// Nested types are nested at most as deep as the parser allows (100).
void Schema::AddMessage(const Descriptor& message) {
  if (message.options().map_entry()) return;
  messages_.push_back(&message);
  fields_.emplace(&message, FieldSet(message));
  for (int i = 0; i < message.enum_type_count(); ++i) enums_.push_back(message.enum_type(i));
  for (int i = 0; i < message.extension_count(); ++i) AddExtension(*message.extension(i));
  for (int i = 0; i < message.nested_type_count(); ++i) AddMessage(*message.nested_type(i));
}

void Schema::AddExtension(const FieldDescriptor& field) {
  extensions_[field.containing_type()->full_name()].AddExtension(&field);
}

const FileDescriptor* Schema::FindFile(std::string_view name) const {
  for (const FileDescriptor* file : files_) {
    if (file->name() == name) return file;
  }
  return nullptr;
}

const Descriptor* Schema::FindMessage(std::string_view full_name) const {
  const auto at = message_by_name_.find(full_name);
  return at == message_by_name_.end() ? nullptr : at->second;
}

const EnumDescriptor* Schema::FindEnum(std::string_view full_name) const {
  const auto at = enum_by_name_.find(full_name);
  return at == enum_by_name_.end() ? nullptr : at->second;
}

const FieldSet& Schema::FieldsOf(const Descriptor& message) const {
  static const FieldSet kNone;
  const auto at = fields_.find(&message);
  return at == fields_.end() ? kNone : at->second;
}

const FieldSpec& Schema::SpecOf(const FieldDescriptor& field) const {
  const auto [at, is_new] = spec_by_field_.try_emplace(&field);
  if (is_new) at->second = specs_->Read(specs_->Raw(field));
  return at->second;
}

Place Schema::PlaceIn(const FileDescriptor& file) const {
  const auto at = paths_->find(file.name());
  return {at == paths_->end() ? file.name() : at->second, 0, 0};
}

Place Schema::PlaceAt(const FileDescriptor& file,
                      const google::protobuf::SourceLocation& at) const {
  Place place = PlaceIn(file);
  place.line = at.start_line + 1;
  place.column = at.start_column + 1;
  return place;
}

Place Schema::PlaceOfPackage(const FileDescriptor& file) const {
  google::protobuf::SourceLocation location;
  const bool known = file.GetSourceLocation(
      {google::protobuf::FileDescriptorProto::kPackageFieldNumber}, &location);
  return known ? PlaceAt(file, location) : PlaceIn(file);
}

IntervalSet ReservedNumbers(const Descriptor& message) {
  IntervalSet set;
  for (int i = 0; i < message.reserved_range_count(); ++i) {
    set.Add(message.reserved_range(i)->start, message.reserved_range(i)->end);
  }
  return set;
}

IntervalSet ReservedNumbers(const EnumDescriptor& values) {
  IntervalSet set;
  for (int i = 0; i < values.reserved_range_count(); ++i) {
    set.Add(values.reserved_range(i)->start, std::int64_t{values.reserved_range(i)->end} + 1);
  }
  return set;
}

IntervalSet ExtensionNumbers(const Descriptor& message) {
  IntervalSet set;
  for (int i = 0; i < message.extension_range_count(); ++i) {
    set.Add(message.extension_range(i)->start, message.extension_range(i)->end);
  }
  return set;
}

}  // namespace telltale::contract::check
