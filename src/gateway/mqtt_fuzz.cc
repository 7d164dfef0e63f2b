// Any bytes a peer may send: no read outside them, no packet larger than them, progress on each.
// Each input is read in both versions.
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

void FuzzFilters(FilterReader filters, std::size_t count, ByteSpan packet) {
  TopicFilter filter;
  std::size_t read = 0;
  for (; filters.Next(filter); ++read) {
    CHECK(!filter.filter.empty() && IsInside(packet, AsBytes(filter.filter)) && filter.qos < 3);
  }
  CHECK(read == count && count > 0 && count <= kMqttFiltersMax);
}

void FuzzServerEnd(ByteSpan bytes, MqttVersion version) {
  while (!bytes.empty()) {
    const DecodedPacket decoded = DecodeClientPacket(bytes, version);
    if (decoded.state != DecodedPacket::State::kPacket) {
      const bool is_told = decoded.reason != Reason::kNone && decoded.code != MqttCode::kSuccess;
      CHECK(decoded.state == DecodedPacket::State::kNeedMore || is_told);
      return;
    }
    CHECK(decoded.bytes >= 2 && decoded.bytes <= bytes.size());
    CHECK(decoded.bytes <= kMqttPacketBytesMax);
    const ByteSpan packet = bytes.first(decoded.bytes);
    if (const auto* publish = std::get_if<PublishPacket>(&decoded.packet)) {
      CHECK(IsInside(packet, publish->payload) && IsInside(packet, AsBytes(publish->topic)));
      CHECK(publish->qos < 2 && (publish->qos == 0) == (publish->packet_id == 0));
    }
    if (const auto* subscribe = std::get_if<SubscribePacket>(&decoded.packet)) {
      FuzzFilters(FilterReader(*subscribe), subscribe->filters, packet);
    }
    if (const auto* unsubscribe = std::get_if<UnsubscribePacket>(&decoded.packet)) {
      FuzzFilters(FilterReader(*unsubscribe), unsubscribe->filters, packet);
    }
    if (const auto* connect = std::get_if<ConnectPacket>(&decoded.packet)) {
      CHECK(IsInside(packet, AsBytes(connect->client_id)));
    }
    // A packet is read alike whether or not bytes follow it, and asked for while it is cut.
    CHECK(DecodeClientPacket(packet, version).state == DecodedPacket::State::kPacket);
    CHECK(DecodeClientPacket(packet.first(packet.size() - 1), version).state ==
          DecodedPacket::State::kNeedMore);
    bytes = bytes.subspan(decoded.bytes);
  }
}

void FuzzVehicleEnd(ByteSpan bytes, MqttVersion version) {
  while (!bytes.empty()) {
    const DecodedServerPacket decoded = DecodeServerPacket(bytes, version);
    if (decoded.state != DecodedServerPacket::State::kPacket) return;
    CHECK(decoded.bytes >= 2 && decoded.bytes <= bytes.size());
    bytes = bytes.subspan(decoded.bytes);
  }
}

}  // namespace
}  // namespace telltale::gateway

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using telltale::gateway::MqttVersion;
  for (const MqttVersion version : {MqttVersion::k311, MqttVersion::k5}) {
    telltale::gateway::FuzzServerEnd({data, size}, version);
    telltale::gateway::FuzzVehicleEnd({data, size}, version);
  }
  return 0;
}
