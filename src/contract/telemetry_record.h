// The payload of a telemetry record (docs/formats/telemetry-record.md).
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"

namespace telltale::contract {

// Flag of the record: before the fields lies what the boot before this one was.
inline constexpr std::uint8_t kFlagPreviousBoot = 0x01;
inline constexpr std::size_t kPreviousBootBytes = 20;

// The report's open fields; nullopt: the payload is shorter than its flags say.
inline std::optional<ByteSpan> OpenFieldsOf(std::uint8_t flags, ByteSpan payload) {
  if ((flags & kFlagPreviousBoot) == 0) return payload;
  if (payload.size() < kPreviousBootBytes) return std::nullopt;
  return payload.subspan(kPreviousBootBytes);
}

}  // namespace telltale::contract
