// One value off the wire into its column's type, with the contract's range held against it. Pure:
// no Arrow here, so that it is fuzzed with everything else that reads a car's bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lake/columns.h"
#include "lake/wire.h"

namespace telltale::lake {

struct Scalar {
  bool boolean = false;          // kBoolean
  std::int64_t integer = 0;      // kInt, kLong, kTimestamp; an enum's number beside its text
  std::uint64_t unsigned64 = 0;  // kDecimal20
  float float32 = 0;             // kFloat
  double float64 = 0;            // kDouble
  std::string_view text;         // kString, kBinary; into the input, the column or `scratch`
  std::string scratch;
};

enum class ValueVerdict {
  kOk,
  kOutOfRange,  // outside the contract's range, not a finite number, or text that is none: null
  kWrongType,   // the wire type does not belong to the column: null
  kConversionFailed,  // the column of another field cannot hold it exactly (convert.h): null
};

// The contract's range, both ends included, as values of the field's own type: 99.3f lies above
// 99.3. Endless where the contract says nothing.
struct ValueRange {
  double lowest;
  double highest;
};
ValueRange RangeOf(const Column& column);
ValueRange RangeOf(Encoding encoding, std::optional<double> min, std::optional<double> max);

// `column` is not kStruct.
ValueVerdict DecodeScalar(const Column& column, const WireField& field, Scalar& out);
// The enum's name of `number`, or UNKNOWN_<number>, as `out.text`.
void SetEnumName(const Column& column, std::int64_t number, Scalar& out);
// True when `column`'s values may come packed into one length-delimited field.
bool IsPackable(const Column& column);
// The wire type of `column`'s single values, for reading packed ones.
WireType WireTypeOf(Encoding encoding);

// P, C, B or U, a digit 0-3, three hexadecimal digits, optionally "-" and two more.
bool IsDtcCode(std::string_view text);

}  // namespace telltale::lake
