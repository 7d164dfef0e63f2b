// Little-endian bytes, the order of every format of ours. Cut input is an answer, never a crash.
#pragma once

#include <bit>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/result.h"

namespace telltale {

static_assert(std::endian::native == std::endian::little, "formats are read in place");

using ByteSpan = std::span<const std::uint8_t>;

inline ByteSpan AsBytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view AsText(ByteSpan bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <typename T>
void PutLe(std::string& out, T value) {
  static_assert(std::is_integral_v<T> || std::is_floating_point_v<T>);
  char raw[sizeof(T)];
  std::memcpy(raw, &value, sizeof(T));
  out.append(raw, sizeof(T));
}

template <typename T>
T GetLe(const void* at) {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}

// u32 length, then the bytes.
inline void PutBlob(std::string& out, std::string_view bytes) {
  PutLe(out, static_cast<std::uint32_t>(bytes.size()));
  out.append(bytes);
}

// Reads forward; after the first short read every read fails and ok() is false.
class ByteReader {
 public:
  explicit ByteReader(ByteSpan bytes) : rest_(bytes) {}
  explicit ByteReader(std::string_view text) : rest_(AsBytes(text)) {}

  template <typename T>
  T Get() {
    T value{};
    if (!Has(sizeof(T))) return value;
    value = GetLe<T>(rest_.data());
    rest_ = rest_.subspan(sizeof(T));
    return value;
  }
  ByteSpan Take(std::size_t size) {
    if (!Has(size)) return {};
    const ByteSpan taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
  }
  ByteSpan TakeBlob() { return Take(Get<std::uint32_t>()); }
  bool ok() const { return ok_; }
  std::size_t remaining() const { return ok_ ? rest_.size() : 0; }

 private:
  bool Has(std::size_t size) {
    if (!ok_ || rest_.size() < size) ok_ = false;
    return ok_;
  }
  ByteSpan rest_;
  bool ok_ = true;
};

}  // namespace telltale
