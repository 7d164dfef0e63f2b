#include "vault/decode.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/unknown_field_set.h>

#include <cmath>

#include "seal/seal.h"

namespace telltale::vault {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using nlohmann::json;

// JSON has no NaN or infinity; the text keeps what the car sent.
json NumberJson(double value) {
  if (!std::isfinite(value)) return fmt::format("{}", value);
  return value;
}

// The shortest decimal that is this float again; as a double it would show digits never sent.
json NumberJson(float value) {
  const std::string text = fmt::format("{}", value);
  if (!std::isfinite(value)) return text;
  return json::parse(text, nullptr, false);
}

json TextOf(const std::string& value) {
  const json text(value);
  try {
    (void)text.dump();
    return text;
  } catch (const json::exception&) {  // not UTF-8
    return "hex:" + HexEncode(value);
  }
}

json ObjectOf(const Message& message);

json EnumOf(const google::protobuf::EnumValueDescriptor* value) {
  return std::string(value->name());
}

json ValueOf(const Message& message, const FieldDescriptor* field) {
  const Reflection* read = message.GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return read->GetInt32(message, field);
    case FieldDescriptor::CPPTYPE_INT64:
      return read->GetInt64(message, field);
    case FieldDescriptor::CPPTYPE_UINT32:
      return read->GetUInt32(message, field);
    case FieldDescriptor::CPPTYPE_UINT64:
      return read->GetUInt64(message, field);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return NumberJson(read->GetDouble(message, field));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return NumberJson(read->GetFloat(message, field));
    case FieldDescriptor::CPPTYPE_BOOL:
      return read->GetBool(message, field);
    case FieldDescriptor::CPPTYPE_ENUM:
      return EnumOf(read->GetEnum(message, field));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return ObjectOf(read->GetMessage(message, field));
    case FieldDescriptor::CPPTYPE_STRING:
      break;
  }
  const std::string text = read->GetString(message, field);
  if (field->type() == FieldDescriptor::TYPE_BYTES) return HexEncode(text);
  return TextOf(text);
}

json RepeatedOf(const Message& message, const FieldDescriptor* field, int i) {
  const Reflection* read = message.GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return read->GetRepeatedInt32(message, field, i);
    case FieldDescriptor::CPPTYPE_INT64:
      return read->GetRepeatedInt64(message, field, i);
    case FieldDescriptor::CPPTYPE_UINT32:
      return read->GetRepeatedUInt32(message, field, i);
    case FieldDescriptor::CPPTYPE_UINT64:
      return read->GetRepeatedUInt64(message, field, i);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return NumberJson(read->GetRepeatedDouble(message, field, i));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return NumberJson(read->GetRepeatedFloat(message, field, i));
    case FieldDescriptor::CPPTYPE_BOOL:
      return read->GetRepeatedBool(message, field, i);
    case FieldDescriptor::CPPTYPE_ENUM:
      return EnumOf(read->GetRepeatedEnum(message, field, i));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return ObjectOf(read->GetRepeatedMessage(message, field, i));
    case FieldDescriptor::CPPTYPE_STRING:
      break;
  }
  const std::string text = read->GetRepeatedString(message, field, i);
  if (field->type() == FieldDescriptor::TYPE_BYTES) return HexEncode(text);
  return TextOf(text);
}

std::string UnknownOf(const Message& message) {
  std::string wire;
  message.GetReflection()->GetUnknownFields(message).SerializeToString(&wire);
  return HexEncode(wire);
}

json ObjectOf(const Message& message) {
  json object = json::object();
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (!field->is_repeated()) {
      object[field->name()] = ValueOf(message, field);
      continue;
    }
    json& list = object[field->name()] = json::array();
    const int size = message.GetReflection()->FieldSize(message, field);
    for (int i = 0; i < size; ++i) list.push_back(RepeatedOf(message, field, i));
  }
  const std::string unknown = UnknownOf(message);
  if (!unknown.empty()) object["unknown"] = unknown;
  return object;
}

}  // namespace

struct Decoder::Loaded {
  std::shared_ptr<const contract::Contract> contract;
  std::unique_ptr<google::protobuf::DynamicMessageFactory> factory;
  const Message* prototype = nullptr;
};

Decoder::Decoder(Disk& disk, std::string contracts_folder, DigestOf digest_of)
    : disk_(disk), folder_(std::move(contracts_folder)), digest_of_(std::move(digest_of)) {}

Decoder::~Decoder() = default;

const Decoder::Loaded* Decoder::Load(std::uint32_t contract_number) {
  const Result<std::string> digest = digest_of_(contract_number);
  if (!digest.ok()) return nullptr;
  MutexLock lock(mutex_);
  const auto found = by_digest_.find(*digest);
  if (found != by_digest_.end()) return found->second.get();
  const Result<std::string> bytes = ReadWholeFile(disk_, folder_ + "/" + *digest + ".desc");
  // The digest is signed with the config record; a descriptor that is not the one it names could
  // show one field under another's name.
  if (!bytes.ok() || HexEncode(seal::Sha256(*bytes)) != *digest) return nullptr;
  auto contract = contract::Contract::FromDescriptorSet(*bytes);
  if (!contract.ok()) return nullptr;
  auto loaded = std::make_unique<Loaded>();
  loaded->contract = std::move(contract).value();
  loaded->factory = std::make_unique<google::protobuf::DynamicMessageFactory>();
  loaded->prototype = loaded->factory->GetPrototype(loaded->contract->report_descriptor());
  return (by_digest_[*digest] = std::move(loaded)).get();
}

void Decoder::Decode(std::uint32_t contract_number, std::string_view wire, json& row) {
  const Loaded* loaded = Load(contract_number);
  if (loaded != nullptr) {
    const std::unique_ptr<Message> message(loaded->prototype->New());
    if (message->ParsePartialFromArray(wire.data(), static_cast<int>(wire.size()))) {
      json fields = ObjectOf(*message);
      if (fields.contains("unknown")) {
        row["unknown"] = fields["unknown"];
        fields.erase("unknown");
      }
      row["fields"] = std::move(fields);
      return;
    }
  }
  row["wire"] = HexEncode(wire);
}

}  // namespace telltale::vault
