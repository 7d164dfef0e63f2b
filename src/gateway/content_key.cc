#include "gateway/content_key.h"

#include <array>
#include <bit>
#include <string>

#include "seal/seal.h"

namespace telltale::gateway {
namespace {

struct SipState {
  std::uint64_t v0, v1, v2, v3;

  void Round() {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }
  void Mix(std::uint64_t word) {
    v3 ^= word;
    Round();
    Round();
    v0 ^= word;
  }
};

}  // namespace

std::uint64_t SipHash24(std::uint64_t key0, std::uint64_t key1, ByteSpan bytes) {
  SipState state{key0 ^ 0x736f6d6570736575ull, key1 ^ 0x646f72616e646f6dull,
                 key0 ^ 0x6c7967656e657261ull, key1 ^ 0x7465646279746573ull};
  std::size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) state.Mix(GetLe<std::uint64_t>(bytes.data() + at));
  std::uint64_t last = static_cast<std::uint64_t>(bytes.size() & 0xFF) << 56;
  for (std::size_t i = 0; at + i < bytes.size(); ++i) {
    last |= static_cast<std::uint64_t>(bytes[at + i]) << (8 * i);
  }
  state.Mix(last);
  state.v2 ^= 0xFF;
  for (int i = 0; i < 4; ++i) state.Round();
  return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

ContentKey ContentKey::FromSecret(std::string_view gateway_private) {
  const std::string key = seal::Sha256("telltale content hash v1" + std::string(gateway_private));
  return ContentKey(GetLe<std::uint64_t>(key.data()), GetLe<std::uint64_t>(key.data() + 8));
}

std::uint64_t ContentKey::Hide(std::uint64_t content_hash) const {
  std::array<std::uint8_t, sizeof content_hash> raw;
  std::memcpy(raw.data(), &content_hash, raw.size());
  return SipHash24(key0_, key1_, raw);
}

}  // namespace telltale::gateway
