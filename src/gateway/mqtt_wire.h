// What both ends of MQTT share, 3.1.1 and 5.0: versions, codes, the fixed header and a reader of
// big-endian fields.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace telltale::gateway {

enum class PacketType : std::uint8_t {
  kConnect = 1,
  kConnAck = 2,
  kPublish = 3,
  kPubAck = 4,
  kPubRec = 5,
  kPubRel = 6,
  kPubComp = 7,
  kSubscribe = 8,
  kSubAck = 9,
  kUnsubscribe = 10,
  kUnsubAck = 11,
  kPingReq = 12,
  kPingResp = 13,
  kDisconnect = 14,
  kAuth = 15,  // MQTT 5 only
};

// The protocol level of CONNECT.
enum class MqttVersion : std::uint8_t { k311 = 4, k5 = 5 };

// Reason codes of MQTT 5 [2.4] that are used here. 3.1.1 has a word for few of them:
// AppendConnAckRefusal() translates.
enum class MqttCode : std::uint8_t {
  kSuccess = 0x00,
  kGrantedQos1 = 0x01,
  kNoSubscriptionExisted = 0x11,
  kUnspecified = 0x80,
  kMalformed = 0x81,
  kProtocolError = 0x82,
  kImplementation = 0x83,
  kUnsupportedVersion = 0x84,
  kClientIdNotValid = 0x85,
  kNotAuthorized = 0x87,
  kServerUnavailable = 0x88,
  kServerBusy = 0x89,
  kServerShuttingDown = 0x8B,
  kBadAuthMethod = 0x8C,
  kKeepAliveTimeout = 0x8D,
  kSessionTakenOver = 0x8E,
  kTopicNotValid = 0x90,
  kReceiveMaximumExceeded = 0x93,
  kTopicAliasNotValid = 0x94,
  kPacketTooLarge = 0x95,
  kQuotaExceeded = 0x97,
  kAdministrative = 0x98,
  kRetainNotSupported = 0x9A,
  kQosNotSupported = 0x9B,
  kSharedNotSupported = 0x9E,
  kSubscriptionIdsNotSupported = 0xA1,
  kWildcardsNotSupported = 0xA2,
};

struct FixedHeader {
  enum class State { kComplete, kNeedMore, kBadLength };
  State state = State::kNeedMore;
  std::uint8_t type = 0;   // 0-15, as sent
  std::uint8_t flags = 0;  // low four bits
  std::size_t header_bytes = 0;
  std::size_t body_bytes = 0;
};

// kBadLength: a fourth length byte that announces a fifth [MQTT 2.2.3].
inline FixedHeader ReadFixedHeader(ByteSpan bytes) {
  FixedHeader header;
  if (bytes.empty()) return header;
  header.type = static_cast<std::uint8_t>(bytes[0] >> 4);
  header.flags = bytes[0] & 0x0F;
  for (std::size_t i = 0; i < 4; ++i) {
    if (1 + i >= bytes.size()) return header;
    header.body_bytes |= static_cast<std::size_t>(bytes[1 + i] & 0x7F) << (7 * i);
    if ((bytes[1 + i] & 0x80) == 0) {
      header.header_bytes = 2 + i;
      header.state = FixedHeader::State::kComplete;
      return header;
    }
  }
  header.state = FixedHeader::State::kBadLength;
  return header;
}

inline void AppendVarInt(std::string& out, std::size_t value) {
  do {
    const auto low = static_cast<unsigned char>(value & 0x7F);
    value >>= 7;
    out.push_back(static_cast<char>(value > 0 ? low | 0x80 : low));
  } while (value > 0);
}

inline void AppendFixedHeader(std::string& out, PacketType type, std::uint8_t flags,
                              std::size_t body_bytes) {
  out.push_back(static_cast<char>((static_cast<unsigned>(type) << 4) | flags));
  AppendVarInt(out, body_bytes);
}

inline std::size_t FixedHeaderBytes(std::size_t body_bytes) {
  return body_bytes < 128 ? 2 : body_bytes < 16'384 ? 3 : body_bytes < 2'097'152 ? 4 : 5;
}

inline void AppendU16(std::string& out, std::uint16_t value) {
  out.push_back(static_cast<char>(value >> 8));
  out.push_back(static_cast<char>(value & 0xFF));
}

inline void AppendText(std::string& out, std::string_view text) {
  AppendU16(out, static_cast<std::uint16_t>(text.size()));
  out.append(text);
}

// Reads a packet's body forward; after a short read ok() is false and every answer is empty.
class MqttReader {
 public:
  explicit MqttReader(ByteSpan body) : rest_(body) {}
  std::uint8_t U8() {
    const ByteSpan taken = Take(1);
    return taken.empty() ? std::uint8_t{0} : taken[0];
  }
  std::uint16_t U16() {
    const ByteSpan taken = Take(2);
    if (taken.empty()) return 0;
    return static_cast<std::uint16_t>((taken[0] << 8) | taken[1]);
  }
  std::uint32_t U32() {
    const std::uint32_t high = U16();
    return (high << 16) | U16();
  }
  // A Variable Byte Integer of MQTT 5, in as few bytes as it needs [MQTT-1.5.5-1].
  std::uint32_t VarInt() {
    std::uint32_t value = 0;
    for (unsigned i = 0; i < 4; ++i) {
      const std::uint8_t byte = U8();
      value |= static_cast<std::uint32_t>(byte & 0x7F) << (7 * i);
      if ((byte & 0x80) != 0) continue;
      if (i > 0 && byte == 0) break;
      return ok_ ? value : 0;
    }
    ok_ = false;
    return 0;
  }
  ByteSpan Bytes(std::size_t size) { return Take(size); }
  std::string_view Text() { return AsText(Take(U16())); }
  ByteSpan Rest() { return Take(rest_.size()); }
  bool ok() const { return ok_; }
  bool AtEnd() const { return ok_ && rest_.empty(); }

 private:
  ByteSpan Take(std::size_t size) {
    if (!ok_ || rest_.size() < size) {
      ok_ = false;
      return {};
    }
    const ByteSpan taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
  }
  ByteSpan rest_;
  bool ok_ = true;
};

}  // namespace telltale::gateway
