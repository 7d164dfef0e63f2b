// The properties of MQTT 5 packets: which may stand where, how often, and of what type.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "gateway/mqtt_wire.h"

namespace telltale::gateway {

enum class PropertyId : std::uint8_t {
  kPayloadFormat = 0x01,
  kMessageExpiry = 0x02,
  kContentType = 0x03,
  kResponseTopic = 0x08,
  kCorrelationData = 0x09,
  kSubscriptionId = 0x0B,
  kSessionExpiry = 0x11,
  kAssignedClientId = 0x12,
  kServerKeepAlive = 0x13,
  kAuthMethod = 0x15,
  kAuthData = 0x16,
  kRequestProblem = 0x17,
  kWillDelay = 0x18,
  kRequestResponse = 0x19,
  kResponseInformation = 0x1A,
  kServerReference = 0x1C,
  kReasonString = 0x1F,
  kReceiveMaximum = 0x21,
  kTopicAliasMaximum = 0x22,
  kTopicAlias = 0x23,
  kMaximumQos = 0x24,
  kRetainAvailable = 0x25,
  kUserProperty = 0x26,
  kMaximumPacketSize = 0x27,
  kWildcardAvailable = 0x28,
  kSubscriptionIdAvailable = 0x29,
  kSharedAvailable = 0x2A,
};

// Where properties stand.
enum class PropertyPlace : std::uint8_t {
  kConnect,
  kWill,
  kPublish,  // by a client: no subscription identifier [MQTT-3.3.4-6]
  kSubscribe,
  kUnsubscribe,
  kDisconnect,  // by a client
  kConnAck,
  kAck,  // PUBACK, SUBACK, UNSUBACK
  kServerDisconnect,
};

// The values somebody here asks for; the others are checked and left.
struct MqttProperties {
  std::uint64_t seen = 0;  // bit by identifier
  std::uint32_t session_expiry_s = 0;
  std::uint16_t receive_maximum = 65'535;
  std::uint32_t packet_bytes_max = 0xFFFF'FFFF;
  std::uint16_t topic_alias = 0;
  std::uint16_t server_keep_alive_s = 0;
  std::uint8_t maximum_qos = 2;
  std::string_view assigned_client_id;

  bool Has(PropertyId id) const { return (seen >> static_cast<unsigned>(id) & 1) != 0; }
};

// kSuccess, or what is wrong: the code to send and the rule in words.
struct MqttFault {
  MqttCode code = MqttCode::kSuccess;
  const char* rule = "";
  bool ok() const { return code == MqttCode::kSuccess; }
};

// Reads a property length and the properties in it. Views in `properties` point into `in`'s bytes.
MqttFault ReadProperties(MqttReader& in, PropertyPlace place, MqttProperties& properties);

// MQTT's rule for strings: well-formed UTF-8 (no surrogates, no overlong forms) without U+0000.
bool IsMqttText(std::string_view text);

}  // namespace telltale::gateway
