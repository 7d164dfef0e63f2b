#include "publish/follower.h"

#include <iterator>

namespace telltale::publish {

using journal::JournalPlace;

Result<bool> Follower::Read(AlertStore& store, std::size_t records_max) {
  if (!journal_.is_open()) {
    if (!begins_) {
      ASSIGN_OR_RETURN(const auto kept, store.ReadJournalPosition(release_, shard_));
      begins_ = JournalPlace{.position = kept.value_or(log::Position{})};
    }
    const Status opened = journal_.Open(*begins_);
    // The worker may not have made it yet.
    if (!opened.ok() && opened.error().code == Code::kNotFound) return false;
    RETURN_IF_ERROR(opened);
    begins_.reset();
  }
  const Result<bool> more = journal_.Read(records_max);
  // Also when the journal broke off: what was read before that place is published.
  for (auto& [partition, part] : journal_.TakeReady()) {
    has_read = true;
    const auto [at, is_first] = parts_.try_emplace(partition, std::move(part));
    if (is_first) continue;
    at->second.next = part.next;
    std::move(part.outputs.begin(), part.outputs.end(), std::back_inserter(at->second.outputs));
  }
  return more;
}

Offset Follower::BeginsAt(PartitionId partition) const {
  if (const auto part = parts_.find(partition); part != parts_.end()) return part->second.from;
  if (!begins_) return journal_.TakenTo(partition);
  const auto from = begins_->complete_from.find(partition);
  return from == begins_->complete_from.end() ? Offset{} : from->second;
}

void Follower::GoBack(const std::map<PartitionId, Offset>& needed) {
  const JournalPlace* const place = checkpoints_.NewestFor(needed);
  begins_.reset();
  if (place != nullptr) begins_ = *place;
  journal_.Close();
  parts_.clear();
  is_stopped = false;
  not_before = {};
}

void Follower::AddCheckpoint() {
  if (journal_.is_open()) checkpoints_.Add(journal_.Here());
}

std::optional<log::Position> Follower::PlaceFor(const std::map<PartitionId, Offset>& lowest) const {
  const JournalPlace* const place = checkpoints_.NewestFor(lowest);
  if (place == nullptr) return std::nullopt;
  return place->position;
}

std::optional<Mark> Follower::NewestMark(PartitionId partition) const {
  const auto mark = journal_.newest().find(partition);
  if (mark == journal_.newest().end()) return std::nullopt;
  return mark->second;
}

}  // namespace telltale::publish
