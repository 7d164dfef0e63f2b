#include "gateway/mqtt_codec.h"

#include "base/check.h"

namespace telltale::gateway {
namespace {

// CONNECT flags.
constexpr std::uint8_t kReserved = 0x01;
constexpr std::uint8_t kCleanStart = 0x02;
constexpr std::uint8_t kWill = 0x04;
constexpr std::uint8_t kWillRetain = 0x20;
constexpr std::uint8_t kPassword = 0x40;
constexpr std::uint8_t kUserName = 0x80;
// Options of a topic filter in SUBSCRIBE, MQTT 5.
constexpr std::uint8_t kNoLocal = 0x04;
constexpr std::uint8_t kReservedOptions = 0xC0;

DecodedPacket Broken(MqttCode code, const char* rule, Reason reason = Reason::kProtocol) {
  DecodedPacket broken;
  broken.state = DecodedPacket::State::kBroken;
  broken.reason = reason;
  broken.rule = rule;
  broken.code = code;
  return broken;
}

DecodedPacket Malformed(const char* rule) { return Broken(MqttCode::kMalformed, rule); }
DecodedPacket Protocol(const char* rule) { return Broken(MqttCode::kProtocolError, rule); }
DecodedPacket Faulty(const MqttFault& fault) { return Broken(fault.code, fault.rule); }

DecodedPacket Whole(ClientPacket packet) {
  DecodedPacket whole;
  whole.state = DecodedPacket::State::kPacket;
  whole.packet = packet;
  return whole;
}

DecodedPacket Refusal(MqttVersion version, MqttCode code, Reason reason = Reason::kProtocol) {
  ConnectPacket packet;
  packet.version = version;
  packet.answer = code;
  packet.reason = reason;
  return Whole(packet);
}

const char* FlagsRule(std::uint8_t flags, MqttVersion version) {
  const int will_qos = (flags >> 3) & 0x03;
  if ((flags & kReserved) != 0) return "reserved CONNECT flag [MQTT-3.1.2-3]";
  if ((flags & kWill) == 0 && will_qos != 0) return "will QoS without a will [MQTT-3.1.2-13]";
  if ((flags & kWill) == 0 && (flags & kWillRetain) != 0) {
    return "will retain without a will [MQTT-3.1.2-15]";
  }
  if (will_qos == 3) return "will QoS 3 [MQTT-3.1.2-14]";
  if (version == MqttVersion::k311 && (flags & kUserName) == 0 && (flags & kPassword) != 0) {
    return "password without a user name [MQTT-3.1.2-22]";
  }
  return nullptr;
}

// The payload: client id, will, user name, password. Only the id is used.
MqttFault ReadConnectPayload(MqttReader& in, std::uint8_t flags, ConnectPacket& packet) {
  packet.client_id = in.Text();
  bool is_text = IsMqttText(packet.client_id);
  if (packet.has_will) {
    MqttProperties will;
    if (packet.version == MqttVersion::k5) {
      const MqttFault fault = ReadProperties(in, PropertyPlace::kWill, will);
      if (!fault.ok()) return fault;
    }
    is_text = IsMqttText(in.Text()) && is_text;  // topic
    in.Text();                                   // message: any bytes
  }
  if ((flags & kUserName) != 0) is_text = IsMqttText(in.Text()) && is_text;
  if ((flags & kPassword) != 0) in.Text();
  if (!in.AtEnd()) {
    return {MqttCode::kMalformed, "CONNECT's length does not match its fields"};
  }
  if (!is_text) {
    return {MqttCode::kMalformed, "a string in CONNECT is not MQTT text [MQTT-1.5.3-1, 1.5.4-1]"};
  }
  return {};
}

// Well-formed, but something is asked for that is not served.
DecodedPacket JudgeConnect(const ConnectPacket& packet, std::uint8_t flags,
                           const MqttProperties& properties) {
  if (packet.version == MqttVersion::k311) {
    if (packet.client_id.empty() && !packet.clean_start) {
      return Refusal(packet.version, MqttCode::kClientIdNotValid);  // [MQTT-3.1.3-8]
    }
    return Whole(packet);
  }
  if (properties.Has(PropertyId::kAuthMethod)) {
    return Refusal(packet.version, MqttCode::kBadAuthMethod);
  }
  // A will is ignored; but it must not ask for what the CONNACK says there is not.
  if (((flags >> 3) & 0x03) == 2) {
    return Refusal(packet.version, MqttCode::kQosNotSupported, Reason::kQos);  // [MQTT-3.2.2-12]
  }
  if ((flags & kWillRetain) != 0) {
    return Refusal(packet.version, MqttCode::kRetainNotSupported);  // [MQTT-3.2.2-13]
  }
  return Whole(packet);
}

DecodedPacket DecodeConnectOf(MqttVersion version, MqttReader& in) {
  const std::uint8_t flags = in.U8();
  ConnectPacket packet;
  packet.version = version;
  packet.keep_alive_s = in.U16();
  if (!in.ok()) return Malformed("CONNECT is cut short");
  if (const char* rule = FlagsRule(flags, version); rule != nullptr) return Malformed(rule);
  packet.clean_start = (flags & kCleanStart) != 0;
  packet.has_will = (flags & kWill) != 0;
  MqttProperties properties;
  if (version == MqttVersion::k5) {
    const MqttFault fault = ReadProperties(in, PropertyPlace::kConnect, properties);
    if (!fault.ok()) return Faulty(fault);
    packet.session_expiry_s = properties.session_expiry_s;
    packet.packet_bytes_max = properties.packet_bytes_max;
  }
  if (const MqttFault fault = ReadConnectPayload(in, flags, packet); !fault.ok()) {
    return Faulty(fault);
  }
  return JudgeConnect(packet, flags, properties);
}

DecodedPacket DecodeConnect(std::uint8_t fixed_flags, ByteSpan body) {
  if (fixed_flags != 0) return Malformed("reserved flags of CONNECT [MQTT-2.2.2-2]");
  MqttReader in(body);
  const std::string_view protocol = in.Text();
  if (!in.ok() || protocol != "MQTT") return Protocol("protocol name is not MQTT [MQTT-3.1.2-1]");
  const std::uint8_t level = in.U8();
  if (!in.ok()) return Malformed("CONNECT is cut short");
  constexpr auto kOldest = static_cast<std::uint8_t>(MqttVersion::k311);
  constexpr auto kNewest = static_cast<std::uint8_t>(MqttVersion::k5);
  // Another level may lay out the rest differently: do not look at it.
  if (level < kOldest) return Refusal(MqttVersion::k311, MqttCode::kUnsupportedVersion);
  if (level > kNewest) return Refusal(MqttVersion::k5, MqttCode::kUnsupportedVersion);
  const auto version = static_cast<MqttVersion>(level);
  DecodedPacket decoded = DecodeConnectOf(version, in);
  decoded.version = version;
  return decoded;
}

DecodedPacket DecodePublish(std::uint8_t flags, ByteSpan body, MqttVersion version) {
  PublishPacket packet;
  packet.retain = (flags & 0x01) != 0;
  packet.qos = (flags >> 1) & 0x03;
  packet.dup = (flags & 0x08) != 0;
  if (packet.qos == 3) return Malformed("PUBLISH with QoS 3 [MQTT-3.3.1-4]");
  if (packet.qos == 0 && packet.dup) return Malformed("DUP with QoS 0 [MQTT-3.3.1-2]");
  if (packet.qos == 2) {
    return Broken(MqttCode::kQosNotSupported, "QoS 2 is not served; use QoS 1", Reason::kQos);
  }
  if (packet.retain && version == MqttVersion::k5) {
    return Broken(MqttCode::kRetainNotSupported, "RETAIN is not served [MQTT-3.2.2-14]");
  }
  MqttReader in(body);
  packet.topic = in.Text();
  if (packet.qos > 0) packet.packet_id = in.U16();
  MqttProperties properties;
  if (in.ok() && version == MqttVersion::k5) {
    const MqttFault fault = ReadProperties(in, PropertyPlace::kPublish, properties);
    if (!fault.ok()) return Faulty(fault);
  }
  packet.payload = in.Rest();
  if (!in.ok()) return Malformed("PUBLISH is cut short");
  if (!IsMqttText(packet.topic)) return Malformed("topic is not MQTT text [MQTT-1.5.3-1, 1.5.4-1]");
  if (packet.topic.find_first_of("+#") != std::string_view::npos) {
    return Malformed("wildcard in a topic name [MQTT-3.3.2-2]");
  }
  if (properties.Has(PropertyId::kTopicAlias)) {
    return Broken(MqttCode::kTopicAliasNotValid, "no topic alias is served [MQTT-3.3.2-9]");
  }
  if (packet.topic.empty()) return Protocol("topic is empty [MQTT-4.7.3-1]");
  if (packet.qos > 0 && packet.packet_id == 0) {
    return Protocol("packet id 0 [MQTT-2.3.1-1, 2.2.1-3]");
  }
  return Whole(packet);
}

const char* OptionsRule(std::uint8_t options, std::string_view filter, MqttVersion version) {
  if ((options & 0x03) == 3) return "QoS 3 in a topic filter [MQTT-3-8.3-4]";
  if (version == MqttVersion::k311) {
    return options > 2 ? "reserved option bits [MQTT-3-8.3-4]" : nullptr;
  }
  if ((options & kReservedOptions) != 0) return "reserved option bits [MQTT-3.8.3-5]";
  if (((options >> 4) & 0x03) == 3) return "retain handling 3 [MQTT 3.8.3.1]";
  if ((options & kNoLocal) != 0 && filter.starts_with("$share/")) {
    return "no local on a shared subscription [MQTT-3.8.3-4]";
  }
  return nullptr;
}

// SUBSCRIBE and UNSUBSCRIBE differ in the option byte after each filter.
DecodedPacket DecodeFilters(std::uint8_t flags, ByteSpan body, MqttVersion version,
                            bool has_options) {
  if (flags != 0x02) return Malformed("reserved flags [MQTT-3.8.1-1, 3.10.1-1]");
  MqttReader in(body);
  const std::uint16_t packet_id = in.U16();
  if (!in.ok() || packet_id == 0) return Protocol("packet id missing or 0 [MQTT-2.3.1-1]");
  MqttProperties properties;
  if (version == MqttVersion::k5) {
    const MqttFault fault = ReadProperties(
        in, has_options ? PropertyPlace::kSubscribe : PropertyPlace::kUnsubscribe, properties);
    if (!fault.ok()) return Faulty(fault);
  }
  const ByteSpan list = in.Rest();
  MqttReader entries(list);
  std::size_t filters = 0;
  while (!entries.AtEnd()) {
    const std::string_view filter = entries.Text();
    const std::uint8_t options = has_options ? entries.U8() : std::uint8_t{0};
    if (!entries.ok()) return Malformed("a topic filter is cut short");
    if (filter.empty() || !IsMqttText(filter)) {
      return Malformed("a topic filter is empty or not MQTT text [MQTT-4.7.3-1, 3.8.3-1]");
    }
    if (const char* rule = OptionsRule(options, filter, version); rule != nullptr) {
      const bool is_reserved = (options & kReservedOptions) != 0;
      return is_reserved ? Malformed(rule) : Protocol(rule);
    }
    if (++filters > kMqttFiltersMax) {
      return Broken(MqttCode::kQuotaExceeded, "more topic filters than the named limit");
    }
  }
  if (filters == 0) return Protocol("no topic filter [MQTT-3.8.3-3, 3.10.3-2]");
  if (!has_options) return Whole(UnsubscribePacket{packet_id, filters, list});
  return Whole(
      SubscribePacket{packet_id, filters, list, properties.Has(PropertyId::kSubscriptionId)});
}

// Those of table 3-13 that a client may send.
bool IsClientDisconnectCode(std::uint8_t code) {
  return code == 0x00 || code == 0x04 || (code >= 0x80 && code <= 0x83) || code == 0x90 ||
         (code >= 0x93 && code <= 0x99);
}

DecodedPacket DecodeDisconnect(std::uint8_t flags, ByteSpan body, MqttVersion version) {
  if (flags != 0) return Malformed("reserved flags of DISCONNECT [MQTT-3.14.1-1]");
  if (body.empty()) return Whole(DisconnectPacket{});
  if (version == MqttVersion::k311) return Malformed("DISCONNECT with a body [MQTT-3.14.1-1]");
  MqttReader in(body);
  DisconnectPacket packet;
  packet.code = in.U8();
  if (!IsClientDisconnectCode(packet.code)) {
    return Protocol("a reason code that no client sends [MQTT-3.14.2-1]");
  }
  if (in.AtEnd()) return Whole(packet);
  MqttProperties properties;
  const MqttFault fault = ReadProperties(in, PropertyPlace::kDisconnect, properties);
  if (!fault.ok()) return Faulty(fault);
  if (!in.AtEnd()) return Malformed("DISCONNECT's length does not match its fields");
  packet.session_expiry_s = properties.session_expiry_s;
  return Whole(packet);
}

// kNeedMore: a type that is served. Others are refused for their first byte, so that nobody waits
// for a body that is thrown away.
DecodedPacket CheckType(std::uint8_t type) {
  switch (static_cast<PacketType>(type)) {
    case PacketType::kConnect:
    case PacketType::kPublish:
    case PacketType::kSubscribe:
    case PacketType::kUnsubscribe:
    case PacketType::kPingReq:
    case PacketType::kDisconnect:
      return {};
    case PacketType::kPubRec:
    case PacketType::kPubRel:
    case PacketType::kPubComp:
      return Broken(MqttCode::kQosNotSupported, "QoS 2 is not served; use QoS 1", Reason::kQos);
    case PacketType::kAuth:
      return Protocol("AUTH without an authentication method [MQTT-4.12.0-1]");
    default:
      return Protocol("a packet type that no client may send here");
  }
}

DecodedPacket DecodeBody(const FixedHeader& header, ByteSpan body, MqttVersion version) {
  switch (static_cast<PacketType>(header.type)) {
    case PacketType::kPublish:
      return DecodePublish(header.flags, body, version);
    case PacketType::kSubscribe:
      return DecodeFilters(header.flags, body, version, true);
    case PacketType::kUnsubscribe:
      return DecodeFilters(header.flags, body, version, false);
    case PacketType::kPingReq:
      if (header.flags != 0 || !body.empty()) return Malformed("malformed PINGREQ [MQTT-2.2.2-2]");
      return Whole(PingPacket{});
    case PacketType::kDisconnect:
      return DecodeDisconnect(header.flags, body, version);
    default:
      CHECK(false);  // CheckType() has refused it
  }
}

}  // namespace

DecodedPacket DecodeClientPacket(ByteSpan bytes, MqttVersion version) {
  const FixedHeader header = ReadFixedHeader(bytes);
  if (header.state == FixedHeader::State::kBadLength) {
    return Malformed("remaining length of more than four bytes [MQTT 2.2.3]");
  }
  DecodedPacket result;
  if (header.state == FixedHeader::State::kNeedMore) return result;
  if (DecodedPacket refused = CheckType(header.type); refused.state != result.state) return refused;
  result.bytes = header.header_bytes + header.body_bytes;
  if (result.bytes > kMqttPacketBytesMax) {
    return Broken(MqttCode::kPacketTooLarge, "packet over the named limit; send smaller batches",
                  Reason::kPacketTooBig);
  }
  if (bytes.size() < result.bytes) return result;
  const std::size_t size = result.bytes;
  const ByteSpan body = bytes.subspan(header.header_bytes, header.body_bytes);
  if (static_cast<PacketType>(header.type) == PacketType::kConnect) {
    result = DecodeConnect(header.flags, body);
  } else if (version == MqttVersion::k5 &&
             header.header_bytes != FixedHeaderBytes(header.body_bytes)) {
    return Malformed("remaining length in more bytes than it needs [MQTT-1.5.5-1]");
  } else {
    result = DecodeBody(header, body, version);
    result.version = version;
  }
  result.bytes = size;
  return result;
}

bool FilterReader::Next(TopicFilter& filter) {
  if (in_.AtEnd()) return false;
  filter.filter = in_.Text();
  filter.qos = has_options_ ? in_.U8() & 0x03 : 0;
  return in_.ok();
}

}  // namespace telltale::gateway
