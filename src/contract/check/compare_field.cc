// One field that kept its number: rules 5 to 10, 22, 23, 25.
#include <google/protobuf/wire_format_lite.h>

#include "contract/check/pairing.h"

namespace telltale::contract::check {
namespace {

using google::protobuf::internal::WireFormatLite;

std::string_view CardinalityOf(const FieldDescriptor& field) {
  if (field.is_map()) return "map";
  return field.is_repeated() ? "repeated" : "singular";
}

std::string TypeText(const FieldDescriptor& field) {
  if (field.message_type() != nullptr) return field.message_type()->full_name();
  if (field.enum_type() != nullptr) return field.enum_type()->full_name();
  return field.type_name();
}

bool IsWholeNumber(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
      return true;
    default:
      return false;
  }
}

bool IsMessage(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
}

// Pairs that some checkers let pass, because the bytes can be read.
bool IsOfKinKind(const FieldDescriptor& a, const FieldDescriptor& b) {
  const bool is_bytes = a.type() == FieldDescriptor::TYPE_BYTES;
  if (a.type() == FieldDescriptor::TYPE_ENUM) return IsWholeNumber(b);
  return is_bytes &&
         (b.type() == FieldDescriptor::TYPE_STRING || b.type() == FieldDescriptor::TYPE_MESSAGE);
}

WireFormatLite::WireType WireTypeOf(const FieldDescriptor& field) {
  return WireFormatLite::WireTypeForFieldType(
      static_cast<WireFormatLite::FieldType>(static_cast<int>(field.type())));
}

bool AreBothType(const FieldDescriptor& a, const FieldDescriptor& b, FieldDescriptor::Type type) {
  return a.type() == type && b.type() == type;
}

std::string DefaultText(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return fmt::format("{}", field.default_value_int32());
    case FieldDescriptor::CPPTYPE_INT64:
      return fmt::format("{}", field.default_value_int64());
    case FieldDescriptor::CPPTYPE_UINT32:
      return fmt::format("{}", field.default_value_uint32());
    case FieldDescriptor::CPPTYPE_UINT64:
      return fmt::format("{}", field.default_value_uint64());
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return fmt::format("{}", field.default_value_double());
    case FieldDescriptor::CPPTYPE_FLOAT:
      return fmt::format("{}", field.default_value_float());
    case FieldDescriptor::CPPTYPE_BOOL:
      return field.default_value_bool() ? "true" : "false";
    case FieldDescriptor::CPPTYPE_ENUM:
      return fmt::format("{}", field.default_value_enum()->number());
    case FieldDescriptor::CPPTYPE_STRING:
      return fmt::format("\"{}\"", field.default_value_string());
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
  return "";
}

class OneField {
 public:
  OneField(const Pairing& pair, const FieldDescriptor& before, const FieldDescriptor& now)
      : pair_(pair), before_(before), now_(now) {}

  void Run() {
    if (CardinalityOf(before_) != CardinalityOf(now_)) {
      Cardinality();
      if (before_.is_map() || now_.is_map()) return;
    }
    if (before_.is_map() && now_.is_map()) {
      Type(*before_.message_type()->map_key(), *now_.message_type()->map_key(), "key");
      Type(*before_.message_type()->map_value(), *now_.message_type()->map_value(), "value");
      return JsonName();
    }
    const bool same_type = Type(before_, now_, "");
    Presence();
    if (same_type) {
      Default();
      Utf8();
    }
    JsonName();
  }

 private:
  void Add(Rule rule, std::string effect, std::string advice, const std::string& key = "") {
    pair_.findings.Add(
        {rule, now_.full_name(), pair_.now.PlaceOf(now_), "", std::move(effect), std::move(advice)},
        key);
  }

  std::string KeepAnd(std::string_view what) const {
    return fmt::format("keep it {} and {}", what, pair_.AddBeside(now_));
  }

  void Cardinality() {
    Add(Rule::kCardinalityChanged,
        fmt::format("It was {} and is {}: of several values a reader keeps one, or takes one "
                    "value of an old car for a list.",
                    CardinalityOf(before_), CardinalityOf(now_)),
        KeepAnd(CardinalityOf(before_)));
  }

  // True: of the same type. `part` of a map; empty otherwise.
  bool Type(const FieldDescriptor& before, const FieldDescriptor& now, const std::string& part) {
    const bool is_named =
        before.type() == now.type() && (IsMessage(before) || before.enum_type() != nullptr);
    const bool is_same_name = pair_.names.NowName(TypeText(before)) == TypeText(now);
    if (is_named) {
      const bool is_renamed_group =
          AreBothType(before, now, FieldDescriptor::TYPE_GROUP) && before_.name() != now_.name();
      if (is_same_name || is_renamed_group) return true;
      Add(Rule::kNamedTypeChanged,
          fmt::format("What old cars send as {} is read as {}.", TypeText(before), TypeText(now)),
          KeepAnd("of type " + TypeText(before)), part);
      return false;
    }
    if (before.type() == now.type()) return true;
    if (IsMessage(before) && IsMessage(now)) {
      Add(Rule::kEncodingChanged,
          "A group and a message differ on the wire: what old cars send counts as unknown.",
          KeepAnd(before.type() == FieldDescriptor::TYPE_GROUP ? "a group" : "a message"), part);
      return false;
    }
    const bool is_read = WireTypeOf(before) == WireTypeOf(now);
    const bool is_kin = IsOfKinKind(before, now) || IsOfKinKind(now, before);
    Add(is_kin ? Rule::kKindChanged : Rule::kTypeChanged,
        fmt::format("It was {} and is {}: what old cars send {}.", TypeText(before), TypeText(now),
                    is_read ? "is read as something else, or cut off"
                            : "cannot be read and counts as unknown"),
        KeepAnd("of type " + TypeText(before)), part);
    return false;
  }

  void Presence() {
    if (before_.is_required() != now_.is_required()) {
      Add(Rule::kRequiredChanged,
          now_.is_required() ? "A message of an old car that lacks it is refused whole."
                             : "Old readers refuse every message of a new car that leaves it out.",
          before_.is_required() ? KeepAnd("required") : KeepAnd("as it was"));
      return;
    }
    if (before_.is_repeated() || now_.is_repeated() || IsMessage(before_) || IsMessage(now_))
      return;
    const OneofDescriptor* was_in = before_.real_containing_oneof();
    const OneofDescriptor* is_in = now_.real_containing_oneof();
    if ((was_in == nullptr) != (is_in == nullptr)) return;  // told as the oneof's change
    if (before_.has_presence() == now_.has_presence()) return;
    Add(Rule::kPresenceChanged,
        now_.has_presence() ? "Old cars leave a zero out: it is read as unknown from now on."
                            : "\"Not measured\" of old cars is read as a zero from now on.",
        before_.has_presence() ? "keep it optional" : KeepAnd("without `optional`"));
  }

  void Default() {
    if (IsMessage(before_) || before_.is_repeated() || now_.is_repeated()) return;
    if (!before_.has_default_value() && !now_.has_default_value()) return;
    const std::string was = DefaultText(before_);
    const std::string is = DefaultText(now_);
    if (was == is) return;
    Add(Rule::kDefaultChanged,
        fmt::format("Where an old car sends nothing, readers took {} and now take {}.", was, is),
        KeepAnd("with default " + was));
  }

  void Utf8() {
    if (before_.type() != FieldDescriptor::TYPE_STRING) return;
    const auto checks = [](const FieldDescriptor& field) {
      return field.file()->syntax() == FileDescriptor::SYNTAX_PROTO3;
    };
    if (checks(before_) == checks(now_)) return;
    Finding finding{Rule::kUtf8Changed,
                    now_.file()->name(),
                    pair_.now.PlaceOf(now_),
                    "",
                    checks(now_) ? "Readers now refuse a message of an old car whose text is not "
                                   "UTF-8 (this field is the first of the file)."
                                 : "Readers no longer refuse text that is not UTF-8 (this field is "
                                   "the first of the file).",
                    "keep the file's syntax, or make sure that cars only send UTF-8"};
    pair_.findings.Add(std::move(finding));
  }

  void JsonName() {
    if (before_.is_extension() || before_.name() != now_.name()) return;
    if (before_.json_name() == now_.json_name()) return;
    Add(Rule::kJsonNameChanged,
        fmt::format("Readers of JSON that say {} find nothing.", before_.json_name()),
        fmt::format("keep json_name = \"{}\"", before_.json_name()));
  }

  const Pairing& pair_;
  const FieldDescriptor& before_;
  const FieldDescriptor& now_;
};

// All of the old field that is compared.
std::string AsText(const Pairing& pair, const FieldDescriptor& field, const std::string& option) {
  const OneofDescriptor* oneof = field.real_containing_oneof();
  const bool is_proto3 = field.file()->syntax() == FileDescriptor::SYNTAX_PROTO3;
  std::string type = TypeText(field);
  if (field.is_map()) {
    const Descriptor& entry = *field.message_type();
    type = fmt::format("{} {} {}", TypeText(*entry.map_key()),
                       static_cast<int>(entry.map_value()->type()),
                       pair.names.NowName(TypeText(*entry.map_value())));
  }
  return fmt::format("{} {} {} {} {} {} {} {} {} {}\n{}\n{}", field.name(),
                     static_cast<int>(field.type()), static_cast<int>(field.label()),
                     pair.names.NowName(type), field.json_name(), field.has_presence(), is_proto3,
                     field.has_default_value(), field.is_map(),
                     oneof == nullptr ? "" : oneof->name(), option,
                     field.has_default_value() ? DefaultText(field) : "");
}

}  // namespace

void CompareField(const Pairing& pair, const FieldDescriptor& before, const FieldDescriptor& now) {
  const bool uses_options =
      !now.is_extension() && pair.now.specs().exists() && pair.UsesOptions(now.containing_type());
  const std::string option = uses_options ? pair.before.specs().Raw(before) : "";
  const auto [seen, is_new] = pair.seen[&now].try_emplace(AsText(pair, before, option));
  if (!is_new) return pair.findings.Touch(seen->second);
  pair.findings.Record(&seen->second);
  OneField(pair, before, now).Run();
  const bool is_same = before.name() == now.name() && option == pair.now.specs().Raw(now);
  if (uses_options && !is_same) CompareSpecs(pair, before, now);
  pair.findings.Record(nullptr);
}

}  // namespace telltale::contract::check
