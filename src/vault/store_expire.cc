// The end of an hour, of a hold, of a vehicle's key. Every step is tried whatever the one before
// said: destruction fails toward destruction.
#include <algorithm>

#include "vault/store.h"
#include "vault/store_writer.h"

namespace telltale::vault {
namespace {

void KeepFirst(Status& first, const Status& next) {
  if (first.ok() && !next.ok()) first = next;
}

}  // namespace

bool Store::has_due() const {
  const Hour through = std::max(HourOf(guard_->NowForKeys()), destroyed_through_);
  if (through == looked_through_) return false;
  for (const HourKeyInfo& key : keys_.Hours()) {
    if (key.dies_at <= through && key.id.retention_class != RetentionClass::kHold) return true;
  }
  looked_through_ = through;
  return false;
}

Status Store::Expire() {
  const Hour through = std::max(HourOf(guard_->NowForKeys()), destroyed_through_);
  const bool is_unfinished = !unrecorded_.empty() || keys_.destruction_pending() || receipts_due_;
  if (through == looked_through_ && !is_unfinished) return Ok();
  std::vector<HourKeyId> due;
  for (const HourKeyInfo& key : keys_.Hours()) {
    if (key.dies_at <= through && key.id.retention_class != RetentionClass::kHold) {
      due.push_back(key.id);
    }
  }
  if (due.empty() && !is_unfinished) {
    looked_through_ = through;
    return Ok();
  }
  return EndHours(due, {}, through);
}

// Index and memory first, then the catalogue, keys, files, ledger, receipts.
Status Store::EndHours(const std::vector<HourKeyId>& ids, const std::vector<VehicleRef>& vehicles,
                       std::optional<Hour> through) {
  const std::vector<SegmentRecord> forgotten = Forget({ids.begin(), ids.end()});
  unrecorded_.insert(unrecorded_.end(), forgotten.begin(), forgotten.end());
  unrecorded_ids_.insert(ids.begin(), ids.end());
  receipts_due_ = true;
  Status status =
      RecordEnds(unrecorded_, {unrecorded_ids_.begin(), unrecorded_ids_.end()}, through);
  const std::vector<SegmentRecord> to_remove = unrecorded_;
  if (status.ok()) {
    unrecorded_.clear();
    unrecorded_ids_.clear();
  }
  KeepFirst(status, keys_.Destroy(ids, vehicles));
  if (keys_.destruction_pending()) KeepFirst(status, keys_.Retry());
  for (const SegmentRecord& record : to_remove) KeepFirst(status, RemoveFile(record));
  KeepFirst(status, GiveReceipts());
  return status;
}

// Findable no more. What was not committed goes too: its hour is over.
std::vector<SegmentRecord> Store::Forget(const std::set<HourKeyId>& ids) {
  std::vector<SegmentRecord> forgotten;
  {
    MutexLock lock(index_mutex_);
    for (const auto& [number, live] : live_) {
      if (ids.contains(live.record.key())) forgotten.push_back(live.record);
    }
    for (const SegmentRecord& record : forgotten) DropLive(record.number);
  }
  for (auto it = writers_.begin(); it != writers_.end();) {
    if (!ids.contains(it->first.id)) {
      ++it;
      continue;
    }
    counters_.Drops("vault", Reason::kExpiredOnArrival).Add(it->second->pending.size());
    it = writers_.erase(it);
  }
  ended_.insert(ids.begin(), ids.end());
  return forgotten;
}

Status Store::RecordEnds(const std::vector<SegmentRecord>& segments,
                         const std::vector<HourKeyId>& ids, std::optional<Hour> through) {
  std::map<HourKeyId, HourEnd> ends;
  const Micros now = guard_->NowForKeys();
  for (const HourKeyId& id : ids) ends[id] = {id, now, 0, 0, 0};
  for (const SegmentRecord& record : segments) {
    HourEnd& end = ends[record.key()];
    end.id = record.key();
    end.due_at = now;
    ++end.segments;
    end.frames += record.frames;
    end.bytes += record.bytes;
  }
  ASSIGN_OR_RETURN(store::Transaction transaction, catalog_->Begin());
  for (const auto& [id, end] : ends) RETURN_IF_ERROR(catalog_->PutHourEnd(end));
  for (const SegmentRecord& record : segments) {
    RETURN_IF_ERROR(catalog_->EndSegment(record.number, SegmentEnd::kDestroyed, now));
  }
  if (through) {
    RETURN_IF_ERROR(
        catalog_->PutNumber("destroyed_through", static_cast<std::uint64_t>(through->value)));
  }
  RETURN_IF_ERROR(transaction.Commit());
  if (through) destroyed_through_ = *through;
  return Ok();
}

Status Store::RemoveFile(const SegmentRecord& record) {
  const std::string path = PathOf(record);
  if (!disk_.Exists(path)) return Ok();
  const std::string folder = FolderOf(record);
  Status status = disk_.Remove(path);
  KeepFirst(status, disk_.SyncFolder(folder));
  const Result<std::vector<std::string>> left = disk_.List(folder);
  if (left.ok() && left->empty()) (void)disk_.Remove(folder);  // tidiness alone
  return status;
}

// A receipt says that a key is gone, so only after it is; a crash before it is kept repeats it,
// which says nothing false.
Status Store::GiveReceipts() {
  ASSIGN_OR_RETURN(const std::vector<HourEnd> ends, catalog_->HourEndsWithoutReceipt());
  if (keys_.destruction_pending()) return Ok();
  std::set<HourKeyId> left;
  for (const HourKeyInfo& key : keys_.Hours()) left.insert(key.id);
  Status status;
  bool all = true;
  for (const HourEnd& end : ends) {
    if (left.contains(end.id)) {
      all = false;
      continue;
    }
    const auto written =
        audit_->Append("destroyed", {{"class", AuditText(NameOf(end.id.retention_class))},
                                     {"hour", std::to_string(end.id.hour.value)},
                                     {"segments", std::to_string(end.segments)},
                                     {"frames", std::to_string(end.frames)},
                                     {"bytes", std::to_string(end.bytes)},
                                     {"provider", AuditText(options_.provider)},
                                     {"proof", AuditText(options_.proof)}});
    if (!written.ok()) return written.error();
    const Micros now = guard_->NowForKeys();
    const std::array<HourKeyId, 1> ids{end.id};
    KeepFirst(status, ledger_.MarkDropped(ids, now, *written));
    ASSIGN_OR_RETURN(store::Transaction transaction, catalog_->Begin());
    RETURN_IF_ERROR(catalog_->PutReceipt(end.id, now, *written));
    RETURN_IF_ERROR(catalog_->PutAuditHead(audit_->head()));
    RETURN_IF_ERROR(transaction.Commit());
    counters_.Get("hours_destroyed").Add();
    counters_.Get("frames_expired").Add(end.frames);
  }
  receipts_due_ = !all;
  return status;
}

}  // namespace telltale::vault
