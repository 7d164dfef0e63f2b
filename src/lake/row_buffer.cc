#include "lake/row_buffer.h"

#include <algorithm>

#include "lake/iceberg.h"

namespace telltale::lake {
namespace {

constexpr std::size_t kChunkBytes = 1u << 20;

}  // namespace

ByteSpan RowBuffer::Keep(ByteSpan bytes) {
  if (bytes.empty()) return {};
  if (bytes.size() > chunk_left_) {
    const std::size_t size = std::max(kChunkBytes, bytes.size());
    chunks_.push_back(std::make_unique_for_overwrite<std::uint8_t[]>(size));
    chunk_at_ = chunks_.back().get();
    chunk_left_ = size;
    bytes_ += size;
  }
  std::uint8_t* const at = chunk_at_;
  std::copy(bytes.begin(), bytes.end(), at);
  chunk_at_ += bytes.size();
  chunk_left_ -= bytes.size();
  return {at, bytes.size()};
}

void RowBuffer::Add(const log::RecordView& record, const TelemetryPayload& payload,
                    const Intake::Accepted& accepted, const PartitionConfig& config) {
  Row row;
  row.vehicle = record.header.vehicle;
  row.boot = record.header.boot;
  row.seq = record.header.seq;
  row.event_time = accepted.event_time;
  row.receipt_time = record.header.receipt_time;
  row.log_time = record.log_time;
  row.cell = accepted.cell;
  row.offset = record.offset;
  row.partition = record.partition;
  row.is_late = accepted.is_late;
  row.is_past_horizon = accepted.is_past_horizon;
  const auto [place, is_new] = firmware_index_.try_emplace(
      std::string(record.firmware), static_cast<std::uint32_t>(firmwares_.size()));
  if (is_new) firmwares_.emplace_back(record.firmware);
  row.firmware = place->second;
  // Nearly always the last one: configs change a few times a year.
  if (configs_.empty() || !(configs_.back() == config)) configs_.push_back(config);
  row.config = static_cast<std::uint32_t>(configs_.size() - 1);
  row.contract = record.header.contract_number;
  row.day = DayOf(row.event_time);
  row.fields = Keep(payload.fields);
  rows_.push_back(row);
}

std::size_t RowBuffer::Erase(const std::function<bool(VehicleRef)>& is_erased) {
  return std::erase_if(rows_, [&](const Row& row) { return is_erased(row.vehicle); });
}

void RowBuffer::Clear() {
  rows_.clear();
  chunks_.clear();
  chunk_left_ = 0;
  chunk_at_ = nullptr;
  bytes_ = 0;
  firmwares_.clear();
  firmware_index_.clear();
  configs_.clear();
}

}  // namespace telltale::lake
