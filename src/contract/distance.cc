#include "contract/distance.h"

#include <cmath>
#include <limits>
#include <optional>

namespace telltale::contract {
namespace {

constexpr double kOffsetMax = 1e15;  // keeps the whole offset far inside int64

std::uint64_t ReadWhole(ByteSpan value) {
  std::uint64_t whole = 0;
  WireCursor(value).ReadVarint(whole);
  return whole;
}

// The wire's integer as a distance; nullopt when negative.
std::optional<std::uint64_t> Whole(ByteSpan value, Encoding encoding) {
  const auto positive = [](std::int64_t number) -> std::optional<std::uint64_t> {
    if (number < 0) return std::nullopt;
    return static_cast<std::uint64_t>(number);
  };
  const auto zigzag = [](std::uint64_t raw) {
    return static_cast<std::int64_t>((raw >> 1) ^ (~(raw & 1) + 1));
  };
  switch (encoding) {
    case Encoding::kInt32:
      return positive(static_cast<std::int32_t>(static_cast<std::uint32_t>(ReadWhole(value))));
    case Encoding::kInt64:
      return positive(static_cast<std::int64_t>(ReadWhole(value)));
    case Encoding::kUint32:
      return static_cast<std::uint32_t>(ReadWhole(value));
    case Encoding::kUint64:
      return ReadWhole(value);
    case Encoding::kSint32:
      return positive(zigzag(static_cast<std::uint32_t>(ReadWhole(value))));
    case Encoding::kSint64:
      return positive(zigzag(ReadWhole(value)));
    case Encoding::kFixed32:
      return GetLe<std::uint32_t>(value.data());
    case Encoding::kFixed64:
      return GetLe<std::uint64_t>(value.data());
    case Encoding::kSfixed32:
      return positive(GetLe<std::int32_t>(value.data()));
    case Encoding::kSfixed64:
      return positive(GetLe<std::int64_t>(value.data()));
    case Encoding::kFloat:
    case Encoding::kDouble:
      break;
  }
  return std::nullopt;
}

std::uint64_t WholeMax(Encoding encoding) {
  switch (encoding) {
    case Encoding::kInt32:
    case Encoding::kSint32:
    case Encoding::kSfixed32:
      return INT32_MAX;
    case Encoding::kUint32:
    case Encoding::kFixed32:
      return UINT32_MAX;
    case Encoding::kInt64:
    case Encoding::kSint64:
    case Encoding::kSfixed64:
      return INT64_MAX;
    default:
      return UINT64_MAX;
  }
}

void AppendWhole(std::string& out, std::uint64_t whole, const FieldRule& rule) {
  if (rule.wire == WireType::kFixed32) {
    PutLe(out, static_cast<std::uint32_t>(whole));
  } else if (rule.wire == WireType::kFixed64) {
    PutLe(out, whole);
  } else if (rule.encoding == Encoding::kSint32 || rule.encoding == Encoding::kSint64) {
    AppendVarint(out, whole << 1);  // zigzag of a number that is not negative
  } else {
    AppendVarint(out, whole);
  }
}

template <typename Float>
bool AppendFloat(std::string& out, std::string_view tag, ByteSpan value, double offset) {
  const Float number = GetLe<Float>(value.data());
  if (!std::isfinite(number) || number < 0) return false;
  const double sum = static_cast<double>(number) + offset;
  if (!(sum <= static_cast<double>(std::numeric_limits<Float>::max()))) return false;
  out.append(tag);
  PutLe(out, static_cast<Float>(sum));
  return true;
}

}  // namespace

bool AppendShifted(std::string& out, std::string_view tag, ByteSpan value, const FieldRule& rule,
                   double offset_km) {
  const double offset = offset_km * static_cast<double>(rule.units_per_km);
  if (!(offset >= 0 && offset <= kOffsetMax)) return false;
  if (rule.encoding == Encoding::kFloat) return AppendFloat<float>(out, tag, value, offset);
  if (rule.encoding == Encoding::kDouble) return AppendFloat<double>(out, tag, value, offset);

  const std::optional<std::uint64_t> whole = Whole(value, rule.encoding);
  const auto added = static_cast<std::uint64_t>(std::llround(offset));
  const std::uint64_t limit = WholeMax(rule.encoding);
  if (!whole || added > limit || *whole > limit - added) return false;
  out.append(tag);
  AppendWhole(out, *whole + added, rule);
  return true;
}

}  // namespace telltale::contract
