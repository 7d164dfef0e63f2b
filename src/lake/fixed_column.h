// A column of one width for each value (a bit for booleans), written by row number: a row that is
// never written is null and costs nothing. Memory is used again once nobody holds the last array.
#pragma once

#include <arrow/api.h>
#include <arrow/util/bit_util.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "lake/columns.h"

namespace telltale::lake {

// Of everything that becomes a file. Each file needs the same memory again, and the C library's
// heap keeps what was freed; Arrow's own gives it back, and its pages are zeroed anew for the next
// file.
inline arrow::MemoryPool* FilePool() { return arrow::system_memory_pool(); }

// Bytes of a value in Arrow's memory; 0: not of one width (or kDecimal20, which is rare).
inline int FixedWidthOf(const Column& column) {
  if (column.repeated) return 0;
  switch (column.type) {
    case ColumnType::kBoolean:
      return 1;
    case ColumnType::kInt:
    case ColumnType::kFloat:
      return 4;
    case ColumnType::kLong:
    case ColumnType::kDouble:
    case ColumnType::kTimestamp:
      return 8;
    default:
      return 0;
  }
}

class FixedColumn {
 public:
  FixedColumn(std::shared_ptr<arrow::DataType> type, int width, bool is_boolean)
      : type_(std::move(type)), width_(width), is_boolean_(is_boolean) {}

  // T is of the column's width; rows may come in any order.
  template <typename T>
  arrow::Status Set(std::int64_t row, T value) {
    if (row >= capacity_) ARROW_RETURN_NOT_OK(Grow(row));
    if (is_boolean_) {
      arrow::bit_util::SetBitTo(values_->mutable_data(), row, value != T{});
    } else {
      std::memcpy(values_->mutable_data() + static_cast<std::size_t>(row) * sizeof(T), &value,
                  sizeof(T));
    }
    arrow::bit_util::SetBit(validity_->mutable_data(), row);
    return arrow::Status::OK();
  }
  void SetNull(std::int64_t row) {
    if (row < capacity_) arrow::bit_util::ClearBit(validity_->mutable_data(), row);
  }

  // The first `rows` rows; begins anew.
  arrow::Result<std::shared_ptr<arrow::Array>> Finish(std::int64_t rows) {
    if (capacity_ == 0) return arrow::MakeArrayOfNull(type_, rows, FilePool());
    if (rows > capacity_) ARROW_RETURN_NOT_OK(Grow(rows - 1));
    auto array = arrow::MakeArray(arrow::ArrayData::Make(type_, rows, {validity_, values_}));
    spare_values_ = std::move(values_);
    spare_validity_ = std::move(validity_);
    capacity_ = 0;
    return array;
  }

 private:
  static constexpr std::int64_t kRowsFirst = 1024;

  std::int64_t BytesOf(std::int64_t rows) const {
    return is_boolean_ ? arrow::bit_util::BytesForBits(rows) : rows * width_;
  }

  arrow::Status Grow(std::int64_t row) {
    std::int64_t wanted = std::max({kRowsFirst, 2 * capacity_, row + 1});
    if (capacity_ == 0) {
      // Of the array before, once it is written and gone.
      if (spare_values_ && spare_values_.use_count() == 1 && spare_validity_.use_count() == 1) {
        values_ = std::move(spare_values_);
        validity_ = std::move(spare_validity_);
        wanted = std::max(wanted, 8 * validity_->size());
      } else {
        ARROW_ASSIGN_OR_RAISE(values_, arrow::AllocateResizableBuffer(0, FilePool()));
        ARROW_ASSIGN_OR_RAISE(validity_, arrow::AllocateResizableBuffer(0, FilePool()));
      }
    }
    const std::int64_t kept = arrow::bit_util::BytesForBits(capacity_);
    wanted = arrow::bit_util::RoundUp(wanted, 64);
    ARROW_RETURN_NOT_OK(values_->Resize(BytesOf(wanted), false));
    ARROW_RETURN_NOT_OK(validity_->Resize(arrow::bit_util::BytesForBits(wanted), false));
    std::memset(validity_->mutable_data() + kept, 0,
                static_cast<std::size_t>(validity_->size() - kept));
    if (is_boolean_) {  // SetBitTo() would read what was never written
      std::memset(values_->mutable_data() + kept, 0,
                  static_cast<std::size_t>(values_->size() - kept));
    }
    capacity_ = wanted;
    return arrow::Status::OK();
  }

  std::shared_ptr<arrow::DataType> type_;
  int width_;
  bool is_boolean_;
  std::int64_t capacity_ = 0;  // rows; 0: nothing was set since Finish()
  std::shared_ptr<arrow::ResizableBuffer> values_;
  std::shared_ptr<arrow::ResizableBuffer> validity_;
  std::shared_ptr<arrow::ResizableBuffer> spare_values_;
  std::shared_ptr<arrow::ResizableBuffer> spare_validity_;
};

}  // namespace telltale::lake
