#include "base/ids.h"

#include <cstring>

namespace telltale {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::uint64_t FirstEightBigEndian(const VehicleRef& ref) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) value = (value << 8) | ref.bytes[i];
  return value;
}

}  // namespace

std::string HexEncode(const void* data, std::size_t size) {
  static constexpr char kDigits[] = "0123456789abcdef";
  const auto* bytes = static_cast<const std::uint8_t*>(data);
  std::string out(size * 2, '0');
  for (std::size_t i = 0; i < size; ++i) {
    out[2 * i] = kDigits[bytes[i] >> 4];
    out[2 * i + 1] = kDigits[bytes[i] & 15];
  }
  return out;
}

Result<std::string> HexDecode(std::string_view hex) {
  if (hex.size() % 2 != 0) return Error{Code::kInvalid, "hex text has an odd number of digits"};
  std::string out(hex.size() / 2, '\0');
  for (std::size_t i = 0; i < out.size(); ++i) {
    const int high = HexDigit(hex[2 * i]);
    const int low = HexDigit(hex[2 * i + 1]);
    if (high < 0 || low < 0)
      return Error{Code::kInvalid, "hex text has a character that is no hex digit"};
    out[i] = static_cast<char>(high * 16 + low);
  }
  return out;
}

Result<VehicleRef> VehicleRef::FromHex(std::string_view hex) {
  ASSIGN_OR_RETURN(const std::string raw, HexDecode(hex));
  if (raw.size() != 16) return Error{Code::kInvalid, "a vehicle_ref is 32 hex digits"};
  VehicleRef ref;
  std::memcpy(ref.bytes.data(), raw.data(), 16);
  return ref;
}

PartitionId VehicleRef::PartitionOf(std::uint16_t partitions) const {
  CHECK(partitions > 0);
  return PartitionId{static_cast<std::uint16_t>(FirstEightBigEndian(*this) % partitions)};
}

std::size_t VehicleRefHash::operator()(const VehicleRef& ref) const noexcept {
  std::size_t value = 0;
  // The tail: the head decides the partition, so within one it is less evenly spread.
  std::memcpy(&value, ref.bytes.data() + 8, sizeof value);
  return value;
}

}  // namespace telltale
