#include "gateway/mqtt_client_codec.h"

#include "gateway/mqtt_wire.h"

namespace telltale::gateway {
namespace {

// Every packet this end takes is this short.
constexpr std::size_t kBodyBytesMax = 2;

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
      return Packet(ConnAckPacket{body[0] == 1, body[1]});
    }
    case PacketType::kPubAck: {
      MqttReader in(body);
      const std::uint16_t id = in.U16();
      if (!in.AtEnd() || id == 0) return Broken();
      return Packet(PubAckPacket{id});
    }
    case PacketType::kPingResp:
      return body.empty() ? Packet(PingRespPacket{}) : Broken();
    default:
      return Broken();
  }
}

}  // namespace

void AppendConnect(std::string& out, const ClientConnect& connect) {
  AppendFixedHeader(out, PacketType::kConnect, 0, 10 + 2 + connect.client_id.size());
  AppendText(out, "MQTT");
  out.push_back(4);
  out.push_back(connect.clean_session ? 0x02 : 0x00);
  AppendU16(out, connect.keep_alive_s);
  AppendText(out, connect.client_id);
}

void AppendPublish(std::string& out, const ClientPublish& publish) {
  const std::size_t id_bytes = publish.qos > 0 ? 2 : 0;
  const unsigned flags = (publish.dup ? 0x08u : 0u) | (static_cast<unsigned>(publish.qos) << 1);
  AppendFixedHeader(out, PacketType::kPublish, static_cast<std::uint8_t>(flags),
                    2 + publish.topic.size() + id_bytes + publish.payload.size());
  AppendText(out, publish.topic);
  if (publish.qos > 0) AppendU16(out, publish.packet_id);
  out.append(publish.payload);
}

void AppendPingReq(std::string& out) { AppendFixedHeader(out, PacketType::kPingReq, 0, 0); }
void AppendDisconnect(std::string& out) { AppendFixedHeader(out, PacketType::kDisconnect, 0, 0); }

DecodedServerPacket DecodeServerPacket(ByteSpan bytes) {
  const FixedHeader header = ReadFixedHeader(bytes);
  if (header.state == FixedHeader::State::kBadLength) return Broken();
  if (header.state == FixedHeader::State::kNeedMore) return {};
  if (header.body_bytes > kBodyBytesMax) return Broken();
  const std::size_t size = header.header_bytes + header.body_bytes;
  if (bytes.size() < size) return {};
  DecodedServerPacket result =
      DecodeBody(header, bytes.subspan(header.header_bytes, header.body_bytes));
  result.bytes = size;
  return result;
}

}  // namespace telltale::gateway
