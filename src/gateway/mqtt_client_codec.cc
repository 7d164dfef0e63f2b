#include "gateway/mqtt_client_codec.h"

#include "gateway/mqtt_properties.h"

namespace telltale::gateway {
namespace {

// Every packet this end takes is this short; those of MQTT 5 have properties.
constexpr std::size_t kBodyBytesMax = 2;
constexpr std::size_t kBodyBytesMax5 = 4096;

DecodedServerPacket Packet(ServerPacket packet) {
  DecodedServerPacket whole;
  whole.state = DecodedServerPacket::State::kPacket;
  whole.packet = packet;
  return whole;
}

DecodedServerPacket Broken() {
  DecodedServerPacket broken;
  broken.state = DecodedServerPacket::State::kBroken;
  return broken;
}

DecodedServerPacket DecodeBody(const FixedHeader& header, ByteSpan body) {
  if (header.flags != 0) return Broken();
  switch (static_cast<PacketType>(header.type)) {
    case PacketType::kConnAck: {
      if (body.size() != 2 || body[0] > 1) return Broken();
      return Packet(ConnAckPacket{.session_present = body[0] == 1, .code = body[1]});
    }
    case PacketType::kPubAck: {
      MqttReader in(body);
      const std::uint16_t id = in.U16();
      if (!in.AtEnd() || id == 0) return Broken();
      return Packet(PubAckPacket{.packet_id = id});
    }
    case PacketType::kPingResp:
      return body.empty() ? Packet(PingRespPacket{}) : Broken();
    default:
      return Broken();
  }
}

// False: broken. What may be left out at the end is left as it was.
bool ReadTail(MqttReader& in, PropertyPlace place, std::uint8_t& code, MqttProperties& properties) {
  if (in.AtEnd()) return true;
  code = in.U8();
  if (in.AtEnd()) return true;
  return ReadProperties(in, place, properties).ok() && in.AtEnd();
}

DecodedServerPacket DecodeBody5(const FixedHeader& header, ByteSpan body) {
  if (header.flags != 0) return Broken();
  MqttReader in(body);
  MqttProperties properties;
  switch (static_cast<PacketType>(header.type)) {
    case PacketType::kConnAck: {
      const std::uint8_t flags = in.U8();
      const std::uint8_t code = in.U8();
      const bool is_read = ReadProperties(in, PropertyPlace::kConnAck, properties).ok();
      if (!is_read || !in.AtEnd() || flags > 1) return Broken();
      return Packet(ConnAckPacket{flags == 1, code, properties.receive_maximum,
                                  properties.server_keep_alive_s, properties.packet_bytes_max});
    }
    case PacketType::kPubAck: {
      PubAckPacket ack;
      ack.packet_id = in.U16();
      if (!in.ok() || ack.packet_id == 0) return Broken();
      return ReadTail(in, PropertyPlace::kAck, ack.code, properties) ? Packet(ack) : Broken();
    }
    case PacketType::kPingResp:
      return body.empty() ? Packet(PingRespPacket{}) : Broken();
    case PacketType::kDisconnect: {
      ServerDisconnectPacket end;
      const bool is_read = ReadTail(in, PropertyPlace::kServerDisconnect, end.code, properties);
      return is_read ? Packet(end) : Broken();
    }
    default:
      return Broken();
  }
}

// Also their length; nothing in 3.1.1.
std::string PropertiesOf(MqttVersion version, std::string_view properties) {
  std::string out;
  if (version == MqttVersion::k311) return out;
  AppendVarInt(out, properties.size());
  return out.append(properties);
}

}  // namespace

void AppendConnect(std::string& out, const ClientConnect& connect) {
  const std::string properties = PropertiesOf(connect.version, connect.properties);
  AppendFixedHeader(out, PacketType::kConnect, 0,
                    10 + properties.size() + 2 + connect.client_id.size());
  AppendText(out, "MQTT");
  out.push_back(static_cast<char>(connect.version));
  out.push_back(connect.clean_session ? 0x02 : 0x00);
  AppendU16(out, connect.keep_alive_s);
  out.append(properties);
  AppendText(out, connect.client_id);
}

void AppendPublish(std::string& out, const ClientPublish& publish) {
  const std::string properties = PropertiesOf(publish.version, publish.properties);
  const std::size_t id_bytes = publish.qos > 0 ? 2 : 0;
  const unsigned flags = (publish.dup ? 0x08u : 0u) | (static_cast<unsigned>(publish.qos) << 1);
  AppendFixedHeader(
      out, PacketType::kPublish, static_cast<std::uint8_t>(flags),
      2 + publish.topic.size() + id_bytes + properties.size() + publish.payload.size());
  AppendText(out, publish.topic);
  if (publish.qos > 0) AppendU16(out, publish.packet_id);
  out.append(properties);
  out.append(publish.payload);
}

void AppendPingReq(std::string& out) { AppendFixedHeader(out, PacketType::kPingReq, 0, 0); }
void AppendDisconnect(std::string& out) { AppendFixedHeader(out, PacketType::kDisconnect, 0, 0); }

DecodedServerPacket DecodeServerPacket(ByteSpan bytes, MqttVersion version) {
  const bool is_5 = version == MqttVersion::k5;
  const FixedHeader header = ReadFixedHeader(bytes);
  if (header.state == FixedHeader::State::kBadLength) return Broken();
  if (header.state == FixedHeader::State::kNeedMore) return {};
  if (header.body_bytes > (is_5 ? kBodyBytesMax5 : kBodyBytesMax)) return Broken();
  const std::size_t size = header.header_bytes + header.body_bytes;
  if (bytes.size() < size) return {};
  const ByteSpan body = bytes.subspan(header.header_bytes, header.body_bytes);
  DecodedServerPacket result = is_5 ? DecodeBody5(header, body) : DecodeBody(header, body);
  result.bytes = size;
  return result;
}

}  // namespace telltale::gateway
