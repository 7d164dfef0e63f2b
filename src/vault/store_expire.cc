// The end of an hour. Every step is tried whatever the one before said: destruction fails toward
// destruction.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "vault/store.h"
#include "vault/store_writer.h"

namespace telltale::vault {
namespace {

void KeepFirst(Status& first, const Status& next) {
  if (first.ok() && !next.ok()) first = next;
}

}  // namespace

Status Store::Expire() {
  const Hour through = std::max(HourOf(clock_.NowUtc()), state_.destroyed_through);
  if (through <= all_gone_through_ && state_.receipts.empty()) return Ok();
  ASSIGN_OR_RETURN(const std::vector<Hour> due, DueHours(through));
  if (due.empty() && state_.receipts.empty()) {
    all_gone_through_ = through;
    return Ok();
  }
  for (const Hour hour : due) Forget(hour);
  State next = state_;
  next.destroyed_through = through;
  for (const Hour hour : due) {
    DestructionReceipt& receipt = next.receipts[hour];
    receipt.expiry_hour = hour;
    for (auto it = next.segments.begin(); it != next.segments.end();) {
      if (it->second.expiry_hour != hour) {
        ++it;
        continue;
      }
      ++receipt.segments;
      receipt.frames += it->second.frames;
      receipt.bytes += it->second.bytes;
      it = next.segments.erase(it);
    }
  }
  Status status = SaveState(std::move(next));
  std::vector<Hour> gone;
  for (const Hour hour : due) {
    const Status destroyed = keys_->Destroy(hour);
    if (destroyed.ok()) gone.push_back(hour);
    KeepFirst(status, destroyed);
    KeepFirst(status, RemoveSegments(hour));
  }
  KeepFirst(status, GiveReceipts(gone));
  if (status.ok()) all_gone_through_ = through;
  return status;
}

// By what lies on the disk, not by what we remember: it also finds what a crash left.
Result<std::vector<Hour>> Store::DueHours(Hour through) const {
  std::set<Hour> due;
  ASSIGN_OR_RETURN(const std::vector<Hour> keys, keys_->Listed());
  for (const Hour hour : keys) {
    if (hour <= through) due.insert(hour);
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> folders, disk_.List(SegmentsFolder()));
  for (const std::string& name : folders) {
    std::uint32_t hour = 0;
    const auto [end, problem] = std::from_chars(name.data(), name.data() + name.size(), hour);
    if (problem != std::errc() || end != name.data() + name.size()) continue;
    if (Hour{hour} > through) continue;
    // An empty folder holds nothing to destroy; removing it is tidiness alone.
    const Result<std::vector<std::string>> files = disk_.List(HourFolder(Hour{hour}));
    if (files.ok() && files->empty()) {
      (void)disk_.Remove(HourFolder(Hour{hour}));
    } else {
      due.insert(Hour{hour});
    }
  }
  for (const auto& [number, record] : state_.segments) {
    if (record.expiry_hour <= through) due.insert(record.expiry_hour);
  }
  for (const auto& [key, writer] : writers_) {
    if (key.first <= through) due.insert(key.first);
  }
  return std::vector<Hour>(due.begin(), due.end());
}

void Store::Forget(Hour hour) {
  {
    MutexLock lock(index_mutex_);
    index_.erase(hour);
  }
  for (auto it = writers_.begin(); it != writers_.end();) {
    if (it->first.first != hour) {
      ++it;
      continue;
    }
    counters_.Drops("vault", Reason::kExpiredOnArrival).Add(it->second->pending.size());
    it = writers_.erase(it);
  }
}

Status Store::RemoveSegments(Hour hour) {
  const std::string folder = HourFolder(hour);
  const Result<std::vector<std::string>> names = disk_.List(folder);
  if (!names.ok()) return names.error().code == Code::kNotFound ? Ok() : Status(names.error());
  Status status;
  for (const std::string& name : *names) KeepFirst(status, disk_.Remove(folder + "/" + name));
  KeepFirst(status, disk_.SyncFolder(folder));
  (void)disk_.Remove(folder);
  KeepFirst(status, disk_.SyncFolder(SegmentsFolder()));
  return status;
}

// A receipt says that a key is gone, so only after it is; a crash before the state is saved
// repeats it, which says nothing false.
Status Store::GiveReceipts(const std::vector<Hour>& gone) {
  State next = state_;
  for (const Hour hour : gone) {
    const auto found = next.receipts.find(hour);
    if (found == next.receipts.end()) {
      next.receipts[hour].expiry_hour = hour;  // the state could not be saved before
    }
  }
  Status status;
  ASSIGN_OR_RETURN(const std::vector<Hour> left, keys_->Listed());
  for (auto it = next.receipts.begin(); it != next.receipts.end();) {
    const DestructionReceipt& receipt = it->second;
    if (std::find(left.begin(), left.end(), it->first) != left.end()) {
      ++it;
      continue;
    }
    const auto written =
        audit_->Append("destroyed", {{"hour", std::to_string(receipt.expiry_hour.value)},
                                     {"segments", std::to_string(receipt.segments)},
                                     {"frames", std::to_string(receipt.frames)},
                                     {"bytes", std::to_string(receipt.bytes)},
                                     {"provider", AuditText("file")},
                                     {"proof", AuditText("not provable against a disk image")}});
    if (!written.ok()) {
      KeepFirst(status, written.error());
      break;
    }
    counters_.Get("hours_destroyed").Add();
    counters_.Get("frames_expired").Add(receipt.frames);
    it = next.receipts.erase(it);
  }
  next.audit = audit_->head();
  KeepFirst(status, SaveState(std::move(next)));
  return status;
}

}  // namespace telltale::vault
