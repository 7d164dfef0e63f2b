// The server's end of MQTT 3.1.1 (OASIS, 2014) and 5.0 (OASIS, 2019) as bytes: what a client may
// send. Answers: mqtt_answers.h. What is served: docs/mqtt.md.
// Strict, stateless, no copies: views point into the caller's bytes.
// Rules that need the connection's history (CONNECT first and once) are the connection's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/reasons.h"
#include "gateway/mqtt_answers.h"
#include "gateway/mqtt_properties.h"
#include "gateway/mqtt_wire.h"

namespace telltale::gateway {

// Topic filters in one SUBSCRIBE or UNSUBSCRIBE.
inline constexpr std::size_t kMqttFiltersMax = 128;

struct ConnectPacket {
  MqttVersion version = MqttVersion::k311;
  // Not kSuccess: refuse with it, counted as `reason`; then no other member is meaningful.
  MqttCode answer = MqttCode::kSuccess;
  Reason reason = Reason::kProtocol;
  bool clean_start = false;  // 3.1.1: clean session
  bool has_will = false;
  std::uint16_t keep_alive_s = 0;  // 0 = no limit
  std::string_view client_id;
  std::uint32_t session_expiry_s = 0;
  std::uint32_t packet_bytes_max = kMqttAnyPacketBytes;  // what the client takes
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
  ByteSpan list;  // for FilterReader
  bool has_subscription_id = false;
};
struct UnsubscribePacket {
  std::uint16_t packet_id = 0;
  std::size_t filters = 0;
  ByteSpan list;  // for FilterReader
};
struct PingPacket {};
struct DisconnectPacket {
  std::uint8_t code = 0;
  std::uint32_t session_expiry_s = 0;
};

using ClientPacket = std::variant<ConnectPacket, PublishPacket, SubscribePacket, UnsubscribePacket,
                                  PingPacket, DisconnectPacket>;

struct DecodedPacket {
  enum class State { kPacket, kNeedMore, kBroken };
  State state = State::kNeedMore;
  std::size_t bytes = 0;  // of the packet; kNeedMore: as far as known, else 0
  ClientPacket packet;
  // kBroken: close the connection. The reason to count, the rule in words for the log, and what to
  // say first where the version has a word for it.
  Reason reason = Reason::kNone;
  const char* rule = "";
  MqttCode code = MqttCode::kSuccess;
  // The version that the bytes are of: as asked, but of a CONNECT what it says itself.
  MqttVersion version = MqttVersion::k311;
};

// Looks at the packet at the front of `bytes`. Never reads past it; cost does not depend on how
// often an incomplete packet is looked at. `version`: what the connection's CONNECT fixed; before
// it any.
DecodedPacket DecodeClientPacket(ByteSpan bytes, MqttVersion version);

// The topic filters of a SUBSCRIBE or UNSUBSCRIBE that was decoded.
struct TopicFilter {
  std::string_view filter;
  std::uint8_t qos = 0;  // asked for
};
class FilterReader {
 public:
  explicit FilterReader(const SubscribePacket& packet) : in_(packet.list), has_options_(true) {}
  explicit FilterReader(const UnsubscribePacket& packet) : in_(packet.list), has_options_(false) {}
  bool Next(TopicFilter& filter);  // false at the end

 private:
  MqttReader in_;
  const bool has_options_;
};

}  // namespace telltale::gateway
