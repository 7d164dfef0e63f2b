// Any bytes a peer may send: no read outside them, no packet larger than them, progress on each.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "gateway/mqtt_client_codec.h"
#include "gateway/mqtt_codec.h"

namespace telltale::gateway {
namespace {

bool IsInside(ByteSpan whole, ByteSpan part) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void FuzzServerEnd(ByteSpan bytes) {
  while (!bytes.empty()) {
    const DecodedPacket decoded = DecodeClientPacket(bytes);
    if (decoded.state != DecodedPacket::State::kPacket) {
      CHECK(decoded.state == DecodedPacket::State::kNeedMore || decoded.reason != Reason::kNone);
      return;
    }
    CHECK(decoded.bytes >= 2 && decoded.bytes <= bytes.size());
    CHECK(decoded.bytes <= kMqttPacketBytesMax);
    const ByteSpan packet = bytes.first(decoded.bytes);
    if (const auto* publish = std::get_if<PublishPacket>(&decoded.packet)) {
      CHECK(IsInside(packet, publish->payload) && IsInside(packet, AsBytes(publish->topic)));
      CHECK(publish->qos < 2 && (publish->qos == 0) == (publish->packet_id == 0));
    }
    if (const auto* connect = std::get_if<ConnectPacket>(&decoded.packet)) {
      CHECK(IsInside(packet, AsBytes(connect->client_id)));
    }
    // A packet is read alike whether or not bytes follow it, and asked for while it is cut.
    CHECK(DecodeClientPacket(packet).state == DecodedPacket::State::kPacket);
    CHECK(DecodeClientPacket(packet.first(packet.size() - 1)).state ==
          DecodedPacket::State::kNeedMore);
    bytes = bytes.subspan(decoded.bytes);
  }
}

void FuzzVehicleEnd(ByteSpan bytes) {
  while (!bytes.empty()) {
    const DecodedServerPacket decoded = DecodeServerPacket(bytes);
    if (decoded.state != DecodedServerPacket::State::kPacket) return;
    CHECK(decoded.bytes >= 2 && decoded.bytes <= bytes.size());
    bytes = bytes.subspan(decoded.bytes);
  }
}

}  // namespace
}  // namespace telltale::gateway

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  telltale::gateway::FuzzServerEnd({data, size});
  telltale::gateway::FuzzVehicleEnd({data, size});
  return 0;
}
