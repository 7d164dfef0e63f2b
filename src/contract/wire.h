// The protobuf wire format, as far as the split needs it: tags, varints, skipping. Stricter than
// libprotobuf where a sender gains nothing by being loose: groups, a tag over 32 bits, field number
// 0 and a varint over 64 bits are refused.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"

namespace telltale::contract {

enum class WireType : std::uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

// Reads forward over bytes that somebody else keeps alive. After a false the cursor is of no use.
class WireCursor {
 public:
  explicit WireCursor(ByteSpan bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}
  WireCursor(const std::uint8_t* begin, const std::uint8_t* end) : at_(begin), end_(end) {}

  bool done() const { return at_ == end_; }
  const std::uint8_t* at() const { return at_; }
  const std::uint8_t* end() const { return end_; }
  void MoveTo(const std::uint8_t* at) { at_ = at; }  // forward, at most to end()

  bool ReadVarint(std::uint64_t& value) {
    if (at_ != end_ && *at_ < 0x80) {
      value = *at_++;
      return true;
    }
    return ReadLongVarint(value);
  }

  bool ReadTag(std::uint32_t& number, WireType& type) {
    std::uint64_t tag = 0;
    if (end_ - at_ >= 2 && at_[0] >= 0x80 && at_[1] < 0x80) {  // field numbers 16 to 2047
      tag = (at_[0] & 0x7fu) | (std::uint64_t{at_[1]} << 7);
      at_ += 2;
    } else if (!ReadVarint(tag)) {
      return false;
    }
    if (tag > UINT32_MAX || tag < 8) return false;
    number = static_cast<std::uint32_t>(tag >> 3);
    const auto wire = static_cast<std::uint8_t>(tag & 7);
    if (wire > 2 && wire != 5) return false;
    type = static_cast<WireType>(wire);
    return true;
  }

  bool ReadBytes(ByteSpan& bytes) {
    std::uint64_t size = 0;
    if (!ReadVarint(size) || size > remaining()) return false;
    bytes = {at_, static_cast<std::size_t>(size)};
    at_ += size;
    return true;
  }

  // Past the value of a field whose tag was just read.
  bool Skip(WireType type) {
    switch (type) {
      case WireType::kVarint: {
        std::uint64_t ignored = 0;
        return ReadVarint(ignored);
      }
      case WireType::kFixed64:
        return Advance(8);
      case WireType::kFixed32:
        return Advance(4);
      case WireType::kBytes: {
        ByteSpan ignored;
        return ReadBytes(ignored);
      }
    }
    return false;
  }

 private:
  std::size_t remaining() const { return static_cast<std::size_t>(end_ - at_); }
  bool Advance(std::size_t size) {
    if (remaining() < size) return false;
    at_ += size;
    return true;
  }
  bool ReadLongVarint(std::uint64_t& value) {
    std::uint64_t result = 0;
    for (int shift = 0; shift < 64 && at_ != end_; shift += 7) {
      const std::uint64_t byte = *at_++;
      if (shift == 63 && byte > 1) return false;  // more than 64 bits
      result |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        value = result;
        return true;
      }
    }
    return false;
  }

  const std::uint8_t* at_;
  const std::uint8_t* end_;
};

inline void AppendVarint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

inline void AppendTag(std::string& out, std::uint32_t number, WireType type) {
  AppendVarint(out, (std::uint64_t{number} << 3) | static_cast<std::uint8_t>(type));
}

}  // namespace telltale::contract
