#include "publish/journal_follower.h"

#include <algorithm>

namespace telltale::publish {

Status JournalFollower::Open(const log::Position& from) {
  ASSIGN_OR_RETURN(reader_, log::Reader::Open(disk_, dir_, "journal", shard_, from));
  return Ok();
}

Result<bool> JournalFollower::Read(std::size_t records_max) {
  for (std::size_t n = 0; n < records_max; ++n) {
    ASSIGN_OR_RETURN(const log::RecordView* const record, reader_->Next());
    if (record == nullptr) return false;
    RETURN_IF_ERROR(Accept(*record));
  }
  return true;
}

Status JournalFollower::Accept(const log::RecordView& record) {
  const auto broken = [&record](const char* what) {
    return Error{Code::kCorrupt, "journal partition " + std::to_string(record.partition.value) +
                                     ", record " + std::to_string(record.offset.value) + ": " +
                                     what};
  };
  internal::v1::JournalEntry entry;
  if (!entry.ParseFromArray(record.payload.data(), static_cast<int>(record.payload.size()))) {
    return broken("not a journal entry");
  }
  Waiting& waiting = waiting_[record.partition];
  if (entry.has_progress()) {
    if (entry.progress().partition() != record.partition.value) return broken("a foreign mark");
    waiting.mark = std::max(waiting.mark, Offset{entry.progress().below_offset()});
    return Ok();
  }
  if (!entry.has_output()) return Ok();  // of a newer worker; marks still bound what is forwarded
  internal::v1::JournalEntry::Output& output = *entry.mutable_output();
  if (output.partition() != record.partition.value) return broken("an output of elsewhere");
  if (output.alert().output_id().size() != 16 || output.alert().vehicle_ref().size() != 16) {
    return broken("an output without identity");
  }
  // After a worker's restart outputs come again: what was given out is below `taken`.
  if (Offset{output.input_offset()} < waiting.taken) return Ok();
  const Place place{output.input_offset(), output.index()};
  waiting.outputs.insert_or_assign(place, std::move(output));
  return Ok();
}

std::map<PartitionId, Part> JournalFollower::TakeReady() {
  std::map<PartitionId, Part> ready;
  for (auto& [partition, waiting] : waiting_) {
    if (waiting.mark <= waiting.taken) continue;
    Part& part = ready[partition];
    part.next = waiting.mark;
    auto at = waiting.outputs.begin();
    while (at != waiting.outputs.end() && Offset{at->first.first} < waiting.mark) {
      part.outputs.push_back(std::move(at->second));
      at = waiting.outputs.erase(at);
    }
    waiting.taken = waiting.mark;
  }
  return ready;
}

std::optional<log::Position> JournalFollower::SafePosition() const {
  if (reader_ == nullptr) return std::nullopt;
  for (const auto& [partition, waiting] : waiting_) {
    if (!waiting.outputs.empty() || waiting.mark > waiting.taken) return std::nullopt;
  }
  return reader_->position();
}

}  // namespace telltale::publish
