// How many rows a Parquet file says it has: the one number of its footer that `telltale doctor`
// wants, read without Arrow, which stays in lake/. No value of any row is read.
#pragma once

#include <cstdint>

#include "base/disk.h"

namespace telltale::lake {

// Of the footer's bytes (FileMetaData in Thrift's compact protocol).
//   kCorrupt  cut, or no such footer
Result<std::uint64_t> RowsInParquetFooter(ByteSpan footer);

// Of a whole file: its magic at both ends, then the footer.
//   kCorrupt, kTooBig  no Parquet file, or a footer over 64 MiB
//   errors of the disk
Result<std::uint64_t> RowsInParquetFile(const File& file);

}  // namespace telltale::lake
