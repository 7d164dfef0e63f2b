// Holds: what must not expire is copied under keys of its own. Erasures: a vehicle's key is
// destroyed at once, and its frames are taken out of the files piece by piece. Both go on from the
// catalogue after a crash.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "seal/seal.h"
#include "vault/store.h"
#include "vault/store_writer.h"

namespace telltale::vault {
namespace {

constexpr std::uint32_t kSegmentMode = 0600;
constexpr std::size_t kCommitBytes = 8u << 20;  // of held copies

HourKeyId KeyOfHold(std::uint64_t number) {
  return {RetentionClass::kHold, Hour{static_cast<std::int64_t>(number)}};
}

}  // namespace

Result<std::uint64_t> Store::PlaceHold(Hold hold) {
  CHECK(uncommitted_bytes_ == 0);
  ASSIGN_OR_RETURN(const std::vector<Hold> all, catalog_->Holds(true));
  hold.number = all.empty() ? 1 : all.back().number + 1;
  hold.placed_at = guard_->NowForKeys();
  hold.is_copied = false;
  hold.is_lifted = false;
  // Before the catalogue names it: a hold without its key would look like one that was lifted.
  RETURN_IF_ERROR(keys_.EnsureHour(KeyOfHold(hold.number), kNeverDies));
  RETURN_IF_ERROR(keys_.Flush());
  ASSIGN_OR_RETURN(store::Transaction transaction, catalog_->Begin());
  RETURN_IF_ERROR(catalog_->PutHold(hold));
  RETURN_IF_ERROR(transaction.Commit());
  holds_.push_back(std::move(hold));
  has_work_ = true;
  return holds_.back().number;
}

// One vehicle of one hold that is not copied yet. True: there was one.
Result<bool> Store::CopyHeld() {
  for (Hold& hold : holds_) {
    if (hold.is_copied) continue;
    for (const VehicleRef& vehicle : hold.vehicles) {
      RETURN_IF_ERROR(CopyVehicle(hold, vehicle));
    }
    Hold copied = hold;
    copied.is_copied = true;
    ASSIGN_OR_RETURN(store::Transaction transaction, catalog_->Begin());
    RETURN_IF_ERROR(catalog_->PutHold(copied));
    RETURN_IF_ERROR(transaction.Commit());
    hold.is_copied = true;
    return true;
  }
  return false;
}

Status Store::CopyVehicle(const Hold& hold, const VehicleRef& vehicle) {
  FrameReader reader(*this);
  for (const FrameClass frame_class :
       {FrameClass::kData, FrameClass::kQuarantine, FrameClass::kRefused, FrameClass::kUnknown}) {
    ASSIGN_OR_RETURN(const std::vector<FrameRef> refs,
                     Find(vehicle, frame_class, hold.from, hold.to));
    for (const FrameRef& ref : refs) {
      Result<Frame> frame = reader.Read(ref);
      if (!frame.ok()) {
        counters_.Get("frames_damaged").Add();
        continue;
      }
      // What readers may not see any more is gone for a hold too.
      std::erase_if(frame->entries, [&](const FrameEntry& entry) {
        return !IsReadable(ref.segment->head, entry.basis);
      });
      const SegmentHead& head = ref.segment->head;
      RETURN_IF_ERROR(PutHeld(hold, {head.retention_class, head.hour}, *frame));
      if (uncommitted_bytes_ >= kCommitBytes) RETURN_IF_ERROR(Commit(positions_, account_));
    }
  }
  return uncommitted_bytes_ > 0 ? Commit(positions_, account_) : Ok();
}

Status Store::LiftHold(std::uint64_t number) {
  CHECK(uncommitted_bytes_ == 0);
  const auto found = std::find_if(holds_.begin(), holds_.end(),
                                  [&](const Hold& hold) { return hold.number == number; });
  if (found == holds_.end()) return Error{Code::kNotFound, "no such hold is in force"};
  Hold lifted = *found;
  lifted.is_lifted = true;
  std::vector<VehicleRef> keys;
  for (const VehicleRef& vehicle : lifted.vehicles) keys.push_back(HeldVehicle(number, vehicle));
  {
    ASSIGN_OR_RETURN(store::Transaction transaction, catalog_->Begin());
    RETURN_IF_ERROR(catalog_->PutHold(lifted));
    RETURN_IF_ERROR(transaction.Commit());
  }
  holds_.erase(found);
  RETURN_IF_ERROR(ledger_.MarkHoldLifted(number, guard_->NowForKeys()));
  RETURN_IF_ERROR(EndHours({KeyOfHold(number)}, keys, std::nullopt));
  return ForgetWhomItHeld({lifted});
}

// Only once their keys are gone: the list is what finds the keys again after a crash. A vehicle
// erased later must not be named by a hold that is over.
Status Store::ForgetWhomItHeld(std::vector<Hold> lifted) {
  if (lifted.empty()) return Ok();
  {
    ASSIGN_OR_RETURN(store::Transaction transaction, catalog_->Begin());
    for (Hold& hold : lifted) {
      hold.vehicles.clear();
      RETURN_IF_ERROR(catalog_->PutHold(hold));
    }
    RETURN_IF_ERROR(transaction.Commit());
  }
  return catalog_->Truncate();
}

// After a crash between the catalogue and the keys.
Status Store::FinishLifted() {
  ASSIGN_OR_RETURN(const std::vector<Hold> all, catalog_->Holds(true));
  std::set<std::uint64_t> lifted;
  std::vector<Hold> unfinished;
  std::vector<HourKeyId> due;
  std::vector<VehicleRef> vehicles;
  for (const Hold& hold : all) {
    if (!hold.is_lifted) continue;
    lifted.insert(hold.number);
    if (hold.vehicles.empty()) continue;
    unfinished.push_back(hold);
    for (const VehicleRef& one : hold.vehicles) vehicles.push_back(HeldVehicle(hold.number, one));
  }
  for (const HourKeyInfo& key : keys_.Hours()) {
    if (key.id.retention_class != RetentionClass::kHold) continue;
    const auto number = static_cast<std::uint64_t>(key.id.hour.value);
    const bool is_known = std::any_of(all.begin(), all.end(),
                                      [&](const Hold& hold) { return hold.number == number; });
    // Of no hold at all: its making was cut.
    if (is_known && !lifted.contains(number)) continue;
    due.push_back(key.id);
    if (is_known) RETURN_IF_ERROR(ledger_.MarkHoldLifted(number, guard_->NowForKeys()));
  }
  if (due.empty() && unfinished.empty()) return Ok();
  RETURN_IF_ERROR(EndHours(due, vehicles, std::nullopt));
  return ForgetWhomItHeld(std::move(unfinished));
}

Result<Store::ErasureState> Store::EraseVehicle(const std::string& job, const VehicleRef& vehicle) {
  CHECK(uncommitted_bytes_ == 0);
  ASSIGN_OR_RETURN(std::optional<ErasureJob> known, catalog_->FindErasure(job));
  if (!known) {
    // A hold outranks an erasure: what it keeps is copied while the key is there.
    for (bool more = true; more;) {
      ASSIGN_OR_RETURN(more, CopyHeld());
    }
    known = ErasureJob{job, vehicle, guard_->NowForKeys(), next_segment_, false};
    const std::string tag = seal::Sha256(AsText(vehicle.bytes));
    ASSIGN_OR_RETURN(store::Transaction transaction, catalog_->Begin());
    RETURN_IF_ERROR(catalog_->PutErased(tag));
    RETURN_IF_ERROR(catalog_->PutErasure(*known));
    RETURN_IF_ERROR(transaction.Commit());
    {
      MutexLock lock(index_mutex_);
      erased_.insert(tag);
    }
    has_work_ = true;
    rewritten_through_ = 0;
  }
  ErasureState state;
  state.asked_at = known->asked_at;
  state.files_done = known->files_done;
  if (!known->files_done) RETURN_IF_ERROR(DestroyVehicle(known->vehicle));
  state.keys_destroyed = !keys_.destruction_pending();
  for (const Hold& hold : holds_) {
    state.is_held |=
        std::find(hold.vehicles.begin(), hold.vehicles.end(), vehicle) != hold.vehicles.end();
  }
  return state;
}

Status Store::DestroyVehicle(const VehicleRef& vehicle) {
  const Result<Ordinal> ordinal = keys_.OrdinalOf(vehicle);
  if (!ordinal.ok()) return keys_.destruction_pending() ? keys_.Retry() : Ok();
  // Before the key: afterwards nobody knows the ordinal. Said too early it says nothing false for
  // long, for the key is destroyed at the next try.
  const std::array<Ordinal, 1> ordinals{*ordinal};
  RETURN_IF_ERROR(ledger_.MarkErased(ordinals, guard_->NowForKeys()));
  const std::array<VehicleRef, 1> vehicles{vehicle};
  return keys_.Destroy({}, vehicles);
}

Result<bool> Store::Work() {
  if (!has_work_ || uncommitted_bytes_ > 0) return false;
  ASSIGN_OR_RETURN(const bool copied, CopyHeld());
  if (copied) return true;
  ASSIGN_OR_RETURN(has_work_, RewriteOne());
  return has_work_;
}

Result<bool> Store::RewriteOne() {
  ASSIGN_OR_RETURN(const std::vector<ErasureJob> jobs, catalog_->OpenErasures());
  if (jobs.empty()) return false;
  std::unordered_set<VehicleRef, VehicleRefHash> erased;
  std::uint64_t before = 0;
  for (const ErasureJob& job : jobs) {
    // A key that a crash kept: first that.
    RETURN_IF_ERROR(DestroyVehicle(job.vehicle));
    erased.insert(job.vehicle);
    before = std::max(before, job.before_segment);
  }
  std::vector<LiveSegment> candidates;
  {
    MutexLock lock(index_mutex_);
    for (const auto& [number, live] : live_) {
      if (number >= before || live.record.retention_class == RetentionClass::kHold) continue;
      if (number < rewritten_through_) continue;
      candidates.push_back(live);
    }
  }
  for (const LiveSegment& live : candidates) {
    bool has_one = false;
    for (const VehicleRef& vehicle : erased) {
      ASSIGN_OR_RETURN(const std::vector<FrameSpan> spans, SpansOf(live, vehicle));
      has_one |= !spans.empty();
    }
    if (has_one) {
      RETURN_IF_ERROR(RewriteSegment(live, erased));
      return true;
    }
    rewritten_through_ = live.record.number + 1;
  }
  rewritten_through_ = 0;
  RETURN_IF_ERROR(FinishErasures(jobs));
  return true;
}

Status Store::RewriteSegment(const LiveSegment& old,
                             const std::unordered_set<VehicleRef, VehicleRefHash>& erased) {
  std::erase_if(writers_,
                [&](const auto& entry) { return entry.second->next.number == old.record.number; });
  ASSIGN_OR_RETURN(std::vector<FrameSpan> spans, AllSpans(old));
  std::sort(spans.begin(), spans.end(),
            [](const FrameSpan& a, const FrameSpan& b) { return a.at < b.at; });
  SegmentHead head = old.file->head;
  head.number = next_segment_;
  random_.Fill(head.salt);
  SegmentRecord record = old.record;
  record.number = head.number;
  record.bytes = kSegmentHeadBytes;
  record.frames = 0;
  ASSIGN_OR_RETURN(FrameCipher cipher, FrameCipher::Make(head));
  std::string content = head.Encode();
  std::vector<FrameSpan> kept;
  FrameReader reader(*this);
  for (const FrameSpan& span : spans) {
    if (erased.contains(span.vehicle)) continue;
    const Result<Frame> frame = reader.Read({old.file, span});
    if (!frame.ok() && frame.error().code == Code::kUnavailable) return frame.error();
    if (!frame.ok()) {
      counters_.Get("frames_damaged").Add();  // it opened under no key before either
      continue;
    }
    ParentKeys parents;
    RETURN_IF_ERROR(keys_.CopyHour(record.key(), parents.hour));
    if (record.scheme != KeyScheme::kHour) {
      RETURN_IF_ERROR(keys_.CopyVehicle(span.vehicle, parents.vehicle));
    }
    const std::uint64_t at = content.size();
    RETURN_IF_ERROR(cipher.Seal(parents, *frame, record.frames, content));
    FrameSpan moved = span;
    moved.at = at;
    moved.bytes = static_cast<std::uint32_t>(content.size() - at);
    kept.push_back(moved);
    ++record.frames;
  }
  record.bytes = content.size();
  return ReplaceSegment(old.record, record, head, std::move(content), std::move(kept));
}

// The new file is whole before the catalogue names it; the old one goes after.
Status Store::ReplaceSegment(const SegmentRecord& old, SegmentRecord record,
                             const SegmentHead& head, std::string content,
                             std::vector<FrameSpan> kept) {
  const bool is_empty = kept.empty();
  const std::string path = PathOf(record);
  if (!is_empty) {
    const std::string index = EncodeIndex(std::move(kept));
    record.index_bytes = index.size();
    content += index;
    if (disk_.Exists(path)) RETURN_IF_ERROR(disk_.Remove(path));
    ASSIGN_OR_RETURN(const auto file, disk_.Open(path, OpenMode::kCreate, kSegmentMode));
    RETURN_IF_ERROR(file->WriteAt(0, AsBytes(content)));
    RETURN_IF_ERROR(file->Sync());
    RETURN_IF_ERROR(disk_.SyncFolder(FolderOf(record)));
  }
  ASSIGN_OR_RETURN(store::Transaction transaction, catalog_->Begin());
  RETURN_IF_ERROR(catalog_->EndSegment(old.number, SegmentEnd::kReplaced, guard_->NowForKeys()));
  if (!is_empty) {
    RETURN_IF_ERROR(catalog_->PutSegment(record));
    RETURN_IF_ERROR(catalog_->PutNumber("next_segment", record.number + 1));
  }
  RETURN_IF_ERROR(transaction.Commit());
  if (!is_empty) committed_next_segment_ = next_segment_ = record.number + 1;
  {
    MutexLock lock(index_mutex_);
    DropLive(old.number);
    if (!is_empty) {
      AddLive({std::make_shared<const SegmentFile>(SegmentFile{head, path}), record, {}});
    }
  }
  counters_.Get("segments_rewritten").Add();
  return RemoveFile(old);
}

Status Store::FinishErasures(const std::vector<ErasureJob>& jobs) {
  ASSIGN_OR_RETURN(store::Transaction transaction, catalog_->Begin());
  for (ErasureJob job : jobs) {
    job.files_done = true;
    RETURN_IF_ERROR(catalog_->PutErasure(job));
  }
  RETURN_IF_ERROR(transaction.Commit());
  counters_.Get("vehicles_erased").Add(jobs.size());
  // The references that were deleted must not stay behind in the write-ahead log.
  return catalog_->Truncate();
}

}  // namespace telltale::vault
