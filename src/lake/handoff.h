// The hand-off: what the lake gives the committer, and the lake's own place to resume from.
// Bytes: docs/formats/handoff.md.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/disk.h"
#include "base/ids.h"
#include "lake/intake.h"

namespace telltale::lake {

// An Iceberg data file with everything a manifest wants to know of it.
struct DataFile {
  std::string path;  // below data/lake
  std::int32_t day = 0;
  std::int32_t bucket = 0;  // of a table that is not of vehicles: always 0, and no partition
  std::uint64_t record_count = 0;
  std::uint64_t file_size_in_bytes = 0;
  std::map<std::int32_t, std::int64_t> column_sizes;
  std::map<std::int32_t, std::int64_t> value_counts;
  std::map<std::int32_t, std::int64_t> null_value_counts;
  std::map<std::int32_t, std::int64_t> nan_value_counts;
  std::map<std::int32_t, std::string> lower_bounds;  // Iceberg single-value binary, raw
  std::map<std::int32_t, std::string> upper_bounds;
  std::vector<std::int64_t> split_offsets;
};

struct HandoffTable {
  std::string name;              // "telemetry", "arrivals", "coverage"
  std::string schema_json;       // Iceberg schema
  std::int32_t time_column = 0;  // partitioned by its day
  std::string time_column_name;
  std::vector<std::int32_t> sort_columns;  // how the rows of a file lie
  bool is_of_vehicles = true;              // partitioned by their bucket, too
  std::vector<DataFile> files;
};

struct Handoff {
  std::uint64_t number = 0;
  Micros written_at;
  PartitionConfig config;              // the newest in force
  std::vector<Offset> from;            // by partition
  std::vector<Offset> to;              // by partition, the first offset not consumed
  std::vector<std::string> positions;  // log::Position::Encode() by shard
  std::uint64_t state_bytes = 0;
  std::uint32_t state_crc32c = 0;
  std::uint64_t erased_lines = 0;  // of the list of erased vehicles that this and later ones heed
  std::map<std::string, std::uint64_t> counts;
  std::vector<HandoffTable> tables;
};

std::string NumberName(std::uint64_t number);  // 20 digits
std::string HandoffPath(const std::string& folder, std::uint64_t number);
std::string StatePath(const std::string& folder, std::uint64_t number);

std::string HandoffJson(const Handoff& handoff);
// Reads what the lake needs to resume: number, config, to, positions, state.
//   kCorrupt      not a hand-off
//   kUnsupported  written for a newer reader
Result<Handoff> ParseHandoff(std::string_view json);

// The state file: head, body (Intake::Encode), CRC.
std::string StateFile(std::uint64_t number, std::string_view body);
//   kCorrupt, kUnsupported; the returned view points into `file`
Result<std::string_view> StateBody(std::uint64_t number, std::string_view file);

// The number of the newest hand-off in `folder`; 0 when there is none.
Result<std::uint64_t> NewestHandoff(Disk& disk, const std::string& folder);
// Removes what a crash left behind: files of hand-offs above `newest` that never came to be.
Status RemoveOrphans(Disk& disk, const std::string& lake_folder, std::uint64_t newest);

}  // namespace telltale::lake
