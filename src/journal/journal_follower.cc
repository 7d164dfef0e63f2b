#include "journal/journal_follower.h"

#include <algorithm>

#include "base/check.h"

namespace telltale::journal {

Status JournalFollower::Open(const JournalPlace& from) {
  Close();
  ASSIGN_OR_RETURN(reader_, log::Reader::Open(disk_, dir_, "journal", shard_, from.position));
  for (const auto& [partition, offset] : from.complete_from) {
    waiting_[partition] = {.outputs = {}, .mark = offset, .taken = offset, .marks = {}};
  }
  return Ok();
}

void JournalFollower::Close() {
  reader_.reset();
  waiting_.clear();
  waiting_bytes_ = 0;
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
  if (entry.has_progress()) {
    if (entry.progress().partition() != record.partition.value) return broken("a foreign mark");
    return AcceptMark(entry.progress());
  }
  Waiting& waiting = waiting_[record.partition];
  if (!entry.has_output()) return Ok();  // of a newer worker; marks still bound what is forwarded
  internal::v1::JournalEntry::Output& output = *entry.mutable_output();
  if (output.partition() != record.partition.value) return broken("an output of elsewhere");
  if (output.alert().output_id().size() != 16 || output.alert().vehicle_ref().size() != 16) {
    return broken("an output without identity");
  }
  // After a worker's restart outputs come again: what was given out is below `taken`.
  if (Offset{output.input_offset()} < waiting.taken) return Ok();
  Held& held = waiting.outputs[{output.input_offset(), output.index()}];
  waiting_bytes_ += record.payload.size() - held.bytes;
  held.bytes = record.payload.size();
  held.output = std::move(output);
  if (waiting_bytes_ <= kWaitingBytesMax) return Ok();
  return Error{Code::kTooBig, "outputs wait for a mark that does not come"};
}

Status JournalFollower::AcceptMark(const internal::v1::JournalEntry::Progress& progress) {
  const PartitionId partition{static_cast<std::uint16_t>(progress.partition())};
  const Mark mark{.below = Offset{progress.below_offset()},
                  .log_time = Micros{progress.log_time_us()},
                  .config_seq = ConfigSeq{progress.config_seq()},
                  .lots = progress.lots(),
                  .lots_since = Micros{progress.lots_since_us()}};
  Waiting& waiting = waiting_[partition];
  if (marks_ == Marks::kAll && mark.below > waiting.mark) waiting.marks.push_back(mark);
  waiting.mark = std::max(waiting.mark, mark.below);
  const auto [at, is_first] = newest_.try_emplace(partition, mark);
  if (!is_first && mark.below >= at->second.below) at->second = mark;
  return Ok();
}

std::map<PartitionId, Part> JournalFollower::TakeReady() {
  std::map<PartitionId, Part> ready;
  for (auto& [partition, waiting] : waiting_) {
    if (waiting.mark <= waiting.taken) continue;
    Part& part = ready[partition];
    part.from = waiting.taken;
    part.next = waiting.mark;
    part.marks = std::exchange(waiting.marks, {});
    auto at = waiting.outputs.begin();
    while (at != waiting.outputs.end() && Offset{at->first.first} < waiting.mark) {
      waiting_bytes_ -= at->second.bytes;
      part.outputs.push_back(std::move(at->second.output));
      at = waiting.outputs.erase(at);
    }
    waiting.taken = waiting.mark;
  }
  return ready;
}

Offset JournalFollower::TakenTo(PartitionId partition) const {
  const auto at = waiting_.find(partition);
  return at == waiting_.end() ? Offset{} : at->second.taken;
}

JournalPlace JournalFollower::Here() const {
  CHECK(reader_ != nullptr);
  JournalPlace place{.position = reader_->position()};
  for (const auto& [partition, waiting] : waiting_) {
    Offset& from = place.complete_from[partition];
    from = waiting.mark;
    if (waiting.outputs.empty()) continue;
    // What waits was read already; of its highest input more outputs may follow, or not.
    from = std::max(from, Offset{waiting.outputs.rbegin()->first.first + 1});
  }
  return place;
}

}  // namespace telltale::journal
