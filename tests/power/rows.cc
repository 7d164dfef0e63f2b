// Rows of the hand-offs' Parquet files, read back with Arrow's own reader.
#include <arrow/io/memory.h>
#include <parquet/arrow/reader.h>

#include <nlohmann/json.hpp>

#include "lake/handoff.h"
#include "platform.h"

namespace telltale::power {
namespace {

Status AddRows(Disk& disk, const std::string& path, Found& found) {
  ASSIGN_OR_RETURN(std::string bytes, ReadWholeFile(disk, "/data/lake/" + path));
  auto input =
      std::make_shared<arrow::io::BufferReader>(arrow::Buffer::FromString(std::move(bytes)));
  auto reader = parquet::arrow::OpenFile(input, arrow::default_memory_pool());
  if (!reader.ok()) return Error{Code::kCorrupt, path + ": " + reader.status().ToString()};
  const auto table = (*reader)->ReadTable();
  if (!table.ok()) return Error{Code::kCorrupt, path + ": " + table.status().ToString()};
  const auto rows = (*table)->CombineChunks().ValueOrDie();
  const auto vehicle = rows->GetColumnByName("vehicle_ref");
  const auto seq = rows->GetColumnByName("seq");
  for (std::int64_t row = 0; row < rows->num_rows(); ++row) {
    const std::string ref = vehicle->chunk(0)->GetScalar(row).ValueOrDie()->ToString();
    const std::string number = seq->chunk(0)->GetScalar(row).ValueOrDie()->ToString();
    // The reference's last byte is the car's number (fleet.cc).
    const auto car = static_cast<std::uint8_t>(std::stoul(ref.substr(30, 2), nullptr, 16));
    ++found.rows[{car, std::stoull(number)}];
  }
  return Ok();
}

}  // namespace

// Hand-offs follow each other without a gap: each begins where the one before ended.
Status Platform::FindRows(Found& found) {
  std::vector<std::uint64_t> at(kPartitions, 0);
  ASSIGN_OR_RETURN(const std::uint64_t newest, lake::NewestHandoff(disk_, "/data/lake/handoff"));
  for (std::uint64_t number = 1; number <= newest; ++number) {
    ASSIGN_OR_RETURN(const std::string text,
                     ReadWholeFile(disk_, lake::HandoffPath("/data/lake/handoff", number)));
    const auto handoff = nlohmann::json::parse(text);
    for (std::size_t p = 0; p < kPartitions; ++p) {
      if (handoff["partitions"][p]["from"] != at[p]) {
        return Error{Code::kCorrupt, "a gap before hand-off " + std::to_string(number)};
      }
      at[p] = handoff["partitions"][p]["to"];
    }
    for (const auto& table : handoff["tables"]) {
      if (table["name"] != "telemetry") continue;
      for (const auto& file : table["files"]) RETURN_IF_ERROR(AddRows(disk_, file["path"], found));
    }
  }
  return Ok();
}

}  // namespace telltale::power
