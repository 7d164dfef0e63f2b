#include "gateway/mqtt_codec.h"

#include "gateway/mqtt_wire.h"

namespace telltale::gateway {
namespace {

constexpr std::uint8_t kProtocolLevel = 4;  // MQTT 3.1.1
// CONNECT flags.
constexpr std::uint8_t kReserved = 0x01;
constexpr std::uint8_t kCleanSession = 0x02;
constexpr std::uint8_t kWill = 0x04;
constexpr std::uint8_t kWillRetain = 0x20;
constexpr std::uint8_t kPassword = 0x40;
constexpr std::uint8_t kUserName = 0x80;

DecodedPacket Broken(const char* rule, Reason reason = Reason::kProtocol) {
  DecodedPacket broken;
  broken.state = DecodedPacket::State::kBroken;
  broken.reason = reason;
  broken.rule = rule;
  return broken;
}

DecodedPacket Whole(ClientPacket packet) {
  DecodedPacket whole;
  whole.state = DecodedPacket::State::kPacket;
  whole.packet = packet;
  return whole;
}

DecodedPacket Answer(ConnectCode code) {
  ConnectPacket packet;
  packet.answer = code;
  return Whole(packet);
}

const char* WillRule(std::uint8_t flags) {
  const int will_qos = (flags >> 3) & 0x03;
  if ((flags & kWill) == 0 && will_qos != 0) return "will QoS without a will [MQTT-3.1.2-13]";
  if ((flags & kWill) == 0 && (flags & kWillRetain) != 0) {
    return "will retain without a will [MQTT-3.1.2-15]";
  }
  if (will_qos == 3) return "will QoS 3 [MQTT-3.1.2-14]";
  return nullptr;
}

DecodedPacket DecodeConnect(ByteSpan body) {
  MqttReader in(body);
  const std::string_view protocol = in.Text();
  if (!in.ok() || protocol != "MQTT") return Broken("protocol name is not MQTT [MQTT-3.1.2-1]");
  const std::uint8_t level = in.U8();
  if (!in.ok()) return Broken("CONNECT is cut short");
  // Another level may lay out the rest differently (MQTT 5 does): do not look at it.
  if (level != kProtocolLevel) return Answer(ConnectCode::kUnacceptableProtocolVersion);
  const std::uint8_t flags = in.U8();
  ConnectPacket packet;
  packet.keep_alive_s = in.U16();
  if (!in.ok()) return Broken("CONNECT is cut short");
  if ((flags & kReserved) != 0) return Broken("reserved CONNECT flag [MQTT-3.1.2-3]");
  if (const char* rule = WillRule(flags); rule != nullptr) return Broken(rule);
  if ((flags & kUserName) == 0 && (flags & kPassword) != 0) {
    return Broken("password without a user name [MQTT-3.1.2-22]");
  }
  packet.clean_session = (flags & kCleanSession) != 0;
  packet.has_will = (flags & kWill) != 0;
  packet.client_id = in.Text();
  bool is_text = IsMqttText(packet.client_id);
  if (packet.has_will) {
    is_text = IsMqttText(in.Text()) && is_text;  // topic
    in.Text();                                   // message: any bytes
  }
  if ((flags & kUserName) != 0) is_text = IsMqttText(in.Text()) && is_text;
  if ((flags & kPassword) != 0) in.Text();
  if (!in.AtEnd()) return Broken("CONNECT's length does not match its fields");
  if (!is_text) return Broken("a string in CONNECT is not MQTT text [MQTT-1.5.3-1]");
  if (packet.client_id.empty() && !packet.clean_session) {
    return Answer(ConnectCode::kIdentifierRejected);  // [MQTT-3.1.3-8]
  }
  return Whole(packet);
}

DecodedPacket DecodePublish(std::uint8_t flags, ByteSpan body) {
  PublishPacket packet;
  packet.retain = (flags & 0x01) != 0;
  packet.qos = (flags >> 1) & 0x03;
  packet.dup = (flags & 0x08) != 0;
  if (packet.qos == 3) return Broken("PUBLISH with QoS 3 [MQTT-3.3.1-4]");
  if (packet.qos == 0 && packet.dup) return Broken("DUP with QoS 0 [MQTT-3.3.1-2]");
  if (packet.qos == 2) return Broken("QoS 2 is not served; use QoS 1", Reason::kQos);
  MqttReader in(body);
  packet.topic = in.Text();
  if (packet.qos > 0) packet.packet_id = in.U16();
  packet.payload = in.Rest();
  if (!in.ok()) return Broken("PUBLISH is cut short");
  if (packet.topic.empty() || !IsMqttText(packet.topic)) {
    return Broken("topic is empty or not MQTT text [MQTT-4.7.3-1, 1.5.3-1]");
  }
  if (packet.topic.find_first_of("+#") != std::string_view::npos) {
    return Broken("wildcard in a topic name [MQTT-3.3.2-2]");
  }
  if (packet.qos > 0 && packet.packet_id == 0) return Broken("packet id 0 [MQTT-2.3.1-1]");
  return Whole(packet);
}

// SUBSCRIBE and UNSUBSCRIBE differ in the option byte after each filter.
DecodedPacket DecodeFilters(std::uint8_t flags, ByteSpan body, bool has_options) {
  if (flags != 0x02) return Broken("reserved flags [MQTT-3.8.1-1, 3.10.1-1]");
  MqttReader in(body);
  const std::uint16_t packet_id = in.U16();
  if (!in.ok() || packet_id == 0) return Broken("packet id missing or 0 [MQTT-2.3.1-1]");
  std::size_t filters = 0;
  while (!in.AtEnd()) {
    const std::string_view filter = in.Text();
    const std::uint8_t options = has_options ? in.U8() : std::uint8_t{0};
    if (!in.ok()) return Broken("a topic filter is cut short");
    if (filter.empty() || !IsMqttText(filter)) {
      return Broken("a topic filter is empty or not MQTT text [MQTT-4.7.3-1, 3.8.3-1]");
    }
    if (options > 2) return Broken("reserved option bits or QoS 3 [MQTT-3-8.3-4]");
    if (++filters > kMqttFiltersMax) return Broken("more topic filters than the named limit");
  }
  if (filters == 0) return Broken("no topic filter [MQTT-3.8.3-3, 3.10.3-2]");
  if (has_options) return Whole(SubscribePacket{packet_id, filters});
  return Whole(UnsubscribePacket{packet_id});
}

DecodedPacket DecodeBody(const FixedHeader& header, ByteSpan body) {
  switch (static_cast<PacketType>(header.type)) {
    case PacketType::kConnect:
      if (header.flags != 0) return Broken("reserved flags of CONNECT [MQTT-2.2.2-2]");
      return DecodeConnect(body);
    case PacketType::kPublish:
      return DecodePublish(header.flags, body);
    case PacketType::kSubscribe:
      return DecodeFilters(header.flags, body, true);
    case PacketType::kUnsubscribe:
      return DecodeFilters(header.flags, body, false);
    case PacketType::kPingReq:
      if (header.flags != 0 || !body.empty()) return Broken("malformed PINGREQ [MQTT-2.2.2-2]");
      return Whole(PingPacket{});
    case PacketType::kDisconnect:
      if (header.flags != 0 || !body.empty()) return Broken("malformed DISCONNECT [MQTT-3.14.1-1]");
      return Whole(DisconnectPacket{});
    case PacketType::kPubRec:
    case PacketType::kPubRel:
    case PacketType::kPubComp:
      return Broken("QoS 2 is not served; use QoS 1", Reason::kQos);
    default:
      return Broken("a packet type that no client may send here");
  }
}

// Bytes of the well-formed UTF-8 sequence at `at`, 0 when there is none (Unicode, table 3-7).
std::size_t SequenceBytes(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const auto within = [&](std::size_t i, unsigned low, unsigned high) {
    return byte(i) >= low && byte(i) <= high;
  };
  const unsigned first = byte(at);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return within(at + 1, 0x80, 0xBF) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const unsigned low = first == 0xE0 ? 0xA0 : 0x80;
    const unsigned high = first == 0xED ? 0x9F : 0xBF;
    return within(at + 1, low, high) && within(at + 2, 0x80, 0xBF) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const unsigned low = first == 0xF0 ? 0x90 : 0x80;
    const unsigned high = first == 0xF4 ? 0x8F : 0xBF;
    const bool rest = within(at + 2, 0x80, 0xBF) && within(at + 3, 0x80, 0xBF);
    return within(at + 1, low, high) && rest ? 4 : 0;
  }
  return 0;
}

}  // namespace

bool IsMqttText(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '\0') return false;
    const std::size_t size = SequenceBytes(text, at);
    if (size == 0) return false;
    at += size;
  }
  return true;
}

DecodedPacket DecodeClientPacket(ByteSpan bytes) {
  const FixedHeader header = ReadFixedHeader(bytes);
  if (header.state == FixedHeader::State::kBadLength) {
    return Broken("remaining length of more than four bytes [MQTT 2.2.3]");
  }
  DecodedPacket result;
  if (header.state == FixedHeader::State::kNeedMore) return result;
  result.bytes = header.header_bytes + header.body_bytes;
  if (result.bytes > kMqttPacketBytesMax) {
    return Broken("packet over the named limit; send smaller batches", Reason::kPacketTooBig);
  }
  if (bytes.size() < result.bytes) return result;
  const std::size_t size = result.bytes;
  result = DecodeBody(header, bytes.subspan(header.header_bytes, header.body_bytes));
  result.bytes = size;
  return result;
}

void AppendConnAck(std::string& out, ConnectCode code) {
  AppendFixedHeader(out, PacketType::kConnAck, 0, 2);
  out.push_back('\0');
  out.push_back(static_cast<char>(code));
}

void AppendPubAck(std::string& out, std::uint16_t packet_id) {
  AppendFixedHeader(out, PacketType::kPubAck, 0, 2);
  AppendU16(out, packet_id);
}

void AppendSubAckFailure(std::string& out, std::uint16_t packet_id, std::size_t filters) {
  AppendFixedHeader(out, PacketType::kSubAck, 0, 2 + filters);
  AppendU16(out, packet_id);
  out.append(filters, static_cast<char>(0x80));
}

void AppendUnsubAck(std::string& out, std::uint16_t packet_id) {
  AppendFixedHeader(out, PacketType::kUnsubAck, 0, 2);
  AppendU16(out, packet_id);
}

void AppendPingResp(std::string& out) { AppendFixedHeader(out, PacketType::kPingResp, 0, 0); }

}  // namespace telltale::gateway
