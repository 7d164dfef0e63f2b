// Accepted reports between two hand-offs: a small head each and the bytes behind it. Bounded: the
// owner cuts a hand-off when it is full.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "lake/intake.h"

namespace telltale::lake {

struct Row {
  VehicleRef vehicle;
  BootId boot;
  std::uint64_t seq = 0;
  Micros event_time;
  Micros receipt_time;
  Micros log_time;
  std::uint64_t cell = 0;  // 0 = none
  Offset offset;
  PartitionId partition;
  bool is_late = false;
  bool is_past_horizon = false;
  std::uint32_t firmware = 0;  // index into firmwares()
  std::uint32_t config = 0;    // index into configs()
  std::uint32_t contract = 0;  // number of the contract that the report was split with
  std::int32_t day = 0;
  std::int32_t bucket = 0;
  ByteSpan fields;
};

class RowBuffer {
 public:
  void Add(const log::RecordView& record, const TelemetryPayload& payload,
           const Intake::Accepted& accepted, const PartitionConfig& config);
  // Takes the rows of those vehicles out; how many. Their bytes go with the next Clear().
  std::size_t Erase(const std::function<bool(VehicleRef)>& is_erased);
  void Clear();

  std::vector<Row>& rows() { return rows_; }
  const std::vector<Row>& rows() const { return rows_; }
  const Row* end() const { return rows_.data() + rows_.size(); }  // behind the last
  const std::vector<std::string>& firmwares() const { return firmwares_; }
  const std::vector<PartitionConfig>& configs() const { return configs_; }
  std::size_t bytes() const { return bytes_ + rows_.size() * sizeof(Row); }

 private:
  ByteSpan Keep(ByteSpan bytes);

  std::vector<Row> rows_;
  std::vector<std::unique_ptr<std::uint8_t[]>> chunks_;
  std::size_t chunk_left_ = 0;
  std::uint8_t* chunk_at_ = nullptr;
  std::size_t bytes_ = 0;
  std::vector<std::string> firmwares_;
  std::unordered_map<std::string, std::uint32_t> firmware_index_;
  std::vector<PartitionConfig> configs_;
};

}  // namespace telltale::lake
