#include "lake/convert.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>

namespace telltale::lake {
namespace {

constexpr double kExactMax = 9007199254740992.0;  // 2^53: every whole number up to it is a double
constexpr double kTwoTo64 = 18446744073709551616.0;
constexpr int kDoubleDigits = std::numeric_limits<double>::digits;
constexpr int kFloatDigits = std::numeric_limits<float>::digits;

enum class Kind { kBool, kWhole, kReal, kEnum, kText };

Kind KindOf(Encoding encoding) {
  switch (encoding) {
    case Encoding::kBool:
      return Kind::kBool;
    case Encoding::kFloat:
    case Encoding::kDouble:
      return Kind::kReal;
    case Encoding::kEnum:
      return Kind::kEnum;
    case Encoding::kNone:
    case Encoding::kString:
    case Encoding::kBytes:
    case Encoding::kMessage:
      return Kind::kText;
    default:
      return Kind::kWhole;
  }
}

bool IsUnsigned64(Encoding encoding) {
  return encoding == Encoding::kUint64 || encoding == Encoding::kFixed64;
}

// A whole number of either sign that 64 bits hold; zero is not negative.
struct Whole {
  bool is_negative = false;
  std::uint64_t magnitude = 0;
};

Whole WholeOf(std::int64_t value) {
  const auto bits = static_cast<std::uint64_t>(value);
  return value < 0 ? Whole{true, 0 - bits} : Whole{false, bits};
}

Whole WholeOf(const Column& column, const Scalar& raw) {
  return IsUnsigned64(column.encoding) ? Whole{false, raw.unsigned64} : WholeOf(raw.integer);
}

double RealOf(const Whole& whole) {
  const auto magnitude = static_cast<double>(whole.magnitude);
  return whole.is_negative ? -magnitude : magnitude;
}

// True when `digits` binary digits hold it.
bool Holds(int digits, const Whole& whole) {
  const int used = 64 - std::countl_zero(whole.magnitude) - std::countr_zero(whole.magnitude);
  return whole.magnitude == 0 || used <= digits;
}

bool Fits(const Whole& whole, std::uint64_t below_zero_max, std::uint64_t max) {
  return whole.magnitude <= (whole.is_negative ? below_zero_max : max);
}

ValueVerdict InColumn(const Column& owner, double value) {
  const ValueRange range = RangeOf(owner.encoding, owner.column_min, owner.column_max);
  return value >= range.lowest && value <= range.highest ? ValueVerdict::kOk
                                                         : ValueVerdict::kOutOfRange;
}

// Of the column's type and not finite any more: it was too big.
ValueVerdict StoreReal(const Column& owner, double value, Scalar& out) {
  if (owner.encoding == Encoding::kFloat) {
    out.float32 = static_cast<float>(value);
    value = static_cast<double>(out.float32);
  } else {
    out.float64 = value;
  }
  return std::isfinite(value) ? InColumn(owner, value) : ValueVerdict::kConversionFailed;
}

ValueVerdict StoreInteger(const Column& owner, const Whole& whole, Scalar& out) {
  using Limits32 = std::numeric_limits<std::int32_t>;
  constexpr std::uint64_t k31 = std::uint64_t{1} << 31;
  constexpr std::uint64_t k63 = std::uint64_t{1} << 63;
  const std::uint64_t bits = whole.is_negative ? 0 - whole.magnitude : whole.magnitude;
  bool fits = false;
  switch (owner.encoding) {
    case Encoding::kInt32:
    case Encoding::kSint32:
    case Encoding::kSfixed32:
    case Encoding::kEnum:
      fits = Fits(whole, k31, std::uint64_t{Limits32::max()});
      break;
    case Encoding::kUint32:
    case Encoding::kFixed32:
      fits = Fits(whole, 0, std::numeric_limits<std::uint32_t>::max());
      break;
    case Encoding::kUint64:
    case Encoding::kFixed64:
      fits = Fits(whole, 0, std::numeric_limits<std::uint64_t>::max());
      break;
    case Encoding::kBool:
      fits = Fits(whole, 0, 1);
      break;
    default:
      fits = Fits(whole, k63, k63 - 1);
      break;
  }
  if (!fits) return ValueVerdict::kConversionFailed;
  out.boolean = bits != 0;
  out.unsigned64 = bits;
  out.integer = static_cast<std::int64_t>(bits);
  return ValueVerdict::kOk;
}

ValueVerdict StoreWhole(const Column& owner, const Whole& whole, Scalar& out) {
  switch (KindOf(owner.encoding)) {
    case Kind::kReal: {
      const int digits = owner.encoding == Encoding::kFloat ? kFloatDigits : kDoubleDigits;
      const bool is_small = whole.magnitude <= static_cast<std::uint64_t>(kExactMax);
      if (!is_small && !Holds(digits, whole)) return ValueVerdict::kConversionFailed;
      return StoreReal(owner, RealOf(whole), out);
    }
    case Kind::kText:
      return ValueVerdict::kConversionFailed;
    case Kind::kBool:
      return StoreInteger(owner, whole, out);
    case Kind::kWhole: {
      const ValueVerdict stored = StoreInteger(owner, whole, out);
      return stored == ValueVerdict::kOk ? InColumn(owner, RealOf(whole)) : stored;
    }
    case Kind::kEnum: {
      const ValueVerdict stored = StoreInteger(owner, whole, out);
      if (stored == ValueVerdict::kOk) SetEnumName(owner, out.integer, out);
      return stored;
    }
  }
  return ValueVerdict::kConversionFailed;
}

// A number that lies as a double. `limit`: above it a whole number may be a rounded one.
ValueVerdict StoreNumber(const Column& owner, double value, double limit, Scalar& out) {
  if (!std::isfinite(value)) return ValueVerdict::kConversionFailed;
  if (KindOf(owner.encoding) == Kind::kReal) return StoreReal(owner, value, out);
  const double magnitude = std::fabs(value);
  if (std::trunc(value) != value || magnitude >= kTwoTo64 || magnitude > limit) {
    return ValueVerdict::kConversionFailed;
  }
  return StoreWhole(owner, {value < 0, static_cast<std::uint64_t>(magnitude)}, out);
}

bool IsScaled(const contract::Transform& transform) {
  return transform.scale != 1 || transform.offset != 0;
}

ValueVerdict StoreScaled(const Column& owner, const contract::Transform& transform, double value,
                         Scalar& out) {
  return StoreNumber(owner, value * transform.scale + transform.offset, kExactMax, out);
}

// std::from_chars() takes "inf" and "nan", too.
bool BeginsAsNumber(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && (text[0] == '.' || (text[0] >= '0' && text[0] <= '9'));
}

template <typename Real>
std::optional<Real> ParseReal(std::string_view text) {
  Real value{};
  if (!BeginsAsNumber(text)) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// A decimal number that is whole, digit by digit: "1.50e2" is 150 and "9007199254740993" is not a
// double. `text` is one that ParseReal() takes.
std::optional<Whole> ParseWhole(std::string_view text) {
  Whole whole;
  whole.is_negative = text.starts_with('-');
  if (whole.is_negative) text.remove_prefix(1);
  const std::size_t mark = std::min(text.find_first_of("eE"), text.size());
  std::int64_t exponent = 0;
  if (mark < text.size()) {
    std::string_view digits = text.substr(mark + 1);
    if (digits.starts_with('+')) digits.remove_prefix(1);
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
    if (parsed.ec != std::errc{}) return std::nullopt;
  }
  std::string digits;
  bool is_fraction = false;
  for (const char c : text.substr(0, mark)) {
    if (c == '.') {
      is_fraction = true;
      continue;
    }
    digits.push_back(c);
    if (is_fraction) --exponent;
  }
  for (; !digits.empty() && digits.back() == '0'; ++exponent) digits.pop_back();
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
  if (digits.empty()) return Whole{};
  constexpr std::int64_t kDigitsMax = std::numeric_limits<std::uint64_t>::digits10 + 1;
  if (exponent < 0 || exponent > kDigitsMax) return std::nullopt;
  digits.append(static_cast<std::size_t>(exponent), '0');
  const char* const end = digits.data() + digits.size();
  if (std::from_chars(digits.data(), end, whole.magnitude).ec != std::errc{}) return std::nullopt;
  return whole;
}

ValueVerdict StoreText(const Column& owner, std::string_view text, Scalar& out) {
  const std::optional<double> value = ParseReal<double>(text);
  if (!value) return ValueVerdict::kConversionFailed;
  if (owner.encoding == Encoding::kFloat) {  // the nearest float to the text, not to a double
    const std::optional<float> single = ParseReal<float>(text);
    return single ? StoreReal(owner, static_cast<double>(*single), out)
                  : ValueVerdict::kConversionFailed;
  }
  if (KindOf(owner.encoding) == Kind::kReal) return StoreReal(owner, *value, out);
  const std::optional<Whole> whole = ParseWhole(text);
  return whole ? StoreWhole(owner, *whole, out) : ValueVerdict::kConversionFailed;
}

ValueVerdict FromText(const Column& owner, const contract::Transform& transform,
                      std::string_view text, Scalar& out) {
  switch (KindOf(owner.encoding)) {
    case Kind::kText:
      out.text = text;
      return ValueVerdict::kOk;
    case Kind::kEnum: {
      const bool is_known = std::any_of(owner.enum_values.begin(), owner.enum_values.end(),
                                        [&](const auto& entry) { return entry.second == text; });
      out.text = text;
      return is_known ? ValueVerdict::kOk : ValueVerdict::kConversionFailed;
    }
    case Kind::kBool:
      return ValueVerdict::kConversionFailed;
    case Kind::kWhole:
    case Kind::kReal:
      break;
  }
  if (!IsScaled(transform)) return StoreText(owner, text, out);
  const std::optional<double> value = ParseReal<double>(text);
  return value ? StoreScaled(owner, transform, *value, out) : ValueVerdict::kConversionFailed;
}

ValueVerdict FromEnum(const Column& owner, const Scalar& raw, Scalar& out) {
  switch (KindOf(owner.encoding)) {
    case Kind::kText:
      out.text = raw.text;
      return ValueVerdict::kOk;
    case Kind::kEnum:
      // Of its own type, or of another with the same names. A number without a name stays one.
      if (raw.text.data() == raw.scratch.data()) {
        SetEnumName(owner, raw.integer, out);
        return out.text == raw.text ? ValueVerdict::kOk : ValueVerdict::kConversionFailed;
      }
      return FromText(owner, {}, raw.text, out);
    default:
      return StoreWhole(owner, WholeOf(raw.integer), out);
  }
}

ValueVerdict FromWhole(const Column& owner, const contract::Transform& transform,
                       const Whole& whole, Scalar& out) {
  if (!IsScaled(transform)) return StoreWhole(owner, whole, out);
  if (!Holds(kDoubleDigits, whole)) return ValueVerdict::kConversionFailed;
  return StoreScaled(owner, transform, RealOf(whole), out);
}

ValueVerdict FromReal(const Column& owner, const contract::Transform& transform, double value,
                      Scalar& out) {
  if (IsScaled(transform)) return StoreScaled(owner, transform, value, out);
  return StoreNumber(owner, value, kTwoTo64, out);
}

const std::string* Find(const contract::Transform& transform, std::string_view from) {
  const auto& map = transform.map;
  const auto at =
      std::lower_bound(map.begin(), map.end(), from,
                       [](const auto& entry, std::string_view key) { return entry.first < key; });
  return at != map.end() && at->first == from ? &at->second : nullptr;
}

const std::string* Mapped(const Feeder& feeder, const Scalar& raw) {
  switch (KindOf(feeder.raw.encoding)) {
    case Kind::kText:
      return Find(feeder.transform, raw.text);
    case Kind::kBool:
      return Find(feeder.transform, raw.boolean ? "true" : "false");
    case Kind::kEnum:
      if (const std::string* by_name = Find(feeder.transform, raw.text)) return by_name;
      return Find(feeder.transform, std::to_string(raw.integer));
    case Kind::kWhole:
      return Find(feeder.transform, IsUnsigned64(feeder.raw.encoding)
                                        ? std::to_string(raw.unsigned64)
                                        : std::to_string(raw.integer));
    case Kind::kReal:
      break;
  }
  return nullptr;
}

ValueVerdict FromMap(const Column& owner, const Feeder& feeder, const Scalar& raw, Scalar& out) {
  const std::string* to = Mapped(feeder, raw);
  if (to == nullptr) return ValueVerdict::kConversionFailed;
  switch (KindOf(owner.encoding)) {
    case Kind::kText:
    case Kind::kEnum:
      out.text = *to;
      return ValueVerdict::kOk;
    case Kind::kBool:
      out.boolean = *to == "true" || *to == "1";
      return out.boolean || *to == "false" || *to == "0" ? ValueVerdict::kOk
                                                         : ValueVerdict::kConversionFailed;
    default:
      return StoreText(owner, *to, out);
  }
}

}  // namespace

ValueVerdict Convert(const Column& owner, const Feeder& feeder, const Scalar& raw, Scalar& out) {
  const contract::Transform& transform = feeder.transform;
  if (!transform.map.empty()) return FromMap(owner, feeder, raw, out);
  switch (KindOf(feeder.raw.encoding)) {
    case Kind::kBool:
      return FromWhole(owner, transform, {false, raw.boolean ? std::uint64_t{1} : 0}, out);
    case Kind::kWhole:
      return FromWhole(owner, transform, WholeOf(feeder.raw, raw), out);
    case Kind::kReal:
      return FromReal(owner, transform,
                      feeder.raw.encoding == Encoding::kFloat ? double{raw.float32} : raw.float64,
                      out);
    case Kind::kEnum:
      return FromEnum(owner, raw, out);
    case Kind::kText:
      return FromText(owner, transform, raw.text, out);
  }
  return ValueVerdict::kConversionFailed;
}

bool IsNumber(const Column& column) {
  const Kind kind = KindOf(column.encoding);
  return !column.repeated && (kind == Kind::kWhole || kind == Kind::kReal);
}

std::optional<double> NumberOf(const Column& column, const Scalar& raw) {
  if (!IsNumber(column)) return std::nullopt;
  if (column.encoding == Encoding::kFloat) return double{raw.float32};
  if (column.encoding == Encoding::kDouble) return raw.float64;
  return RealOf(WholeOf(column, raw));
}

}  // namespace telltale::lake
