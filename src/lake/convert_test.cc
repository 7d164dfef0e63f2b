#include "lake/convert.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>

namespace telltale::lake {
namespace {

using contract::Transform;
using Names = std::vector<std::pair<std::int32_t, std::string>>;

constexpr char kFailed[] = "conversion_failed";
constexpr char kOutside[] = "out_of_range";

Column Of(Encoding encoding, Names names = {}) {
  Column column;
  column.encoding = encoding;
  column.enum_values = std::move(names);
  return column;
}

Transform Scaled(double scale, double offset = 0) { return {scale, offset, {}}; }
Transform Map(std::vector<std::pair<std::string, std::string>> map) {
  std::sort(map.begin(), map.end());
  return {1, 0, std::move(map)};
}

// A value as the wire reader would give it.
Scalar Raw(const Column& column, std::int64_t integer) {
  Scalar raw;
  raw.boolean = integer != 0;
  raw.integer = integer;
  raw.unsigned64 = static_cast<std::uint64_t>(integer);
  if (column.encoding == Encoding::kEnum) SetEnumName(column, integer, raw);
  return raw;
}
Scalar Raw(double real) {
  Scalar raw;
  raw.float32 = static_cast<float>(real);
  raw.float64 = real;
  return raw;
}
Scalar Raw(std::string_view text) {
  Scalar raw;
  raw.text = text;
  return raw;
}

std::string Shown(const Column& owner, const Scalar& value) {
  char text[64];
  switch (owner.encoding) {
    case Encoding::kBool:
      return value.boolean ? "true" : "false";
    case Encoding::kFloat:
      std::snprintf(text, sizeof(text), "%.9g", static_cast<double>(value.float32));
      return text;
    case Encoding::kDouble:
      std::snprintf(text, sizeof(text), "%.17g", value.float64);
      return text;
    case Encoding::kEnum:
    case Encoding::kString:
      return std::string(value.text);
    case Encoding::kUint64:
      return std::to_string(value.unsigned64);
    default:
      return std::to_string(value.integer);
  }
}

std::string Converted(const Column& owner, const Feeder& feeder, const Scalar& raw) {
  Scalar out;
  switch (Convert(owner, feeder, raw, out)) {
    case ValueVerdict::kOk:
      return Shown(owner, out);
    case ValueVerdict::kConversionFailed:
      return kFailed;
    case ValueVerdict::kOutOfRange:
      return kOutside;
    case ValueVerdict::kWrongType:
      break;
  }
  return "wrong_type";
}

const Names kGears = {{0, "GEAR_UNSPECIFIED"}, {1, "GEAR_PARK"}, {3, "GEAR_DRIVE"}};
constexpr std::int64_t kTwo53 = std::int64_t{1} << 53;
constexpr std::int64_t kMax64 = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMin64 = std::numeric_limits<std::int64_t>::min();

struct WholeCase {
  Encoding from;
  std::int64_t value;
  Transform transform;
  Encoding to;
  std::string expected;
};

TEST(ConvertTest, WholeNumbersAreExactOrFail) {
  const WholeCase cases[] = {
      {Encoding::kInt32, -7, {}, Encoding::kInt64, "-7"},
      {Encoding::kInt64, kMax64, {}, Encoding::kUint64, "9223372036854775807"},
      {Encoding::kUint64, -1, {}, Encoding::kUint64, "18446744073709551615"},
      {Encoding::kUint64, -1, {}, Encoding::kInt64, kFailed},
      {Encoding::kInt64, kMin64, {}, Encoding::kInt64, "-9223372036854775808"},
      {Encoding::kInt64, -1, {}, Encoding::kUint64, kFailed},
      {Encoding::kInt64, -1, {}, Encoding::kUint32, kFailed},
      {Encoding::kInt64, 4294967295, {}, Encoding::kUint32, "4294967295"},
      {Encoding::kInt64, 4294967296, {}, Encoding::kUint32, kFailed},
      {Encoding::kInt64, 2147483648, {}, Encoding::kInt32, kFailed},
      {Encoding::kInt64, -2147483648, {}, Encoding::kSint32, "-2147483648"},
      {Encoding::kInt64, kTwo53 + 1, {}, Encoding::kDouble, kFailed},
      {Encoding::kInt64, kTwo53 + 2, {}, Encoding::kDouble, "9007199254740994"},
      {Encoding::kInt64, kMin64, {}, Encoding::kDouble, "-9.2233720368547758e+18"},
      {Encoding::kInt64, 16777217, {}, Encoding::kFloat, "16777216"},
      {Encoding::kInt64, kTwo53 * 2 + 4, {}, Encoding::kFloat, kFailed},
      {Encoding::kInt64, kTwo53 * 2, {}, Encoding::kFloat, "1.80143985e+16"},
      {Encoding::kInt64, kTwo53 + 1, Scaled(2), Encoding::kDouble, kFailed},
      {Encoding::kInt64, kTwo53 + 1, Scaled(1, 1), Encoding::kInt64, kFailed},
      {Encoding::kUint32, 12345, Scaled(0.001), Encoding::kDouble, "12.345000000000001"},
      {Encoding::kUint32, 12, Scaled(1000), Encoding::kInt32, "12000"},
      {Encoding::kUint32, 5, Scaled(0.5), Encoding::kInt32, kFailed},
      {Encoding::kUint32, 6, Scaled(0.5), Encoding::kInt32, "3"},
      {Encoding::kUint32, 1, Scaled(1, -40), Encoding::kInt32, "-39"},
      {Encoding::kUint32, 1, Scaled(1, -40), Encoding::kUint32, kFailed},
      {Encoding::kUint32, 4, Scaled(1e300), Encoding::kFloat, kFailed},
      {Encoding::kInt32, 0, {}, Encoding::kBool, "false"},
      {Encoding::kInt32, 1, {}, Encoding::kBool, "true"},
      {Encoding::kInt32, 2, {}, Encoding::kBool, kFailed},
      {Encoding::kInt32, -1, {}, Encoding::kBool, kFailed},
      {Encoding::kBool, 1, {}, Encoding::kInt32, "1"},
      {Encoding::kBool, 0, {}, Encoding::kDouble, "0"},
      {Encoding::kBool, 1, {}, Encoding::kBool, "true"},
      {Encoding::kInt32, 1, {}, Encoding::kString, kFailed},
      {Encoding::kInt32, 3, {}, Encoding::kEnum, "GEAR_DRIVE"},
      {Encoding::kInt32, 9, {}, Encoding::kEnum, "UNKNOWN_9"},
      {Encoding::kInt64, kTwo53, {}, Encoding::kEnum, kFailed},
      {Encoding::kEnum, 3, {}, Encoding::kString, "GEAR_DRIVE"},
      {Encoding::kEnum, 9, {}, Encoding::kString, "UNKNOWN_9"},
      {Encoding::kEnum, 9, {}, Encoding::kEnum, "UNKNOWN_9"},
      {Encoding::kEnum, 1, {}, Encoding::kEnum, "GEAR_PARK"},
      {Encoding::kEnum, 3, {}, Encoding::kUint32, "3"},
      {Encoding::kEnum, -3, {}, Encoding::kUint32, kFailed},
      {Encoding::kEnum, 3, Map({{"GEAR_DRIVE", "D"}, {"3", "no"}}), Encoding::kString, "D"},
      {Encoding::kEnum, 9, Map({{"9", "N"}}), Encoding::kString, "N"},
      {Encoding::kEnum, 1, Map({{"9", "N"}}), Encoding::kString, kFailed},
      {Encoding::kInt32, -1, Map({{"-1", "GEAR_PARK"}}), Encoding::kEnum, "GEAR_PARK"},
      {Encoding::kUint64, -1, Map({{"18446744073709551615", "0.5"}}), Encoding::kDouble, "0.5"},
      {Encoding::kUint32, 7, Map({{"7", "x"}}), Encoding::kInt32, kFailed},
      {Encoding::kBool, 1, Map({{"true", "-2"}, {"false", "2"}}), Encoding::kInt32, "-2"},
      {Encoding::kBool, 0, Map({{"true", "-2"}, {"false", "2"}}), Encoding::kInt32, "2"},
      {Encoding::kInt32, 5, Map({{"5", "true"}, {"6", "0"}, {"7", "2"}}), Encoding::kBool, "true"},
      {Encoding::kInt32, 6, Map({{"5", "true"}, {"6", "0"}, {"7", "2"}}), Encoding::kBool, "false"},
      {Encoding::kInt32, 7, Map({{"5", "true"}, {"6", "0"}, {"7", "2"}}), Encoding::kBool, kFailed},
  };
  for (const WholeCase& one : cases) {
    const Feeder feeder{Of(one.from, kGears), one.transform};
    EXPECT_EQ(Converted(Of(one.to, kGears), feeder, Raw(feeder.raw, one.value)), one.expected)
        << static_cast<int>(one.from) << " " << one.value << " to " << static_cast<int>(one.to);
  }
}

TEST(ConvertTest, RealNumbersAreWholeWhereTheColumnIs) {
  const struct {
    double value;
    Transform transform;
    Encoding to;
    std::string expected;
  } cases[] = {
      {2.5, {}, Encoding::kDouble, "2.5"},
      {0.1, {}, Encoding::kFloat, "0.100000001"},
      {1e39, {}, Encoding::kFloat, kFailed},
      {1e300, Scaled(1e10), Encoding::kDouble, kFailed},
      {3, {}, Encoding::kInt32, "3"},
      {-0.0, {}, Encoding::kUint32, "0"},
      {3.5, {}, Encoding::kInt32, kFailed},
      {9223372036854775808.0, {}, Encoding::kInt64, kFailed},
      {-9223372036854775808.0, {}, Encoding::kInt64, "-9223372036854775808"},
      {18446744073709549568.0, {}, Encoding::kUint64, "18446744073709549568"},
      {18446744073709551616.0, {}, Encoding::kUint64, kFailed},
      {9007199254740994.0, Scaled(2), Encoding::kInt64, kFailed},  // a rounded product
      {68, Scaled(5.0 / 9, -160.0 / 9), Encoding::kFloat, "20"},
      {1, {}, Encoding::kString, kFailed},
  };
  for (const auto& one : cases) {
    const Feeder feeder{Of(Encoding::kDouble), one.transform};
    EXPECT_EQ(Converted(Of(one.to), feeder, Raw(one.value)), one.expected) << one.value;
  }
  const Feeder single{Of(Encoding::kFloat), {}};
  EXPECT_EQ(Converted(Of(Encoding::kDouble), single, Raw(0.1)), "0.10000000149011612");
}

TEST(ConvertTest, TextIsADecimalNumberAsAWholeOrFails) {
  const struct {
    const char* text;
    Transform transform;
    Encoding to;
    std::string expected;
  } cases[] = {
      {"12.5", {}, Encoding::kDouble, "12.5"},
      {"-1.5e2", {}, Encoding::kDouble, "-150"},
      {"-1.5e2", {}, Encoding::kInt32, "-150"},
      {"150e-1", {}, Encoding::kInt32, "15"},
      {"1.5", {}, Encoding::kInt32, kFailed},
      {"0.99999999999999999999", {}, Encoding::kInt32, kFailed},
      {"9007199254740993", {}, Encoding::kInt64, "9007199254740993"},
      {"9007199254740993.000", {}, Encoding::kInt64, "9007199254740993"},
      {"18446744073709551615", {}, Encoding::kUint64, "18446744073709551615"},
      {"18446744073709551616", {}, Encoding::kUint64, kFailed},
      {"1e19", {}, Encoding::kUint64, "10000000000000000000"},
      {"1e20", {}, Encoding::kUint64, kFailed},
      {"-0", {}, Encoding::kUint32, "0"},
      {"0e5", {}, Encoding::kUint32, "0"},
      {"12345", Scaled(0.001), Encoding::kDouble, "12.345000000000001"},
      {"1e999", {}, Encoding::kDouble, kFailed},
      {"1e39", {}, Encoding::kFloat, kFailed},
      {"16777217.0000000000001", {}, Encoding::kFloat, "16777218"},
      {"", {}, Encoding::kDouble, kFailed},
      {"-", {}, Encoding::kDouble, kFailed},
      {" 1", {}, Encoding::kDouble, kFailed},
      {"1 ", {}, Encoding::kDouble, kFailed},
      {"+1", {}, Encoding::kDouble, kFailed},
      {"1,5", {}, Encoding::kDouble, kFailed},
      {"0x10", {}, Encoding::kDouble, kFailed},
      {"inf", {}, Encoding::kDouble, kFailed},
      {"-inf", {}, Encoding::kDouble, kFailed},
      {"nan", {}, Encoding::kFloat, kFailed},
      {"infinity", Scaled(2), Encoding::kDouble, kFailed},
      {"GEAR_PARK", {}, Encoding::kEnum, "GEAR_PARK"},
      {"GEAR_REVERSE", {}, Encoding::kEnum, kFailed},
      {"1", {}, Encoding::kEnum, kFailed},
      {"free-text", {}, Encoding::kString, "free-text"},
      {"true", {}, Encoding::kBool, kFailed},
      {"P", Map({{"P", "GEAR_PARK"}}), Encoding::kEnum, "GEAR_PARK"},
      {"R", Map({{"P", "GEAR_PARK"}}), Encoding::kEnum, kFailed},
      {"ON", Map({{"OFF", "false"}, {"ON", "true"}}), Encoding::kBool, "true"},
      {"LOW", Map({{"HIGH", "3.5"}, {"LOW", "-1"}}), Encoding::kFloat, "-1"},
  };
  for (const auto& one : cases) {
    const Feeder feeder{Of(Encoding::kString), one.transform};
    EXPECT_EQ(Converted(Of(one.to, kGears), feeder, Raw(std::string_view(one.text))), one.expected)
        << one.text;
  }
}

TEST(ConvertTest, TheColumnsRangeHoldsForWhatStandsInIt) {
  Column owner = Of(Encoding::kFloat);
  owner.min = 0;  // of the owner's own field: says nothing here
  owner.column_min = 0;
  owner.column_max = 99.3;
  const Feeder feeder{Of(Encoding::kUint32), Scaled(0.1)};
  EXPECT_EQ(Converted(owner, feeder, Raw(feeder.raw, 993)), "99.3000031");
  EXPECT_EQ(Converted(owner, feeder, Raw(feeder.raw, 994)), kOutside);
  const Feeder text{Of(Encoding::kString), {}};
  EXPECT_EQ(Converted(owner, text, Raw("-1")), kOutside);
  const Feeder mapped{Of(Encoding::kString), Map({{"A", "100"}})};
  EXPECT_EQ(Converted(owner, mapped, Raw("A")), kOutside);
}

TEST(ConvertTest, AStaleNameOfAnEarlierValueIsNotTakenForANumber) {
  const Feeder feeder{Of(Encoding::kEnum, {{1, "LEVEL_ONE"}}), {}};
  const Column owner = Of(Encoding::kEnum, {{7, "LEVEL_SEVEN"}});
  Scalar raw = Raw(feeder.raw, 7);
  EXPECT_EQ(Converted(owner, feeder, raw), kFailed) << "another enum's number 7";
  SetEnumName(feeder.raw, 1, raw);
  EXPECT_EQ(Converted(owner, feeder, raw), kFailed) << "no such name in the owner's enum";
}

// Against arithmetic of its own: long double, which holds every 64-bit whole number.
static_assert(std::numeric_limits<long double>::digits >= 64);

constexpr double kScales[] = {1, 1, 0.001, 1000, 1.609344, 0.1, 0.5, -2, 5.0 / 9};
constexpr double kOffsets[] = {0, 0, 0, -40, 273.15, 0.5};
constexpr Encoding kTargets[] = {Encoding::kInt32,  Encoding::kUint32, Encoding::kInt64,
                                 Encoding::kUint64, Encoding::kFloat,  Encoding::kDouble};

long double LimitOf(Encoding to, bool is_max) {
  switch (to) {
    case Encoding::kInt32:
      return is_max ? 2147483647.0L : -2147483648.0L;
    case Encoding::kUint32:
      return is_max ? 4294967295.0L : 0.0L;
    case Encoding::kInt64:
      return is_max ? 9223372036854775807.0L : -9223372036854775808.0L;
    default:
      return is_max ? 18446744073709551615.0L : 0.0L;
  }
}

bool IsWholeType(Encoding to) { return to != Encoding::kFloat && to != Encoding::kDouble; }

long double ValueOf(Encoding to, const Scalar& value) {
  if (to == Encoding::kFloat) return static_cast<long double>(value.float32);
  if (to == Encoding::kDouble) return static_cast<long double>(value.float64);
  return to == Encoding::kUint64 ? static_cast<long double>(value.unsigned64)
                                 : static_cast<long double>(value.integer);
}

void ExpectAsComputed(std::int64_t value, double scale, double offset, Encoding to) {
  const Column owner = Of(to);
  const Feeder feeder{Of(Encoding::kInt64), Scaled(scale, offset)};
  Scalar out;
  const ValueVerdict verdict = Convert(owner, feeder, Raw(feeder.raw, value), out);
  const bool is_scaled = scale != 1 || offset != 0;
  const auto wide = static_cast<long double>(value);
  const auto narrow = static_cast<double>(value);
  const bool is_double = static_cast<long double>(narrow) == wide;
  // As double arithmetic gives it, and as it is.
  const double rounded = narrow * scale + offset;
  const long double exact =
      is_scaled ? wide * static_cast<long double>(scale) + static_cast<long double>(offset) : wide;
  const long double result = is_scaled ? static_cast<long double>(rounded) : wide;
  bool expected = is_double || !is_scaled;
  if (IsWholeType(to)) {
    expected = expected && std::floor(result) == result && result >= LimitOf(to, false) &&
               result <= LimitOf(to, true) && (!is_scaled || std::fabs(result) <= 0x1p53L);
  } else if (std::fabs(wide) > 0x1p53L) {
    const bool fits = to == Encoding::kDouble || is_scaled
                          ? is_double
                          : static_cast<long double>(static_cast<float>(value)) == wide;
    expected = expected && fits;
  }
  SCOPED_TRACE(std::to_string(value) + " x " + std::to_string(scale) + " + " +
               std::to_string(offset) + " to " + std::to_string(static_cast<int>(to)));
  ASSERT_EQ(verdict == ValueVerdict::kOk, expected);
  if (!expected) return;
  const long double got = ValueOf(to, out);
  if (IsWholeType(to)) {
    EXPECT_EQ(got, result);
    return;
  }
  // Of the greatest number on the way: what cancels out takes its digits along.
  const double greatest =
      std::max({std::fabs(rounded), std::fabs(narrow * scale), std::fabs(offset)});
  const long double ulp =
      to == Encoding::kFloat
          ? static_cast<long double>(std::nextafter(static_cast<float>(greatest), HUGE_VALF) -
                                     static_cast<float>(greatest))
          : static_cast<long double>(std::nextafter(greatest, HUGE_VAL) - greatest);
  EXPECT_LE(std::fabs(got - exact), ulp);
}

TEST(ConvertTest, RandomNumbersAreWhatExactArithmeticSays) {
  std::mt19937_64 random(20261130);
  for (int i = 0; i < 200'000; ++i) {
    const auto bits = static_cast<std::int64_t>(random());
    const std::int64_t value = bits >> (random() % 64);
    ExpectAsComputed(value, kScales[random() % std::size(kScales)],
                     kOffsets[random() % std::size(kOffsets)],
                     kTargets[random() % std::size(kTargets)]);
    if (HasFatalFailure()) return;
  }
}

// The same whole number in one of its many writings.
std::string Written(std::int64_t value, std::mt19937_64& random) {
  std::string text = std::to_string(value);
  std::string sign;
  if (text[0] == '-') {
    sign = "-";
    text.erase(0, 1);
  }
  const auto point = static_cast<std::size_t>(random() % (text.size() + 1));
  const std::size_t moved = text.size() - point;
  if (moved == 0) return sign + text + (random() % 2 == 0 ? "" : ".000");
  const std::string whole = point == 0 ? "0" : text.substr(0, point);
  return sign + whole + "." + text.substr(point) + (random() % 2 == 0 ? "e" : "E+") +
         std::to_string(moved);
}

TEST(ConvertTest, AWholeNumberIsItselfHoweverItIsWritten) {
  std::mt19937_64 random(7);
  const Feeder feeder{Of(Encoding::kString), {}};
  const Column whole = Of(Encoding::kInt64);
  const Column real = Of(Encoding::kDouble);
  for (int i = 0; i < 50'000; ++i) {
    const std::int64_t value = static_cast<std::int64_t>(random()) >> (random() % 64);
    const std::string text = Written(value, random);
    ASSERT_EQ(Converted(whole, feeder, Raw(text)), std::to_string(value)) << text;
    Scalar out;
    ASSERT_EQ(Convert(real, feeder, Raw(text), out), ValueVerdict::kOk);
    ASSERT_EQ(out.float64, std::strtod(text.c_str(), nullptr)) << text;
    ASSERT_EQ(Converted(whole, feeder, Raw(std::to_string(value) + ".5")), kFailed);
  }
}

}  // namespace
}  // namespace telltale::lake
