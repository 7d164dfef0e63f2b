#include "lake/values.h"

#include <bit>
#include <cmath>
#include <limits>

#include "base/utf8.h"

namespace telltale::lake {
namespace {

std::int64_t ZigZag(std::uint64_t value) {
  return static_cast<std::int64_t>((value >> 1) ^ (~(value & 1) + 1));
}

bool InRange(const Column& column, double value) {
  const ValueRange range = RangeOf(column);
  return value >= range.lowest && value <= range.highest;
}

std::int64_t IntegerOf(Encoding encoding, std::uint64_t raw) {
  switch (encoding) {
    case Encoding::kInt32:
    case Encoding::kSfixed32:
    case Encoding::kEnum:
      return static_cast<std::int32_t>(static_cast<std::uint32_t>(raw));
    case Encoding::kSint32:
      return static_cast<std::int32_t>(ZigZag(raw & 0xffffffffu));
    case Encoding::kUint32:
    case Encoding::kFixed32:
      return static_cast<std::int64_t>(raw & 0xffffffffu);
    case Encoding::kSint64:
      return ZigZag(raw);
    default:
      return static_cast<std::int64_t>(raw);
  }
}

ValueVerdict DecodeText(const Column& column, const WireField& field, Scalar& out) {
  out.text = AsText(field.bytes);
  if (column.encoding == Encoding::kBytes) return ValueVerdict::kOk;
  if (!IsUtf8(out.text)) return ValueVerdict::kOutOfRange;
  if (column.text_rule == TextRule::kDtcCode && !IsDtcCode(out.text)) {
    return ValueVerdict::kOutOfRange;
  }
  return ValueVerdict::kOk;
}

ValueVerdict Ranged(const Column& column, double value) {
  return std::isfinite(value) && InRange(column, value) ? ValueVerdict::kOk
                                                        : ValueVerdict::kOutOfRange;
}

}  // namespace

void SetEnumName(const Column& column, std::int64_t number, Scalar& out) {
  for (const auto& [known, name] : column.enum_values) {
    if (known == number) {
      out.text = name;
      return;
    }
  }
  // A value of a newer contract; its number is kept so that nothing is lost.
  out.scratch = "UNKNOWN_" + std::to_string(number);
  out.text = out.scratch;
}

ValueRange RangeOf(const Column& column) {
  return RangeOf(column.encoding, column.min, column.max);
}

ValueRange RangeOf(Encoding encoding, std::optional<double> min, std::optional<double> max) {
  // As the car can send it: 99.3 is a little more as a float.
  const auto end = [&](const std::optional<double>& limit, double without) {
    if (!limit) return without;
    return encoding == Encoding::kFloat ? double{static_cast<float>(*limit)} : *limit;
  };
  constexpr double kEndless = std::numeric_limits<double>::infinity();
  return {end(min, -kEndless), end(max, kEndless)};
}

WireType WireTypeOf(Encoding encoding) {
  switch (encoding) {
    case Encoding::kFixed32:
    case Encoding::kSfixed32:
    case Encoding::kFloat:
      return WireType::kFixed32;
    case Encoding::kFixed64:
    case Encoding::kSfixed64:
    case Encoding::kDouble:
      return WireType::kFixed64;
    case Encoding::kString:
    case Encoding::kBytes:
    case Encoding::kMessage:
      return WireType::kBytes;
    default:
      return WireType::kVarint;
  }
}

ValueVerdict DecodeScalar(const Column& column, const WireField& field, Scalar& out) {
  if (field.type != WireTypeOf(column.encoding)) return ValueVerdict::kWrongType;
  switch (column.encoding) {
    case Encoding::kBool:
      out.boolean = field.value != 0;
      return ValueVerdict::kOk;
    case Encoding::kFloat:
      out.float32 = std::bit_cast<float>(static_cast<std::uint32_t>(field.value));
      return Ranged(column, static_cast<double>(out.float32));
    case Encoding::kDouble:
      out.float64 = std::bit_cast<double>(field.value);
      return Ranged(column, out.float64);
    case Encoding::kString:
    case Encoding::kBytes:
      return DecodeText(column, field, out);
    case Encoding::kEnum:
      out.integer = IntegerOf(column.encoding, field.value);
      SetEnumName(column, out.integer, out);
      return ValueVerdict::kOk;
    case Encoding::kUint64:
    case Encoding::kFixed64:
      out.unsigned64 = field.value;
      out.integer = static_cast<std::int64_t>(field.value);
      return Ranged(column, static_cast<double>(out.unsigned64));
    case Encoding::kNone:
    case Encoding::kMessage:
      return ValueVerdict::kWrongType;
    default:
      out.integer = IntegerOf(column.encoding, field.value);
      return Ranged(column, static_cast<double>(out.integer));
  }
}

bool IsPackable(const Column& column) {
  return column.encoding != Encoding::kNone && WireTypeOf(column.encoding) != WireType::kBytes;
}

bool IsDtcCode(std::string_view text) {
  const auto is_hex = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
  };
  if (text.size() != 5 && text.size() != 8) return false;
  if (std::string_view("PCBU").find(text[0]) == std::string_view::npos) return false;
  if (text[1] < '0' || text[1] > '3') return false;
  for (const std::size_t i : {2u, 3u, 4u}) {
    if (!is_hex(text[i])) return false;
  }
  return text.size() == 5 || (text[5] == '-' && is_hex(text[6]) && is_hex(text[7]));
}

}  // namespace telltale::lake
