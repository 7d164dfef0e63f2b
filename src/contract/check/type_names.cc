#include "contract/check/type_names.h"

#include <algorithm>

namespace telltale::contract::check {
namespace {

const Descriptor* Find(const Schema& schema, const Descriptor& like) {
  return schema.FindMessage(like.full_name());
}
const EnumDescriptor* Find(const Schema& schema, const EnumDescriptor& like) {
  return schema.FindEnum(like.full_name());
}

const std::vector<const Descriptor*>& All(const Schema& schema, const Descriptor*) {
  return schema.messages();
}
const std::vector<const EnumDescriptor*>& All(const Schema& schema, const EnumDescriptor*) {
  return schema.enums();
}

int Size(const Descriptor& message) { return message.field_count(); }
int Size(const EnumDescriptor& values) { return values.value_count(); }

// All that `before` holds is in `now` under the same number and name.
bool Holds(const Descriptor& now, const Descriptor& before) {
  for (int i = 0; i < before.field_count(); ++i) {
    const FieldDescriptor* field = now.FindFieldByNumber(before.field(i)->number());
    if (field == nullptr || field->name() != before.field(i)->name()) return false;
  }
  return true;
}
bool Holds(const EnumDescriptor& now, const EnumDescriptor& before) {
  for (int i = 0; i < before.value_count(); ++i) {
    const EnumValueDescriptor* value = now.FindValueByName(before.value(i)->name());
    if (value == nullptr || value->number() != before.value(i)->number()) return false;
  }
  return true;
}

std::string WithPackage(const std::string& full_name, const FileDescriptor& before,
                        const FileDescriptor& now) {
  const std::size_t skipped = before.package().empty() ? 0 : before.package().size() + 1;
  const std::string rest = full_name.substr(skipped);
  return now.package().empty() ? rest : now.package() + "." + rest;
}

}  // namespace

TypeNames::TypeNames(const Schema& before, const Schema& now) : before_(before), now_(now) {
  FindPackageMoves();
  FindMoves();
  FollowGroups();
}

const std::string& TypeNames::NowName(const std::string& before_name) const {
  const auto at = now_names_.find(before_name);
  return at == now_names_.end() ? before_name : at->second;
}

void TypeNames::FindPackageMoves() {
  for (const FileDescriptor* before : before_.files()) {
    const FileDescriptor* now = now_.FindFile(before->name());
    if (now == nullptr || now->package() == before->package()) continue;
    const std::size_t known = now_names_.size();
    for (const Descriptor* message : before_.messages()) {
      if (message->file() != before || Find(now_, *message) != nullptr) continue;
      const std::string name = WithPackage(message->full_name(), *before, *now);
      if (now_.FindMessage(name) == nullptr || before_.FindMessage(name) != nullptr) continue;
      now_names_.emplace(message->full_name(), name);
      claimed_.insert(name);
    }
    for (const EnumDescriptor* one : before_.enums()) {
      if (one->file() != before || Find(now_, *one) != nullptr) continue;
      const std::string name = WithPackage(one->full_name(), *before, *now);
      if (now_.FindEnum(name) == nullptr || before_.FindEnum(name) != nullptr) continue;
      now_names_.emplace(one->full_name(), name);
      claimed_.insert(name);
    }
    if (now_names_.size() > known) packages_.push_back({before, now});
  }
}

// The new type with the same short name that holds all of it; else one that holds all of it and is
// as big.
template <typename Type>
const Type* TypeNames::FindNew(const Type& before) const {
  const Type* best = nullptr;
  for (const Type* one : All(now_, static_cast<const Type*>(nullptr))) {
    if (Find(before_, *one) != nullptr || claimed_.contains(one->full_name())) continue;
    if (!Holds(*one, before)) continue;
    if (one->name() == before.name()) return one;
    const bool is_twin = Size(before) > 0 && Size(*one) == Size(before);
    if (best == nullptr && is_twin) best = one;
  }
  return best;
}

void TypeNames::FindMoves() {
  const auto groups = GroupTypes(before_);
  for (const Descriptor* message : before_.messages()) {
    if (Find(now_, *message) != nullptr || now_names_.contains(message->full_name())) continue;
    if (groups.contains(message)) continue;
    const Descriptor* now = FindNew(*message);
    if (now == nullptr) continue;
    moves_.push_back({message->full_name(), now->full_name()});
    Map(*message, *now);
  }
  for (const EnumDescriptor* one : before_.enums()) {
    if (Find(now_, *one) != nullptr || now_names_.contains(one->full_name())) continue;
    const EnumDescriptor* now = FindNew(*one);
    if (now == nullptr) continue;
    moves_.push_back({one->full_name(), now->full_name()});
    now_names_.emplace(one->full_name(), now->full_name());
    claimed_.insert(now->full_name());
  }
}

void TypeNames::Map(const Descriptor& before, const Descriptor& now) {
  now_names_.emplace(before.full_name(), now.full_name());
  claimed_.insert(now.full_name());
  for (int i = 0; i < before.nested_type_count(); ++i) {
    const Descriptor* nested = now.FindNestedTypeByName(before.nested_type(i)->name());
    if (nested != nullptr) Map(*before.nested_type(i), *nested);
  }
  for (int i = 0; i < before.enum_type_count(); ++i) {
    const EnumDescriptor* nested = now.FindEnumTypeByName(before.enum_type(i)->name());
    if (nested == nullptr) continue;
    now_names_.emplace(before.enum_type(i)->full_name(), nested->full_name());
    claimed_.insert(nested->full_name());
  }
}

// A renamed group has a renamed type: the field tells it.
void TypeNames::FollowGroups() {
  for (const Descriptor* message : before_.messages()) {
    const Descriptor* now = now_.FindMessage(NowName(message->full_name()));
    if (now == nullptr) continue;
    for (int i = 0; i < message->field_count(); ++i) {
      const FieldDescriptor& field = *message->field(i);
      if (field.type() != FieldDescriptor::TYPE_GROUP) continue;
      const FieldDescriptor* other = now->FindFieldByNumber(field.number());
      if (other == nullptr || other->type() != FieldDescriptor::TYPE_GROUP) continue;
      const std::string& name = field.message_type()->full_name();
      if (now_.FindMessage(name) == nullptr && !now_names_.contains(name)) {
        Map(*field.message_type(), *other->message_type());
      }
    }
  }
}

std::unordered_set<const Descriptor*> GroupTypes(const Schema& schema) {
  std::unordered_set<const Descriptor*> types;
  const auto add = [&](const FieldDescriptor* field) {
    if (field->type() == FieldDescriptor::TYPE_GROUP) types.insert(field->message_type());
  };
  for (const Descriptor* message : schema.messages()) {
    for (int i = 0; i < message->field_count(); ++i) add(message->field(i));
  }
  for (const auto& [extendee, fields] : schema.extensions()) {
    for (const FieldDescriptor* field : fields.all()) add(field);
  }
  return types;
}

}  // namespace telltale::contract::check
