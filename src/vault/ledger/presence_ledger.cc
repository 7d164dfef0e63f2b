#include "vault/ledger/presence_ledger.h"

#include <algorithm>

namespace telltale::vault {

std::uint32_t PresenceLedger::WindowOf(RetentionClass retention_class) const {
  for (auto change = windows_.rbegin(); change != windows_.rend(); ++change) {
    if (change->retention_class == retention_class) return change->hours;
  }
  return kNoWindow;
}

Status PresenceLedger::SetWindow(RetentionClass retention_class, std::uint32_t hours, Micros now) {
  MutexLock lock(mutex_);
  CHECK(pending_.empty());
  if (WindowOf(retention_class) == hours) return Ok();
  LedgerRecord record = WindowChange{retention_class, now, hours};
  return Append({&record, 1});
}

Result<PresenceLedger::Pending*> PresenceLedger::StartPending(const HourKeyId& id, Micros now) {
  Pending pending;
  pending.record.id = id;
  pending.record.window_hours = WindowOf(id.retention_class);
  pending.record.first_at = pending.record.last_at = now;
  Life life;
  life.window_hours = pending.record.window_hours;
  life.first_stored = now;
  if (const auto found = entries_.find(id); found != entries_.end()) {
    RETURN_IF_ERROR(Load(found->second));
    pending.known = &*found->second.vehicles;
    if (found->second.state.live()) life = found->second.state.lives.back();
  }
  pending.due = DueAt(id, life, windows_, kNever);
  return &pending_.emplace(id, std::move(pending)).first->second;
}

Status PresenceLedger::Note(const HourKeyId& id, Ordinal ordinal, std::uint64_t frames,
                            Micros now) {
  MutexLock lock(mutex_);
  if (last_pending_ == nullptr || last_pending_->record.id != id) {
    const auto found = pending_.find(id);
    if (found == pending_.end()) {
      ASSIGN_OR_RETURN(last_pending_, StartPending(id, now));
    } else {
      last_pending_ = &found->second;
    }
  }
  Pending& pending = *last_pending_;
  pending.record.first_at = std::min(pending.record.first_at, now);
  pending.record.last_at = std::max(pending.record.last_at, now);
  pending.record.frames += frames;
  if (now >= pending.due) pending.record.late_frames += frames;
  if (pending.known == nullptr || !pending.known->Contains(ordinal)) pending.fresh.Add(ordinal);
  last_now_ = std::max(last_now_, now);
  return Ok();
}

Status PresenceLedger::Commit() {
  MutexLock lock(mutex_);
  if (pending_.empty()) return Ok();
  std::vector<LedgerRecord> records;
  for (const auto& [id, pending] : pending_) {
    PresenceRecord record = pending.record;
    record.ordinals = pending.fresh.First(UINT64_MAX);
    records.emplace_back(std::move(record));
  }
  RETURN_IF_ERROR(Append(records));
  pending_.clear();
  last_pending_ = nullptr;
  if (journal_->bytes() >= fold_at_bytes_ || hot_ > options_.hot_hours_max) {
    // What was committed is durable: that it cannot be folded now is tried again later.
    if (!FoldLocked(last_now_).ok()) {
      fold_at_bytes_ = journal_->bytes() + options_.journal_bytes_max / 16;
    }
  }
  return Ok();
}

void PresenceLedger::Rollback() {
  MutexLock lock(mutex_);
  pending_.clear();
  last_pending_ = nullptr;
}

Status PresenceLedger::MarkDropped(std::span<const HourKeyId> hours, Micros at,
                                   std::uint64_t audit_entry) {
  MutexLock lock(mutex_);
  std::vector<LedgerRecord> records;
  for (const HourKeyId& id : hours) {
    const auto found = entries_.find(id);
    if (found == entries_.end()) continue;
    const Life& life = found->second.state.lives.back();
    const bool brings_receipt = life.audit_entry == 0 && audit_entry != 0;
    if (!life.dropped || brings_receipt) records.emplace_back(DroppedRecord{id, at, audit_entry});
  }
  return Append(records);
}

Status PresenceLedger::MarkHeld(std::uint64_t hold, const HourKeyId& id, const OrdinalSet& vehicles,
                                Micros at) {
  MutexLock lock(mutex_);
  LedgerRecord record = HeldRecord{hold, id, at, vehicles};
  return Append({&record, 1});
}

Status PresenceLedger::MarkHoldLifted(std::uint64_t hold, Micros at) {
  MutexLock lock(mutex_);
  const auto found = holds_.find(hold);
  if (found == holds_.end() || found->second.lifted) return Ok();
  LedgerRecord record = LiftedRecord{hold, at};
  return Append({&record, 1});
}

Status PresenceLedger::MarkErased(std::span<const Ordinal> ordinals, Micros at) {
  MutexLock lock(mutex_);
  ErasedRecord erased{.at = at, .ordinals = {}};
  for (const Ordinal ordinal : ordinals) {
    if (!erased_.Contains(ordinal)) erased.ordinals.push_back(ordinal.value);
  }
  if (erased.ordinals.empty()) return Ok();
  LedgerRecord record = std::move(erased);
  return Append({&record, 1});
}

Status PresenceLedger::Append(std::span<LedgerRecord> records) {
  if (records.empty()) return Ok();
  RETURN_IF_ERROR(journal_->Append(EncodeRecords(records)));
  for (const LedgerRecord& record : records) RETURN_IF_ERROR(Apply(record));
  return Ok();
}

Status PresenceLedger::Apply(const LedgerRecord& record) {
  return std::visit([this](const auto& one) REQUIRES(mutex_) { return ApplyOne(one); }, record);
}

Status PresenceLedger::ApplyOne(const PresenceRecord& record) {
  const auto [at, is_new] = entries_.try_emplace(record.id);
  Entry& entry = at->second;
  if (is_new) entry.state.id = record.id;
  const Status loaded = Load(entry);
  if (!loaded.ok()) {
    if (is_new) entries_.erase(at);
    return loaded;
  }
  std::vector<Life>& lives = entry.state.lives;
  if (lives.empty() || lives.back().dropped) {
    Life& begun = lives.emplace_back();
    begun.window_hours = record.window_hours;
    begun.first_stored = record.first_at;
    begun.last_stored = record.last_at;
  }
  Life& life = lives.back();
  life.first_stored = std::min(life.first_stored, record.first_at);
  life.last_stored = std::max(life.last_stored, record.last_at);
  life.frames += record.frames;
  life.late_frames += record.late_frames;
  entry.touched = journal_ == nullptr ? 0 : journal_->number();
  if (record.ordinals.empty()) return Ok();
  entry.vehicles->Add(record.ordinals);
  entry.state.vehicles = entry.vehicles->size();
  entry.dirty = true;
  return Ok();
}

Status PresenceLedger::ApplyOne(const DroppedRecord& record) {
  const auto found = entries_.find(record.id);
  if (found == entries_.end()) return Ok();
  Life& life = found->second.state.lives.back();
  if (life.audit_entry == 0) life.audit_entry = record.audit_entry;
  if (!life.dropped) life.dropped_at = record.at;
  life.dropped = true;
  return Ok();
}

Status PresenceLedger::ApplyOne(const HeldRecord& record) {
  const auto [at, is_new] = holds_.try_emplace(record.hold);
  HoldState& hold = at->second;
  if (is_new || record.at < hold.placed_at) hold.placed_at = record.at;
  HeldHour& held = hold.hours[record.id];
  auto vehicles = std::make_shared<OrdinalSet>(record.vehicles);
  if (held.vehicles != nullptr) vehicles->Merge(*held.vehicles);
  held.since = held.vehicles == nullptr ? record.at : std::min(held.since, record.at);
  held.vehicles = std::move(vehicles);
  return Ok();
}

Status PresenceLedger::ApplyOne(const LiftedRecord& record) {
  const auto found = holds_.find(record.hold);
  if (found == holds_.end() || found->second.lifted) return Ok();
  found->second.lifted = true;
  found->second.lifted_at = record.at;
  return Ok();
}

Status PresenceLedger::ApplyOne(const ErasedRecord& record) {
  for (const std::uint32_t ordinal : record.ordinals) {
    if (erased_.Add(Ordinal{ordinal})) erasures_.push_back({record.at, ordinal});
  }
  return Ok();
}

Status PresenceLedger::ApplyOne(const WindowChange& record) {
  if (WindowOf(record.retention_class) != record.hours) windows_.push_back(record);
  return Ok();
}

LedgerView PresenceLedger::View() const {
  LedgerView view;
  view.vehicles = [this](const HourKeyId& id) { return VehiclesOf(id); };
  MutexLock lock(mutex_);
  view.answers_from = std::max(begun_at_, pruned_before_);
  view.hours.reserve(entries_.size());
  for (const auto& [id, entry] : entries_) view.hours.push_back(entry.state);
  view.windows = windows_;
  view.holds = holds_;
  view.erasures = erasures_;
  view.damaged = damaged_;
  return view;
}

Result<OrdinalSet> PresenceLedger::VehiclesOf(const HourKeyId& id) const {
  {
    MutexLock lock(mutex_);
    const auto found = entries_.find(id);
    if (found == entries_.end()) return Error{Code::kNotFound, "no such hour in the ledger"};
    if (found->second.vehicles.has_value()) return OrdinalSet(*found->second.vehicles);
  }
  // Only what is in its file leaves memory, and files are replaced whole: no lock is needed.
  ASSIGN_OR_RETURN(const std::string bytes, ReadWholeFile(disk_, HourPath(id)));
  return ParseHourFile(AsBytes(bytes), id);
}

std::uint64_t PresenceLedger::journal_bytes() const {
  MutexLock lock(mutex_);
  return journal_->bytes();
}

std::size_t PresenceLedger::hot_hours() const {
  MutexLock lock(mutex_);
  return hot_;
}

}  // namespace telltale::vault
