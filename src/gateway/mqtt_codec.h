// The server's end of MQTT 3.1.1 (OASIS, 2014) as bytes: what a client may send, what is answered.
// Strict, stateless, no copies: views point into the caller's bytes. What is served: docs/mqtt.md.
// Rules that need the connection's history (CONNECT first and once) are the connection's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/reasons.h"

namespace telltale::gateway {

// Topic filters in one SUBSCRIBE or UNSUBSCRIBE; none is ever granted.
inline constexpr std::size_t kMqttFiltersMax = 128;

enum class ConnectCode : std::uint8_t {
  kAccepted = 0,
  kUnacceptableProtocolVersion = 1,
  kIdentifierRejected = 2,
  kServerUnavailable = 3,
  kNotAuthorized = 5,
};

struct ConnectPacket {
  // Not kAccepted: answer it and close; then no other member is meaningful.
  ConnectCode answer = ConnectCode::kAccepted;
  bool clean_session = false;
  bool has_will = false;
  std::uint16_t keep_alive_s = 0;  // 0 = no limit
  std::string_view client_id;
};
struct PublishPacket {
  std::string_view topic;
  ByteSpan payload;
  std::uint8_t qos = 0;
  bool dup = false;
  bool retain = false;
  std::uint16_t packet_id = 0;  // 0 with QoS 0
};
struct SubscribePacket {
  std::uint16_t packet_id = 0;
  std::size_t filters = 0;
};
struct UnsubscribePacket {
  std::uint16_t packet_id = 0;
};
struct PingPacket {};
struct DisconnectPacket {};

using ClientPacket = std::variant<ConnectPacket, PublishPacket, SubscribePacket, UnsubscribePacket,
                                  PingPacket, DisconnectPacket>;

struct DecodedPacket {
  enum class State { kPacket, kNeedMore, kBroken };
  State state = State::kNeedMore;
  std::size_t bytes = 0;  // of the packet; kNeedMore: as far as known, else 0
  ClientPacket packet;
  // kBroken: close the connection. The reason to count, and the rule in words for the log.
  Reason reason = Reason::kNone;
  const char* rule = "";
};

// Looks at the packet at the front of `bytes`. Never reads past it; cost does not depend on how
// often an incomplete packet is looked at.
DecodedPacket DecodeClientPacket(ByteSpan bytes);

void AppendConnAck(std::string& out, ConnectCode code);  // session present is always 0
void AppendPubAck(std::string& out, std::uint16_t packet_id);
void AppendSubAckFailure(std::string& out, std::uint16_t packet_id, std::size_t filters);
void AppendUnsubAck(std::string& out, std::uint16_t packet_id);
void AppendPingResp(std::string& out);

// MQTT's rule for strings: well-formed UTF-8 (no surrogates, no overlong forms) without U+0000.
bool IsMqttText(std::string_view text);

}  // namespace telltale::gateway
