// What both ends of MQTT share: the fixed header and a reader of big-endian fields.
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

inline void AppendFixedHeader(std::string& out, PacketType type, std::uint8_t flags,
                              std::size_t body_bytes) {
  out.push_back(static_cast<char>((static_cast<unsigned>(type) << 4) | flags));
  do {
    const auto low = static_cast<unsigned char>(body_bytes & 0x7F);
    body_bytes >>= 7;
    out.push_back(static_cast<char>(body_bytes > 0 ? low | 0x80 : low));
  } while (body_bytes > 0);
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
