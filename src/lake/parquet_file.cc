#include "lake/parquet_file.h"

#include <arrow/io/interfaces.h>
#include <arrow/util/compression.h>
#include <parquet/api/writer.h>
#include <parquet/arrow/writer.h>
#include <parquet/metadata.h>
#include <parquet/properties.h>
#include <parquet/statistics.h>

#include <algorithm>
#include <array>
#include <optional>

#include "lake/fixed_column.h"

namespace telltale::lake {
namespace {

// Arrow's output over our disk seam, so that a test can lose what was not synced. The first error
// is kept: Arrow knows only that something failed.
class SeamOutput final : public arrow::io::OutputStream {
 public:
  explicit SeamOutput(std::unique_ptr<File> file) : file_(std::move(file)) {}

  using arrow::io::Writable::Write;
  arrow::Status Write(const void* data, std::int64_t size) override {
    const ByteSpan bytes{static_cast<const std::uint8_t*>(data), static_cast<std::size_t>(size)};
    const Status written = file_->WriteAt(at_, bytes);
    if (!written.ok()) {
      if (!error_) error_ = written.error();
      return arrow::Status::IOError(written.error().message);
    }
    at_ += static_cast<std::uint64_t>(size);
    return arrow::Status::OK();
  }
  arrow::Result<std::int64_t> Tell() const override { return static_cast<std::int64_t>(at_); }
  arrow::Status Close() override {
    is_closed_ = true;
    return arrow::Status::OK();
  }
  bool closed() const override { return is_closed_; }

  Status Sync() { return file_->Sync(); }
  std::uint64_t size() const { return at_; }
  const std::optional<Error>& error() const { return error_; }

 private:
  std::unique_ptr<File> file_;
  std::uint64_t at_ = 0;
  bool is_closed_ = false;
  std::optional<Error> error_;
};

template <typename T>
void TakeBounds(const parquet::Statistics& any, std::string& lower, std::string& upper) {
  const auto& typed = static_cast<const parquet::TypedStatistics<T>&>(any);
  PutLe(lower, typed.min());
  PutLe(upper, typed.max());
}

// Iceberg's binary of a column's least and greatest value; false where we give none.
bool BoundsOf(const parquet::ColumnDescriptor& column, const parquet::Statistics& statistics,
              std::string& lower, std::string& upper) {
  switch (column.physical_type()) {
    case parquet::Type::BOOLEAN: {
      const auto& typed = static_cast<const parquet::BoolStatistics&>(statistics);
      lower.push_back(typed.min() ? 1 : 0);
      upper.push_back(typed.max() ? 1 : 0);
      return true;
    }
    case parquet::Type::INT32:
      TakeBounds<parquet::Int32Type>(statistics, lower, upper);
      return true;
    case parquet::Type::INT64:
      TakeBounds<parquet::Int64Type>(statistics, lower, upper);
      return true;
    case parquet::Type::FLOAT:
      TakeBounds<parquet::FloatType>(statistics, lower, upper);
      return true;
    case parquet::Type::DOUBLE:
      TakeBounds<parquet::DoubleType>(statistics, lower, upper);
      return true;
    case parquet::Type::BYTE_ARRAY: {
      if (!column.logical_type()->is_string()) return false;
      const auto& typed = static_cast<const parquet::ByteArrayStatistics&>(statistics);
      lower = std::string_view(typed.min());
      upper = std::string_view(typed.max());
      return lower.size() <= kBoundTextBytesMax && upper.size() <= kBoundTextBytesMax;
    }
    default:
      return false;
  }
}

bool IsFloating(const parquet::ColumnDescriptor& column) {
  return column.physical_type() == parquet::Type::FLOAT ||
         column.physical_type() == parquet::Type::DOUBLE;
}

void DescribeColumn(const parquet::FileMetaData& metadata, int index, DataFile& file) {
  const parquet::ColumnDescriptor& column = *metadata.schema()->Column(index);
  const std::int32_t id = column.schema_node()->field_id();
  const bool is_in_list = column.max_repetition_level() > 0;
  std::string lower;
  std::string upper;
  bool has_bounds = metadata.num_row_groups() == 1;
  for (int group = 0; group < metadata.num_row_groups(); ++group) {
    const auto chunk = metadata.RowGroup(group)->ColumnChunk(index);
    file.column_sizes[id] += chunk->total_compressed_size();
    if (is_in_list) continue;
    file.value_counts[id] += chunk->num_values();
    if (IsFloating(column)) file.nan_value_counts[id] = 0;
    const auto statistics = chunk->statistics();
    if (statistics == nullptr || !statistics->HasNullCount()) continue;
    file.null_value_counts[id] += statistics->null_count();
    has_bounds =
        has_bounds && statistics->HasMinMax() && BoundsOf(column, *statistics, lower, upper);
  }
  if (is_in_list || !has_bounds || lower.empty()) return;
  file.lower_bounds[id] = lower;
  file.upper_bounds[id] = upper;
}

void Describe(const parquet::FileMetaData& metadata, DataFile& file) {
  file.record_count = static_cast<std::uint64_t>(metadata.num_rows());
  for (int index = 0; index < metadata.num_columns(); ++index) {
    DescribeColumn(metadata, index, file);
  }
  for (int group = 0; group < metadata.num_row_groups(); ++group) {
    const auto first = metadata.RowGroup(group)->ColumnChunk(0);
    file.split_offsets.push_back(first->has_dictionary_page() ? first->dictionary_page_offset()
                                                              : first->data_page_offset());
  }
}

// Numbers that hardly ever come twice in a file: a dictionary of them is all of them again.
constexpr std::array<std::string_view, 5> kRisingColumns = {"seq", "event_time_us", "received_at",
                                                            "log_time", "offset"};

std::shared_ptr<parquet::WriterProperties> PropertiesFor(const arrow::RecordBatch& batch) {
  parquet::WriterProperties::Builder properties;
  properties.memory_pool(FilePool())
      ->compression(arrow::Compression::ZSTD)
      ->compression_level(1)
      ->created_by("telltale-lake");
  for (int i = 0; i < batch.num_columns(); ++i) {
    const std::string& name = batch.column_name(i);
    const arrow::Type::type type = batch.column(i)->type_id();
    const bool is_integer = type == arrow::Type::INT64 || type == arrow::Type::TIMESTAMP;
    if (batch.column(i)->null_count() == batch.num_rows()) {
      // Most of the contract's columns are in most files: nothing to compress, and a compressor for
      // each is what they would cost.
      properties.disable_dictionary(name)
          ->compression(name, arrow::Compression::UNCOMPRESSED)
          ->compression_level(name, arrow::util::Codec::UseDefaultCompressionLevel());
    } else if (is_integer && std::find(kRisingColumns.begin(), kRisingColumns.end(), name) !=
                                 kRisingColumns.end()) {
      properties.disable_dictionary(name)->encoding(name, parquet::Encoding::DELTA_BINARY_PACKED);
    }
  }
  return properties.build();
}

arrow::Status Write(const std::shared_ptr<arrow::RecordBatch>& batch,
                    const std::shared_ptr<SeamOutput>& output, DataFile& file) {
  const auto properties = PropertiesFor(*batch);
  ARROW_ASSIGN_OR_RAISE(auto writer, parquet::arrow::FileWriter::Open(*batch->schema(), FilePool(),
                                                                      output, properties));
  ARROW_ASSIGN_OR_RAISE(auto table, arrow::Table::FromRecordBatches({batch}));
  ARROW_RETURN_NOT_OK(writer->WriteTable(*table, parquet::DEFAULT_MAX_ROW_GROUP_LENGTH));
  ARROW_RETURN_NOT_OK(writer->Close());
  ARROW_RETURN_NOT_OK(output->Close());
  Describe(*writer->metadata(), file);
  return arrow::Status::OK();
}

}  // namespace

Error FromArrow(const arrow::Status& status, std::string_view doing) {
  const Code code = status.IsIOError()       ? Code::kUnavailable
                    : status.IsOutOfMemory() ? Code::kOverloaded
                                             : Code::kInvalid;
  return Error{code, std::string(doing) + ": " + status.message()};
}

Status WriteParquet(Disk& disk, const std::string& path,
                    const std::shared_ptr<arrow::RecordBatch>& batch, DataFile& file) {
  ASSIGN_OR_RETURN(auto opened, disk.Open(path, OpenMode::kCreate));
  const auto output = std::make_shared<SeamOutput>(std::move(opened));
  arrow::Status written;
  try {
    written = Write(batch, output, file);
  } catch (const std::exception& e) {  // libparquet throws
    written = arrow::Status::UnknownError(e.what());
  }
  if (output->error()) return *output->error();
  if (!written.ok()) return FromArrow(written, "writing a Parquet file");
  RETURN_IF_ERROR(output->Sync());
  file.file_size_in_bytes = output->size();
  return Ok();
}

}  // namespace telltale::lake
