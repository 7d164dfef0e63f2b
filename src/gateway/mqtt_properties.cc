#include "gateway/mqtt_properties.h"

#include "base/utf8.h"

namespace telltale::gateway {
namespace {

enum class Type : std::uint8_t { kBoolean, kU16, kU32, kVarInt, kText, kBinary, kTextPair };

constexpr unsigned In(PropertyPlace place) { return 1u << static_cast<unsigned>(place); }

constexpr unsigned kInConnect = In(PropertyPlace::kConnect);
constexpr unsigned kInWill = In(PropertyPlace::kWill);
constexpr unsigned kInPublish = In(PropertyPlace::kPublish);
constexpr unsigned kInSubscribe = In(PropertyPlace::kSubscribe);
constexpr unsigned kInConnAck = In(PropertyPlace::kConnAck);
constexpr unsigned kInAck = In(PropertyPlace::kAck);
constexpr unsigned kInDisconnect = In(PropertyPlace::kDisconnect);
constexpr unsigned kInServerDisconnect = In(PropertyPlace::kServerDisconnect);
constexpr unsigned kEverywhere = ~0u;

struct Rule {
  PropertyId id;
  Type type;
  unsigned places;
  bool is_zero_refused = false;
};

// MQTT 5, table 2-4.
constexpr Rule kRules[] = {
    {PropertyId::kPayloadFormat, Type::kBoolean, kInPublish | kInWill},
    {PropertyId::kMessageExpiry, Type::kU32, kInPublish | kInWill},
    {PropertyId::kContentType, Type::kText, kInPublish | kInWill},
    {PropertyId::kResponseTopic, Type::kText, kInPublish | kInWill},
    {PropertyId::kCorrelationData, Type::kBinary, kInPublish | kInWill},
    {PropertyId::kSubscriptionId, Type::kVarInt, kInPublish | kInSubscribe, true},
    {PropertyId::kSessionExpiry, Type::kU32, kInConnect | kInConnAck | kInDisconnect},
    {PropertyId::kAssignedClientId, Type::kText, kInConnAck},
    {PropertyId::kServerKeepAlive, Type::kU16, kInConnAck},
    {PropertyId::kAuthMethod, Type::kText, kInConnect | kInConnAck},
    {PropertyId::kAuthData, Type::kBinary, kInConnect | kInConnAck},
    {PropertyId::kRequestProblem, Type::kBoolean, kInConnect},
    {PropertyId::kWillDelay, Type::kU32, kInWill},
    {PropertyId::kRequestResponse, Type::kBoolean, kInConnect},
    {PropertyId::kResponseInformation, Type::kText, kInConnAck},
    {PropertyId::kServerReference, Type::kText, kInConnAck | kInServerDisconnect},
    {PropertyId::kReasonString, Type::kText,
     kInConnAck | kInAck | kInDisconnect | kInServerDisconnect},
    {PropertyId::kReceiveMaximum, Type::kU16, kInConnect | kInConnAck, true},
    {PropertyId::kTopicAliasMaximum, Type::kU16, kInConnect | kInConnAck},
    {PropertyId::kTopicAlias, Type::kU16, kInPublish},
    {PropertyId::kMaximumQos, Type::kBoolean, kInConnAck},
    {PropertyId::kRetainAvailable, Type::kBoolean, kInConnAck},
    {PropertyId::kUserProperty, Type::kTextPair, kEverywhere},
    {PropertyId::kMaximumPacketSize, Type::kU32, kInConnect | kInConnAck, true},
    {PropertyId::kWildcardAvailable, Type::kBoolean, kInConnAck},
    {PropertyId::kSubscriptionIdAvailable, Type::kBoolean, kInConnAck},
    {PropertyId::kSharedAvailable, Type::kBoolean, kInConnAck},
};

const Rule* RuleOf(std::uint32_t id) {
  for (const Rule& rule : kRules) {
    if (static_cast<std::uint32_t>(rule.id) == id) return &rule;
  }
  return nullptr;
}

MqttFault Malformed(const char* rule) { return {MqttCode::kMalformed, rule}; }
MqttFault Protocol(const char* rule) { return {MqttCode::kProtocolError, rule}; }

struct Value {
  std::uint32_t number = 0;
  std::string_view text;
};

MqttFault ReadValue(MqttReader& in, const Rule& rule, Value& value) {
  bool is_text = true;
  switch (rule.type) {
    case Type::kBoolean:
      value.number = in.U8();
      break;
    case Type::kU16:
      value.number = in.U16();
      break;
    case Type::kU32:
      value.number = in.U32();
      break;
    case Type::kVarInt:
      value.number = in.VarInt();
      break;
    case Type::kText:
      value.text = in.Text();
      is_text = IsMqttText(value.text);
      break;
    case Type::kBinary:
      in.Text();
      break;
    case Type::kTextPair:
      is_text = IsMqttText(in.Text());
      is_text = IsMqttText(in.Text()) && is_text;
      break;
  }
  if (!in.ok()) return Malformed("a property is cut short [MQTT 2.2.2]");
  if (!is_text) return Malformed("a property is not MQTT text [MQTT-1.5.4-1]");
  if (rule.type == Type::kBoolean && value.number > 1) {
    return Protocol("a property that is 0 or 1 has another value");
  }
  if (rule.is_zero_refused && value.number == 0)
    return Protocol("a property is 0 that must not be");
  return {};
}

void Keep(PropertyId id, const Value& value, MqttProperties& properties) {
  switch (id) {
    case PropertyId::kSessionExpiry:
      properties.session_expiry_s = value.number;
      break;
    case PropertyId::kReceiveMaximum:
      properties.receive_maximum = static_cast<std::uint16_t>(value.number);
      break;
    case PropertyId::kMaximumPacketSize:
      properties.packet_bytes_max = value.number;
      break;
    case PropertyId::kTopicAlias:
      properties.topic_alias = static_cast<std::uint16_t>(value.number);
      break;
    case PropertyId::kServerKeepAlive:
      properties.server_keep_alive_s = static_cast<std::uint16_t>(value.number);
      break;
    case PropertyId::kMaximumQos:
      properties.maximum_qos = static_cast<std::uint8_t>(value.number);
      break;
    case PropertyId::kAssignedClientId:
      properties.assigned_client_id = value.text;
      break;
    default:
      break;
  }
}

}  // namespace

bool IsMqttText(std::string_view text) {
  return text.find('\0') == std::string_view::npos && IsUtf8(text);
}

MqttFault ReadProperties(MqttReader& in, PropertyPlace place, MqttProperties& properties) {
  MqttReader list(in.Bytes(in.VarInt()));
  if (!in.ok()) return Malformed("the property length does not fit its packet [MQTT 2.2.2.1]");
  while (!list.AtEnd()) {
    const Rule* rule = RuleOf(list.VarInt());
    if (!list.ok() || rule == nullptr) return Malformed("an unknown property [MQTT 2.2.2.2]");
    if ((rule->places & In(place)) == 0) {
      return Malformed("a property that may not stand in this packet [MQTT 2.2.2.2]");
    }
    if (rule->id == PropertyId::kSubscriptionId && place == PropertyPlace::kPublish) {
      return Protocol("a client's PUBLISH has a subscription identifier [MQTT-3.3.4-6]");
    }
    if (properties.Has(rule->id) && rule->id != PropertyId::kUserProperty) {
      return Protocol("a property stands twice");
    }
    properties.seen |= std::uint64_t{1} << static_cast<unsigned>(rule->id);
    Value value;
    if (const MqttFault fault = ReadValue(list, *rule, value); !fault.ok()) return fault;
    if (rule->id == PropertyId::kResponseTopic &&
        value.text.find_first_of("+#") != std::string_view::npos) {
      return Protocol("wildcard in a response topic [MQTT-3.3.2-14]");
    }
    Keep(rule->id, value, properties);
  }
  if (properties.Has(PropertyId::kAuthData) && !properties.Has(PropertyId::kAuthMethod)) {
    return Protocol("authentication data without a method [MQTT 3.1.2.11.10]");
  }
  return {};
}

}  // namespace telltale::gateway
