#include "app/control_live_tally.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "internal/v1/internal.pb.h"

namespace telltale::app {

Status OpenedTally::OpenShards() {
  ASSIGN_OR_RETURN(const log::LogShape shape, log::DescribeLog(disk_, options_.journal_dir));
  std::vector<std::unique_ptr<log::Reader>> shards;
  for (std::uint16_t shard = 0; shard < shape.shards; ++shard) {
    ASSIGN_OR_RETURN(auto reader,
                     log::Reader::Open(disk_, options_.journal_dir, "journal", ShardId{shard}, {}));
    shards.push_back(std::move(reader));
  }
  shards_ = std::move(shards);
  return Ok();
}

Status OpenedTally::Look() {
  is_complete_ = false;
  if (shards_.empty()) RETURN_IF_ERROR(OpenShards());
  if (shards_.empty()) return Ok();
  bool is_complete = true;
  Status first = Ok();
  for (const auto& reader : shards_) {
    const Status read = ReadShard(*reader, kJournalRecordsPerLook / shards_.size());
    if (read.ok()) continue;
    if (read.error().code != Code::kOverloaded && first.ok()) first = read;
    is_complete = false;
  }
  is_complete_ = is_complete;
  if (!first.ok()) shards_.clear();  // from the oldest record again: what was taken stays taken
  return first;
}

// kOverloaded: there is more than that.
Status OpenedTally::ReadShard(log::Reader& reader, std::size_t records_max) {
  for (std::size_t n = 0; n < records_max; ++n) {
    ASSIGN_OR_RETURN(const log::RecordView* const record, reader.Next());
    if (record == nullptr) return Ok();
    Take(*record);
  }
  return Error{Code::kOverloaded, "more is waiting"};
}

void OpenedTally::Take(const log::RecordView& record) {
  internal::v1::JournalEntry entry;
  if (!entry.ParseFromArray(record.payload.data(), static_cast<int>(record.payload.size())) ||
      !entry.has_output()) {
    return;  // the publisher is who stops at what cannot be
  }
  const auto& output = entry.output();
  const Place place{output.input_offset(), output.index() + 1};  // index from 0; {0, 0} is none
  Place& taken = taken_[record.partition];
  if (place <= taken) return;
  taken = place;
  const Micros received{output.receipt_time_us()};
  newest_ = std::max(newest_.value_or(received), received);
  VehicleRef vehicle;
  if (output.alert().revision() != 1 || received < options_.since ||
      output.alert().vehicle_ref().size() != vehicle.bytes.size()) {
    return;
  }
  std::memcpy(vehicle.bytes.data(), output.alert().vehicle_ref().data(), vehicle.bytes.size());
  if (LotOf(options_.order, vehicle) >= options_.lots) return;
  ++counts_[output.alert().rule()];
}

Status PublishedTally::Look(publish::AlertStore& store) {
  is_complete_ = false;
  ASSIGN_OR_RETURN(const std::uint64_t newest, store.NewestChange());
  // A store that was put back begins anew.
  if (!after_ || *after_ > newest) {
    by_release_.clear();
    after_ = newest - std::min(newest, kChangesLookedBackMax);
  }
  ASSIGN_OR_RETURN(const auto changes, store.ChangesAfter(*after_, kChangesBytesPerLook));
  for (const publish::AlertChange& change : changes) {
    after_ = change.number;
    const auto alert = nlohmann::json::parse(change.data, nullptr, /*allow_exceptions=*/false);
    if (!alert.is_object() || alert.value("revision", 0) != 1) continue;
    if (alert.value("publish_time_us", std::int64_t{0}) < since_.value) continue;
    ++by_release_[alert.value("release", "")][alert.value("rule", "")];
  }
  if (changes.empty()) after_ = newest;  // the newest rows may be gone: numbers are not
  is_complete_ = *after_ >= newest;
  return Ok();
}

const CountsByRule& PublishedTally::Of(const std::string& release) const {
  static const CountsByRule kNone;
  const auto found = by_release_.find(release);
  return found == by_release_.end() ? kNone : found->second;
}

}  // namespace telltale::app
