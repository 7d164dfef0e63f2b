// The vehicle's end of MQTT 3.1.1 and 5.0 as bytes, for the simulator and tests: QoS 0 and 1.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "base/bytes.h"
#include "gateway/mqtt_wire.h"

namespace telltale::gateway {

struct ClientConnect {
  std::string_view client_id;
  std::uint16_t keep_alive_s = 60;
  bool clean_session = true;
  MqttVersion version = MqttVersion::k311;
  std::string_view properties = {};  // MQTT 5: as they are sent, without their length
};
struct ClientPublish {
  std::string_view topic;
  std::string_view payload;
  std::uint8_t qos = 1;         // 0 or 1
  std::uint16_t packet_id = 0;  // not 0 with QoS 1
  bool dup = false;
  MqttVersion version = MqttVersion::k311;
  std::string_view properties = {};
};

void AppendConnect(std::string& out, const ClientConnect& connect);
void AppendPublish(std::string& out, const ClientPublish& publish);
void AppendPingReq(std::string& out);
void AppendDisconnect(std::string& out);

struct ConnAckPacket {
  bool session_present = false;
  std::uint8_t code = 0;  // 0 = accepted
  // MQTT 5 only; else as if nothing was said.
  std::uint16_t receive_maximum = 65'535;
  std::uint16_t server_keep_alive_s = 0;  // 0: not said
  std::uint32_t packet_bytes_max = 0xFFFF'FFFF;
};
struct PubAckPacket {
  std::uint16_t packet_id = 0;
  std::uint8_t code = 0;  // MQTT 5; from 0x80 on it failed
};
struct PingRespPacket {};
// MQTT 5: why the server closes the connection.
struct ServerDisconnectPacket {
  std::uint8_t code = 0;
};
using ServerPacket =
    std::variant<ConnAckPacket, PubAckPacket, PingRespPacket, ServerDisconnectPacket>;

struct DecodedServerPacket {
  enum class State { kPacket, kNeedMore, kBroken };
  State state = State::kNeedMore;
  std::size_t bytes = 0;  // to drop from the front, with kPacket
  ServerPacket packet;
};

// Looks at the packet at the front of `bytes`. Anything but CONNACK, PUBACK, PINGRESP and, in
// MQTT 5, DISCONNECT is kBroken.
DecodedServerPacket DecodeServerPacket(ByteSpan bytes, MqttVersion version = MqttVersion::k311);

}  // namespace telltale::gateway
