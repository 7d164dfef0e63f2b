#include "lake/values.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "base/utf8.h"

namespace telltale::lake {
namespace {

Column Of(Encoding encoding, std::optional<double> min = {}, std::optional<double> max = {}) {
  Column column;
  column.encoding = encoding;
  column.min = min;
  column.max = max;
  return column;
}
WireField Varint(std::uint64_t value) { return {1, WireType::kVarint, value, {}}; }
WireField Float(float value) {
  return {1, WireType::kFixed32, std::bit_cast<std::uint32_t>(value), {}};
}

TEST(ValuesTest, RangesIncludeBothEndsAndNothingElse) {
  const Column column = Of(Encoding::kFloat, 0, 100);
  Scalar out;
  EXPECT_EQ(DecodeScalar(column, Float(0), out), ValueVerdict::kOk);
  EXPECT_EQ(DecodeScalar(column, Float(100), out), ValueVerdict::kOk);
  EXPECT_EQ(DecodeScalar(column, Float(100.5f), out), ValueVerdict::kOutOfRange);
  EXPECT_EQ(DecodeScalar(column, Float(-0.5f), out), ValueVerdict::kOutOfRange);
  // 99.3f lies above 99.3: the end of a range is the nearest number that the field can carry.
  const Column trim = Of(Encoding::kFloat, -100, 99.3);
  EXPECT_EQ(DecodeScalar(trim, Float(99.3f), out), ValueVerdict::kOk);
  EXPECT_EQ(DecodeScalar(trim, Float(std::nextafter(99.3f, 100.0f)), out),
            ValueVerdict::kOutOfRange);
}

TEST(ValuesTest, WhatIsNotAFiniteNumberIsNulledEvenWithoutARange) {
  Scalar out;
  for (const float bad : {std::nanf(""), HUGE_VALF, -HUGE_VALF}) {
    EXPECT_EQ(DecodeScalar(Of(Encoding::kFloat), Float(bad), out), ValueVerdict::kOutOfRange);
  }
}

TEST(ValuesTest, IntegersKeepTheirSignWhateverTheirEncoding) {
  Scalar out;
  const struct {
    Encoding encoding;
    std::uint64_t raw;
    std::int64_t value;
  } cases[] = {
      {Encoding::kInt32, 0xffffffffffffffffull, -1},
      {Encoding::kInt32, 7, 7},
      {Encoding::kInt64, 0xffffffffffffffffull, -1},
      {Encoding::kSint32, 3, -2},
      {Encoding::kSint64, 0xffffffffffffffffull, std::numeric_limits<std::int64_t>::min()},
      {Encoding::kUint32, 0xffffffffull, 4294967295},
  };
  for (const auto& c : cases) {
    ASSERT_EQ(DecodeScalar(Of(c.encoding), Varint(c.raw), out), ValueVerdict::kOk);
    EXPECT_EQ(out.integer, c.value);
  }
}

TEST(ValuesTest, AnEnumIsItsNameAndAnUnknownNumberIsNotLost) {
  Column column = Of(Encoding::kEnum);
  column.enum_values = {{0, "KIND_UNSPECIFIED"}, {2, "KIND_TWO"}};
  Scalar out;
  ASSERT_EQ(DecodeScalar(column, Varint(2), out), ValueVerdict::kOk);
  EXPECT_EQ(out.text, "KIND_TWO");
  ASSERT_EQ(DecodeScalar(column, Varint(9), out), ValueVerdict::kOk);
  EXPECT_EQ(out.text, "UNKNOWN_9");
}

TEST(ValuesTest, AnotherWireTypeIsNulled) {
  Scalar out;
  EXPECT_EQ(DecodeScalar(Of(Encoding::kFloat), Varint(1), out), ValueVerdict::kWrongType);
  EXPECT_EQ(DecodeScalar(Of(Encoding::kBool), Float(1), out), ValueVerdict::kWrongType);
}

TEST(ValuesTest, TextHasToBeUtf8) {
  EXPECT_TRUE(IsUtf8(""));
  EXPECT_TRUE(IsUtf8("P0301"));
  EXPECT_TRUE(IsUtf8("\xc3\xa9\xe2\x82\xac\xf0\x9f\x9a\x97"));
  for (const char* bad : {"\x80", "\xc0\xaf", "\xc3", "\xed\xa0\x80", "\xe0\x80\xaf",
                          "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80"}) {
    EXPECT_FALSE(IsUtf8(bad)) << bad;
  }
}

TEST(ValuesTest, OnlyTroubleCodesAreTroubleCodes) {
  for (const char* good : {"P0301", "U0100-87", "C1aBf", "B3FFF"}) EXPECT_TRUE(IsDtcCode(good));
  for (const char* bad :
       {"", "P030", "X0301", "P4301", "P03G1", "P0301-8", "P0301 87", "P0301-8g"}) {
    EXPECT_FALSE(IsDtcCode(bad)) << bad;
  }
}

TEST(ValuesTest, CutAndHostileWireBytesEndTheReadingWithoutAValue) {
  const std::string_view cases[] = {
      {"\x08", 1},                                           // tag, no value
      {"\x0d\x01\x02", 3},                                   // cut fixed32
      {"\x0a\x05\x61", 3},                                   // bytes longer than there are
      {"\x00\x01", 2},                                       // field number 0
      {"\x0b\x01", 2},                                       // a group
      {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 11},  // more than 64 bits
  };
  for (const std::string_view bytes : cases) {
    WireReader reader(AsBytes(bytes));
    WireField field;
    EXPECT_FALSE(reader.Next(field));
    EXPECT_FALSE(reader.ok());
  }
}

}  // namespace
}  // namespace telltale::lake
