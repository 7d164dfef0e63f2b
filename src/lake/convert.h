// A value of one field as a value of a column that another field owns, or of its own field's column
// with a transform: docs/contract.md, "One column, several fields". Exact, or refused: nothing is
// cut, rounded to a whole number or guessed. Pure, no Arrow.
#pragma once

#include <optional>
#include <string_view>

#include "lake/values.h"

namespace telltale::lake {

// `raw` is what DecodeScalar(feeder.raw, ...) gave with kOk. After kOk `out` is the value of
// `owner`'s type; its text points into `raw`, `owner` or `feeder`, or is its own.
//   kConversionFailed  no entry of the map; a text that is no number, or not one of the enum's
//                      names; not a whole number, or one that the column's type cannot hold; above
//                      2^53 where a double would lose digits; not finite
//   kOutOfRange        outside the range of what may stand in the column
ValueVerdict Convert(const Column& owner, const Feeder& feeder, const Scalar& raw, Scalar& out);

// The number that the car sent in a field of `column`'s type, for statistics; none of a bool, enum
// or text.
std::optional<double> NumberOf(const Column& column, const Scalar& raw);
bool IsNumber(const Column& column);

}  // namespace telltale::lake
