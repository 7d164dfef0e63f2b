// Protobuf wire bytes field by field, as the lake wants them: number, type and value at once. The
// strict low level is contract/wire.h. What a stream carries came from a car: cut or hostile bytes
// end the reading, never the process.
#pragma once

#include "base/bytes.h"
#include "contract/wire.h"

namespace telltale::lake {

using contract::WireType;

struct WireField {
  std::uint32_t number = 0;
  WireType type = WireType::kVarint;
  std::uint64_t value = 0;  // kVarint, kFixed64, kFixed32
  ByteSpan bytes;           // kBytes; points into the input
};

class WireReader {
 public:
  explicit WireReader(ByteSpan bytes) : cursor_(bytes) {}

  // False at the end and at the first broken field; ok() tells which.
  bool Next(WireField& field) {
    if (!ok_ || cursor_.done()) return false;
    ok_ = cursor_.ReadTag(field.number, field.type) && ReadValue(field);
    return ok_;
  }
  // The next value of a packed list: no tag, the type is `field.type`.
  bool NextPacked(WireField& field) {
    if (!ok_ || cursor_.done()) return false;
    ok_ = ReadValue(field);
    return ok_;
  }
  bool ok() const { return ok_; }

 private:
  bool ReadValue(WireField& field) {
    const std::uint8_t* const at = cursor_.at();
    switch (field.type) {
      case WireType::kVarint:
        return cursor_.ReadVarint(field.value);
      case WireType::kBytes:
        return cursor_.ReadBytes(field.bytes);
      case WireType::kFixed64:
        if (!cursor_.Skip(field.type)) return false;
        field.value = GetLe<std::uint64_t>(at);
        return true;
      case WireType::kFixed32:
        if (!cursor_.Skip(field.type)) return false;
        field.value = GetLe<std::uint32_t>(at);
        return true;
    }
    return false;
  }

  contract::WireCursor cursor_;
  bool ok_ = true;
};

}  // namespace telltale::lake
