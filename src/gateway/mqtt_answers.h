// What the server sends, in the words of the version that the client speaks. Nothing is appended
// that is longer than the client said it takes [MQTT-3.1.2-24, 25].
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "gateway/mqtt_wire.h"

namespace telltale::gateway {

inline constexpr std::uint32_t kMqttAnyPacketBytes = 0xFFFF'FFFF;

// Fixed by a connection's CONNECT.
struct MqttDialect {
  MqttVersion version = MqttVersion::k311;
  std::uint32_t packet_bytes_max = kMqttAnyPacketBytes;
};

// What a CONNACK that accepts tells a client of MQTT 5 about this server. Session present is always
// 0; QoS 2, RETAIN, topic aliases, wildcards, shared subscriptions and subscription identifiers are
// told to be not available.
struct MqttWelcome {
  std::uint16_t receive_maximum = 0;
  std::uint32_t packet_bytes_max = 0;
  std::string_view assigned_client_id = {};  // empty: the client has one
  bool ends_session = false;                 // it asked to keep one: session expiry interval 0
  std::uint16_t server_keep_alive_s = 0;     // 0: the client's is kept
};
// False, and nothing appended: longer than the client takes, so it cannot be served.
bool AppendConnAck(std::string& out, const MqttDialect& dialect, const MqttWelcome& welcome);
// 3.1.1 has five codes; each other becomes the nearest of them, or nothing is appended where there
// is none.
void AppendConnAckRefusal(std::string& out, const MqttDialect& dialect, MqttCode code);

// The same bytes in both versions: MQTT 5 leaves out a reason code that is 0 [3.4.2.1].
void AppendPubAck(std::string& out, std::uint16_t packet_id);
// A code for each topic filter. 3.1.1: kGrantedQos1, kSuccess (granted QoS 0), any other becomes
// 0x80.
void AppendSubAck(std::string& out, const MqttDialect& dialect, std::uint16_t packet_id,
                  std::span<const MqttCode> codes);
// 3.1.1 has no codes here.
void AppendUnsubAck(std::string& out, const MqttDialect& dialect, std::uint16_t packet_id,
                    std::span<const MqttCode> codes);
void AppendPingResp(std::string& out);
// Nothing in 3.1.1, whose servers close without a word.
void AppendServerDisconnect(std::string& out, const MqttDialect& dialect, MqttCode code);

}  // namespace telltale::gateway
