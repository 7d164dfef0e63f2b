// One Parquet file of a hand-off, synced at its final path, with its Iceberg descriptor.
#pragma once

#include <arrow/api.h>

#include <memory>
#include <string>

#include "base/disk.h"
#include "lake/handoff.h"

namespace telltale::lake {

inline constexpr std::size_t kBoundTextBytesMax = 64;

// Writes `batch` to `path` (which must not exist) and fills everything of `file` but path and
// partition. Zstd, one row group per 1 M rows. The file is synced, its folder is not.
//   kUnavailable, kOverloaded  the disk
//   kInvalid                   Arrow refused the batch: a bug of ours, but no reason to stop dead
Status WriteParquet(Disk& disk, const std::string& path,
                    const std::shared_ptr<arrow::RecordBatch>& batch, DataFile& file);

// Arrow's error as ours.
Error FromArrow(const arrow::Status& status, std::string_view doing);

}  // namespace telltale::lake
