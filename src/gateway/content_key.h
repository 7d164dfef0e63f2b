// The content hash that leaves the door. XXH3 of a report would let anyone with the open streams
// test guesses of its exact position, since every other field is open; under a key it says only
// whether two reports are the same (docs/formats/telemetry-record.md).
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"

namespace telltale::gateway {

// SipHash-2-4 with 64 bits out (Aumasson, Bernstein 2012).
std::uint64_t SipHash24(std::uint64_t key0, std::uint64_t key1, ByteSpan bytes);

class ContentKey {
 public:
  // The same secret gives the same hashes after a restart.
  static ContentKey FromSecret(std::string_view gateway_private);
  std::uint64_t Hide(std::uint64_t content_hash) const;

 private:
  ContentKey(std::uint64_t key0, std::uint64_t key1) : key0_(key0), key1_(key1) {}
  std::uint64_t key0_;
  std::uint64_t key1_;
};

}  // namespace telltale::gateway
