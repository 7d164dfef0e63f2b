#include "lake/coverage_arrays.h"

#include <arrow/util/bit_run_reader.h>
#include <arrow/util/decimal.h>

#include <algorithm>

namespace telltale::lake {
namespace {

// Calls `visit(slice, first, end)` for each run of rows that are set and of one stretch.
template <typename Visit>
void VisitRuns(const arrow::Array& array, const std::vector<Coverage::Stretch>& stretches,
               const Visit& visit) {
  const std::uint8_t* const bits = array.null_bitmap_data();
  std::size_t at = 0;
  const auto within = [&](std::int64_t first, std::int64_t count) {
    const std::int64_t end = first + count;
    while (first < end) {
      while (stretches[at].end <= first) ++at;
      const std::int64_t stop = std::min(end, stretches[at].end);
      visit(stretches[at].slice, first, stop);
      first = stop;
    }
  };
  if (bits == nullptr) return within(0, array.length());
  arrow::internal::SetBitRunReader reader(bits, array.offset(), array.length());
  for (auto run = reader.NextRun(); run.length != 0; run = reader.NextRun()) {
    within(run.position, run.length);
  }
}

struct Tally {
  double least;
  double greatest;
  double sum;
};

// Four sums side by side: one alone waits for itself.
template <typename T>
Tally TallyOf(const T* values, std::int64_t count) {
  T least = values[0];
  T greatest = values[0];
  double sums[4] = {};
  std::int64_t i = 0;
  for (; i + 4 <= count; i += 4) {
    for (std::int64_t k = 0; k < 4; ++k) {
      const T value = values[i + k];
      least = value < least ? value : least;
      greatest = value > greatest ? value : greatest;
      sums[k] += static_cast<double>(value);
    }
  }
  for (; i < count; ++i) {
    least = std::min(least, values[i]);
    greatest = std::max(greatest, values[i]);
    sums[0] += static_cast<double>(values[i]);
  }
  return {static_cast<double>(least), static_cast<double>(greatest),
          (sums[0] + sums[1]) + (sums[2] + sums[3])};
}

template <typename T>
void CountNumbers(const arrow::Array& array, const T* values, const std::int64_t* times,
                  std::uint32_t field, Coverage& coverage) {
  VisitRuns(array, coverage.stretches(),
            [&](std::uint32_t slice, std::int64_t first, std::int64_t end) {
              CoverageCounts& to = coverage.counts(slice, field);
              const auto count = static_cast<std::uint64_t>(end - first);
              to.AddSeen(Micros{times[first]}, Micros{times[end - 1]}, count);
              const Tally tally = TallyOf(values + first, end - first);
              to.AddNumbers(count, tally.least, tally.greatest, tally.sum);
            });
}

// Unsigned 64-bit numbers: rare, and one by one.
void CountDecimals(const arrow::Decimal128Array& array, const std::int64_t* times,
                   std::uint32_t field, Coverage& coverage) {
  VisitRuns(array, coverage.stretches(),
            [&](std::uint32_t slice, std::int64_t first, std::int64_t end) {
              CoverageCounts& to = coverage.counts(slice, field);
              to.AddSeen(Micros{times[first]}, Micros{times[end - 1]},
                         static_cast<std::uint64_t>(end - first));
              for (std::int64_t row = first; row < end; ++row) {
                const double value = arrow::Decimal128(array.GetValue(row)).ToDouble(0);
                to.AddNumbers(1, value, value, value);
              }
            });
}

}  // namespace

void CountColumn(const arrow::Array& array, const std::int64_t* times, std::uint32_t field,
                 bool is_number, Coverage& coverage) {
  if (array.null_count() == array.length()) return;
  if (is_number) {
    switch (array.type_id()) {
      case arrow::Type::INT32:
        return CountNumbers(array, static_cast<const arrow::Int32Array&>(array).raw_values(), times,
                            field, coverage);
      case arrow::Type::INT64:
        return CountNumbers(array, static_cast<const arrow::Int64Array&>(array).raw_values(), times,
                            field, coverage);
      case arrow::Type::FLOAT:
        return CountNumbers(array, static_cast<const arrow::FloatArray&>(array).raw_values(), times,
                            field, coverage);
      case arrow::Type::DOUBLE:
        return CountNumbers(array, static_cast<const arrow::DoubleArray&>(array).raw_values(),
                            times, field, coverage);
      case arrow::Type::DECIMAL128:
        return CountDecimals(static_cast<const arrow::Decimal128Array&>(array), times, field,
                             coverage);
      default:
        break;
    }
  }
  VisitRuns(array, coverage.stretches(),
            [&](std::uint32_t slice, std::int64_t first, std::int64_t end) {
              coverage.counts(slice, field)
                  .AddSeen(Micros{times[first]}, Micros{times[end - 1]},
                           static_cast<std::uint64_t>(end - first));
            });
}

}  // namespace telltale::lake
