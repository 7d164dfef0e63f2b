// Table `coverage` out of finished columns: what is not null there was present. Counting from whole
// columns costs a fraction of counting value by value.
#pragma once

#include <arrow/api.h>

#include "lake/coverage.h"

namespace telltale::lake {

// Counts `array`, whose rows are those of coverage.stretches(), as values of fields()[field].
// `times` are the rows' event times. `is_number`: with least, greatest and sum.
void CountColumn(const arrow::Array& array, const std::int64_t* times, std::uint32_t field,
                 bool is_number, Coverage& coverage);

}  // namespace telltale::lake
