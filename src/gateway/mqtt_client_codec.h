// The vehicle's end of MQTT 3.1.1 as bytes, for the simulator and tests: QoS 0 and 1.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "base/bytes.h"

namespace telltale::gateway {

struct ClientConnect {
  std::string_view client_id;
  std::uint16_t keep_alive_s = 60;
  bool clean_session = true;
};
struct ClientPublish {
  std::string_view topic;
  std::string_view payload;
  std::uint8_t qos = 1;         // 0 or 1
  std::uint16_t packet_id = 0;  // not 0 with QoS 1
  bool dup = false;
};

void AppendConnect(std::string& out, const ClientConnect& connect);
void AppendPublish(std::string& out, const ClientPublish& publish);
void AppendPingReq(std::string& out);
void AppendDisconnect(std::string& out);

struct ConnAckPacket {
  bool session_present = false;
  std::uint8_t code = 0;  // 0 = accepted
};
struct PubAckPacket {
  std::uint16_t packet_id = 0;
};
struct PingRespPacket {};
using ServerPacket = std::variant<ConnAckPacket, PubAckPacket, PingRespPacket>;

struct DecodedServerPacket {
  enum class State { kPacket, kNeedMore, kBroken };
  State state = State::kNeedMore;
  std::size_t bytes = 0;  // to drop from the front, with kPacket
  ServerPacket packet;
};

// Looks at the packet at the front of `bytes`. Anything but CONNACK, PUBACK and PINGRESP is
// kBroken.
DecodedServerPacket DecodeServerPacket(ByteSpan bytes);

}  // namespace telltale::gateway
