#include "vault/store.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/checksum.h"
#include "seal/seal.h"
#include "vault/store_writer.h"

namespace telltale::vault {
namespace {

constexpr std::size_t kOpenFilesMax = 64;
constexpr std::uint32_t kSegmentMode = 0600;
constexpr std::uint32_t kFolderMode = 0700;
// A segment that nothing came to for this long is finished: its index leaves the memory.
constexpr Micros kQuietFor = Micros::Seconds(600);
constexpr std::size_t kWritersMax = 4096;  // beyond, the quietest are finished
constexpr std::uint64_t kSegmentBytesMax = 256u << 20;
constexpr std::size_t kClosedPerCall = 64;  // so that storing goes on between

Outcome OutcomeOf(Reason reason) {
  if (reason == Reason::kErased) return Outcome::kErasedVehicle;
  return reason == Reason::kWindowZero ? Outcome::kWindowZero : Outcome::kExpired;
}

Outcome OutcomeOf(FrameClass frame_class) {
  if (frame_class == FrameClass::kRefused) return Outcome::kRefused;
  return frame_class == FrameClass::kQuarantine ? Outcome::kQuarantined : Outcome::kStored;
}

}  // namespace

VehicleRef HeldVehicle(std::uint64_t hold, const VehicleRef& vehicle) {
  std::string text = "telltale held vehicle";
  PutLe(text, hold);
  text += AsText(vehicle.bytes);
  const std::string hash = seal::Sha256(text);
  VehicleRef held;
  std::copy_n(hash.begin(), held.bytes.size(), held.bytes.begin());
  return held;
}

Store::Store(Disk& disk, Clock& clock, Random& random, Counters& counters, KeyTree& keys,
             PresenceLedger& ledger, StoreOptions options)
    : disk_(disk),
      clock_(clock),
      random_(random),
      counters_(counters),
      keys_(keys),
      ledger_(ledger),
      options_(std::move(options)) {}

Store::~Store() = default;

Result<std::unique_ptr<Store>> Store::Open(Disk& disk, Clock& clock, Random& random,
                                           Counters& counters, KeyTree& keys,
                                           PresenceLedger& ledger, StoreOptions options) {
  std::unique_ptr<Store> store(
      new Store(disk, clock, random, counters, keys, ledger, std::move(options)));
  RETURN_IF_ERROR(store->Recover());
  return store;
}

std::string Store::FolderOf(const SegmentRecord& record) const {
  if (record.scheme == KeyScheme::kHour) {
    return fmt::format("{}/{}", SegmentsFolder(), record.hour.value);
  }
  return fmt::format("{}/{}/{}", SegmentsFolder(), NameOf(record.retention_class),
                     record.hour.value);
}

std::string Store::PathOf(const SegmentRecord& record) const {
  return fmt::format("{}/{:010}.seg", FolderOf(record), record.number);
}

bool Store::IsErased(const VehicleRef& vehicle) const {
  MutexLock lock(index_mutex_);
  return !erased_.empty() && erased_.contains(seal::Sha256(AsText(vehicle.bytes)));
}

std::optional<Reason> Store::WhyNot(RetentionClass retention_class, Hour hour, Hour begun) const {
  const std::uint32_t window = options_.windows.HoursOf(retention_class);
  if (window == 0) return Reason::kWindowZero;
  const Hour dies_at{hour.value + window};
  if (dies_at <= begun || ended_.contains({retention_class, hour})) {
    return Reason::kExpiredOnArrival;
  }
  return std::nullopt;
}

Result<Outcome> Store::Put(Frame frame) {
  const RetentionClass retention_class = RetentionOf(frame.frame_class);
  Outcome outcome = OutcomeOf(Reason::kExpiredOnArrival);
  const auto drop = [&](FrameEntry& entry, Reason reason) {
    counters_.Drops("vault", reason).Add();
    outcome = OutcomeOf(reason);
    seal::Wipe(entry.fields);
  };
  if (frame.vehicle == VehicleRef{}) {
    // No vehicle has it, so it has no key; what names it must not hold the others up.
    for (FrameEntry& entry : frame.entries) drop(entry, Reason::kUnsealFailed);
    return Outcome::kRefused;
  }
  const bool is_erased = IsErased(frame.vehicle);
  const Micros now = guard_->NowForKeys();
  const Hour begun = std::max(HourOf(now), destroyed_through_);
  std::map<Hour, Frame> parts;
  for (FrameEntry& entry : frame.entries) {
    entry.basis = std::min({entry.event_time, frame.receipt_time, now});
    const Hour hour = HourOf(entry.basis);
    const auto why_not = is_erased ? Reason::kErased : WhyNot(retention_class, hour, begun);
    if (why_not) {
      drop(entry, *why_not);
      continue;
    }
    parts[hour].entries.push_back(std::move(entry));
  }
  const std::uint32_t window = options_.windows.HoursOf(retention_class);
  for (auto& [hour, part] : parts) {
    outcome = OutcomeOf(frame.frame_class);
    const HourKeyId id{retention_class, hour};
    part.CopyDescriptionOf(frame);
    for (const Hold& hold : holds_) RETURN_IF_ERROR(PutHeld(hold, id, part));
    const VehicleRef vehicle = part.vehicle;
    RETURN_IF_ERROR(PutPart(id, Hour{hour.value + window}, window, vehicle, std::move(part)));
  }
  return outcome;
}

// The entries in the hold's scope, once more, under its keys.
Status Store::PutHeld(const Hold& hold, const HourKeyId& from, const Frame& frame) {
  if (std::find(hold.vehicles.begin(), hold.vehicles.end(), frame.vehicle) == hold.vehicles.end()) {
    return Ok();
  }
  Frame held;
  held.CopyDescriptionOf(frame);
  for (const FrameEntry& entry : frame.entries) {
    if (entry.event_time >= hold.from && entry.event_time < hold.to) held.entries.push_back(entry);
  }
  if (held.entries.empty()) return Ok();
  ASSIGN_OR_RETURN(const Ordinal ordinal, keys_.EnsureVehicle(frame.vehicle));
  held_[{hold.number, from}].Add(ordinal);
  const HourKeyId id{RetentionClass::kHold, Hour{static_cast<std::int64_t>(hold.number)}};
  return PutPart(id, kNeverDies, 0, HeldVehicle(hold.number, frame.vehicle), std::move(held));
}

Status Store::PutPart(const HourKeyId& id, Hour dies_at, std::uint32_t window_hours,
                      const VehicleRef& key_vehicle, Frame part) {
  ASSIGN_OR_RETURN(Writer* const writer,
                   WriterOf(id, dies_at, window_hours, PartitionOf(part.vehicle)));
  ASSIGN_OR_RETURN(const Ordinal key_ordinal, keys_.EnsureVehicle(key_vehicle));
  ParentKeys parents;
  RETURN_IF_ERROR(keys_.CopyHour(id, parents.hour));
  RETURN_IF_ERROR(keys_.CopyVehicle(key_vehicle, parents.vehicle));
  const std::size_t start = writer->buffer.size();
  SegmentRecord& next = writer->next;
  RETURN_IF_ERROR(writer->cipher.Seal(parents, part, next.frames, writer->buffer));
  const auto bytes = static_cast<std::uint32_t>(writer->buffer.size() - start);
  const FrameHead head = part.HeadOf(next.frames, bytes - kFrameHeadBytes - seal::kTagBytes);
  writer->pending.push_back(
      {part.vehicle, next.bytes, bytes, head.first_event_hour, head.last_event_hour});
  next.first_event_hour = std::min(next.first_event_hour, head.first_event_hour);
  next.last_event_hour = std::max(next.last_event_hour, head.last_event_hour);
  next.bytes += bytes;
  ++next.frames;
  uncommitted_bytes_ += bytes;
  if (id.retention_class == RetentionClass::kHold) return Ok();  // the ledger knows it by held_
  return ledger_.Note(id, key_ordinal, 1, guard_->NowForKeys());
}

Result<Store::Writer*> Store::WriterOf(const HourKeyId& id, Hour dies_at,
                                       std::uint32_t window_hours, PartitionId partition) {
  const WriterKey key{id, partition};
  const auto found = writers_.find(key);
  if (found != writers_.end()) {
    Writer& writer = *found->second;
    if (writer.next.bytes < kSegmentBytesMax || !writer.pending.empty()) return &writer;
    writers_.erase(found);  // full; CloseQuiet() finishes it
  }
  RETURN_IF_ERROR(keys_.EnsureHour(id, dies_at));
  SegmentHead head;
  head.retention_class = id.retention_class;
  head.partition = partition;
  head.hour = id.hour;
  head.window_hours = window_hours;
  head.number = next_segment_;
  random_.Fill(head.salt);
  ASSIGN_OR_RETURN(FrameCipher cipher, FrameCipher::Make(head));
  SegmentRecord record;
  record.number = next_segment_;
  record.retention_class = id.retention_class;
  record.hour = id.hour;
  record.partition = partition;
  record.window_hours = window_hours;
  record.first_event_hour = UINT32_MAX;
  SegmentRecord next = record;
  next.bytes = kSegmentHeadBytes;
  auto segment = std::make_shared<const SegmentFile>(SegmentFile{head, PathOf(record)});
  auto writer = std::make_unique<Writer>(
      Writer{std::move(segment), std::move(cipher), record, next, {}, {}, nullptr, {}});
  ++next_segment_;
  return (writers_[key] = std::move(writer)).get();
}

Status Store::WriteOut(Writer& writer) {
  const std::string& path = writer.segment->path;
  std::uint64_t at = writer.committed.bytes;
  if (at == 0) {
    RETURN_IF_ERROR(disk_.MakeFolders(FolderOf(writer.committed), kFolderMode));
    // Left by a commit that failed halfway; the catalogue does not name it.
    if (disk_.Exists(path)) RETURN_IF_ERROR(disk_.Remove(path));
    ASSIGN_OR_RETURN(writer.file, disk_.Open(path, OpenMode::kCreate, kSegmentMode));
    RETURN_IF_ERROR(writer.file->WriteAt(0, AsBytes(writer.segment->head.Encode())));
    at = kSegmentHeadBytes;
  } else if (writer.file == nullptr) {
    ASSIGN_OR_RETURN(writer.file, disk_.Open(path, OpenMode::kReadWrite));
  }
  RETURN_IF_ERROR(writer.file->WriteAt(at, AsBytes(writer.buffer)));
  return writer.file->Sync();
}

Status Store::Commit(const std::vector<std::string>& positions, std::string_view account) {
  RETURN_IF_ERROR(keys_.Flush());
  std::set<std::string> folders;
  for (auto& [key, writer] : writers_) {
    if (writer->pending.empty()) continue;
    RETURN_IF_ERROR(WriteOut(*writer));
    if (writer->committed.bytes == 0) folders.insert(FolderOf(writer->committed));
  }
  std::set<std::string> parents;
  for (const std::string& folder : folders) {
    RETURN_IF_ERROR(disk_.SyncFolder(folder));
    parents.insert(ParentFolder(folder));
  }
  for (const std::string& folder : parents) RETURN_IF_ERROR(disk_.SyncFolder(folder));
  if (!parents.empty()) RETURN_IF_ERROR(disk_.SyncFolder(SegmentsFolder()));
  // Before the catalogue: the ledger may name a vehicle too many, never one too few.
  for (const auto& [key, vehicles] : held_) {
    RETURN_IF_ERROR(ledger_.MarkHeld(key.first, key.second, vehicles, guard_->NowForKeys()));
  }
  RETURN_IF_ERROR(ledger_.Commit());
  RETURN_IF_ERROR(CommitCatalog(positions, account));
  positions_ = positions;
  account_ = account;
  committed_next_segment_ = next_segment_;
  Publish();
  held_.clear();
  return Ok();
}

Status Store::CommitCatalog(const std::vector<std::string>& positions, std::string_view account) {
  std::string encoded;
  for (const std::string& position : positions) PutBlob(encoded, position);
  ASSIGN_OR_RETURN(store::Transaction transaction, catalog_->Begin());
  RETURN_IF_ERROR(catalog_->PutValue("positions", encoded));
  RETURN_IF_ERROR(catalog_->PutValue("account", account));
  RETURN_IF_ERROR(catalog_->PutNumber("next_segment", next_segment_));
  RETURN_IF_ERROR(catalog_->PutAuditHead(audit_->head()));
  RETURN_IF_ERROR(catalog_->PutClockMark(guard_->mark()));
  std::map<std::uint32_t, ContractRecord> contracts;
  {
    MutexLock lock(index_mutex_);
    if (std::exchange(contracts_changed_, false)) contracts = contracts_;
  }
  for (const auto& [number, contract] : contracts) {
    RETURN_IF_ERROR(catalog_->PutContract(number, contract));
  }
  for (const auto& [key, writer] : writers_) {
    if (!writer->pending.empty()) RETURN_IF_ERROR(catalog_->PutSegment(writer->next));
  }
  return transaction.Commit();
}

void Store::Publish() {
  std::size_t open_files = 0;
  MutexLock lock(index_mutex_);
  for (auto& [key, writer] : writers_) {
    if (!writer->pending.empty()) {
      counters_.Get("frames_stored").Add(writer->pending.size());
      writer->committed = writer->next;
      writer->written_at = clock_.NowMonotonic();
      const auto found = live_.find(writer->next.number);
      if (found == live_.end()) AddLive({writer->segment, writer->next, {}});
      LiveSegment& live = live_.at(writer->next.number);
      live.record = writer->next;
      for (const FrameSpan& span : writer->pending) live.spans[span.vehicle].push_back(span);
      writer->pending.clear();
      writer->buffer.clear();
    }
    if (writer->file != nullptr && ++open_files > kOpenFilesMax) writer->file.reset();
  }
  uncommitted_bytes_ = 0;
}

void Store::AddLive(LiveSegment live) {
  const SegmentRecord& record = live.record;
  by_place_[{record.key().retention_class, record.partition}].insert(record.number);
  live_[record.number] = std::move(live);
}

void Store::DropLive(std::uint64_t number) {
  const auto found = live_.find(number);
  if (found == live_.end()) return;
  const SegmentRecord& record = found->second.record;
  by_place_[{record.key().retention_class, record.partition}].erase(number);
  live_.erase(found);
}

void Store::Rollback() {
  // A file with frames of a failed commit is never continued: the same number would be sealed
  // twice under one key.
  writers_.clear();
  keys_.DropUnflushed();
  ledger_.Rollback();
  held_.clear();
  next_segment_ = committed_next_segment_;
  uncommitted_bytes_ = 0;
  MutexLock lock(index_mutex_);
  contracts_changed_ = true;  // whether they were kept is not known
}

Status Store::CloseQuiet() {
  if (uncommitted_bytes_ > 0) return Ok();
  const Micros now = clock_.NowMonotonic();
  std::vector<std::uint64_t> numbers;
  const auto is_due = [&](const Writer& writer) {
    return now - writer.written_at >= kQuietFor || writer.next.bytes >= kSegmentBytesMax ||
           writers_.size() > kWritersMax;
  };
  std::set<std::uint64_t> written;
  for (const auto& [key, writer] : writers_) {
    written.insert(writer->next.number);
    if (is_due(*writer) && numbers.size() < kClosedPerCall) numbers.push_back(writer->next.number);
  }
  {
    // What a failed commit left without its writer.
    MutexLock lock(index_mutex_);
    for (const auto& [number, live] : live_) {
      if (live.record.index_bytes == 0 && live.record.scheme != KeyScheme::kHour &&
          !written.contains(number) && numbers.size() < kClosedPerCall) {
        numbers.push_back(number);
      }
    }
  }
  return CloseSegments(numbers);
}

// With nothing uncommitted.
Status Store::CloseSegments(const std::vector<std::uint64_t>& numbers) {
  if (numbers.empty()) return Ok();
  std::erase_if(writers_, [&](const auto& entry) {
    return std::find(numbers.begin(), numbers.end(), entry.second->next.number) != numbers.end();
  });
  ASSIGN_OR_RETURN(store::Transaction transaction, catalog_->Begin());
  std::vector<SegmentRecord> closed;
  for (const std::uint64_t number : numbers) {
    LiveSegment live;
    {
      MutexLock lock(index_mutex_);
      const auto found = live_.find(number);
      if (found == live_.end()) continue;
      live = found->second;
    }
    ASSIGN_OR_RETURN(live.record.index_bytes, WriteIndex(live));
    RETURN_IF_ERROR(catalog_->PutSegment(live.record));
    closed.push_back(live.record);
  }
  RETURN_IF_ERROR(transaction.Commit());
  MutexLock lock(index_mutex_);
  for (const SegmentRecord& record : closed) {
    LiveSegment& live = live_.at(record.number);
    live.record = record;
    live.spans.clear();
  }
  return Ok();
}

// Behind the committed frames; what lay there was never committed. Its length.
Result<std::uint64_t> Store::WriteIndex(const LiveSegment& live) {
  std::vector<FrameSpan> spans;
  for (const auto& [vehicle, of_one] : live.spans) {
    spans.insert(spans.end(), of_one.begin(), of_one.end());
  }
  const std::string index = EncodeIndex(std::move(spans));
  ASSIGN_OR_RETURN(const auto file, disk_.Open(live.file->path, OpenMode::kReadWrite));
  RETURN_IF_ERROR(file->Truncate(live.record.bytes));
  RETURN_IF_ERROR(file->WriteAt(live.record.bytes, AsBytes(index)));
  RETURN_IF_ERROR(file->Sync());
  return static_cast<std::uint64_t>(index.size());
}

Status Store::ConfirmClock() {
  const ClockMark confirmed = guard_->Confirmed();
  ASSIGN_OR_RETURN(store::Transaction transaction, catalog_->Begin());
  RETURN_IF_ERROR(catalog_->PutClockMark(confirmed));
  RETURN_IF_ERROR(transaction.Commit());
  guard_->Confirm(confirmed);
  return Ok();
}

void Store::NoteContract(std::uint32_t number, const ContractRecord& contract) {
  MutexLock lock(index_mutex_);
  ContractRecord& known = contracts_[number];
  if (contract.config_seq < known.config_seq) return;
  known = contract;
  contracts_changed_ = true;
}

Result<std::string> Store::ContractDigest(std::uint32_t number) const {
  MutexLock lock(index_mutex_);
  const auto found = contracts_.find(number);
  if (found == contracts_.end()) {
    return Error{Code::kNotFound, "no config record names this contract number"};
  }
  return found->second.digest;
}

}  // namespace telltale::vault
