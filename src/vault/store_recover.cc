// The start: from whatever a crash left to a state in which every frame is there once.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>

#include "vault/state.h"
#include "vault/store.h"
#include "vault/store_writer.h"

namespace telltale::vault {
namespace {

constexpr const char* kDestroyedThrough = "destroyed_through";
constexpr const char* kWindows = "windows";

std::string EncodeWindows(const Windows& windows) {
  std::string bytes;
  for (const RetentionClass one : kWindowClasses) PutLe(bytes, windows.HoursOf(one));
  return bytes;
}

}  // namespace

Status Store::OpenCatalog() {
  RETURN_IF_ERROR(disk_.MakeFolders(SegmentsFolder(), 0700));
  const std::string path = options_.dir + "/vault.db";
  const std::string old_state = options_.dir + "/state";
  const bool is_new = !disk_.Exists(path);
  if (is_new && !disk_.Exists(old_state)) {
    ASSIGN_OR_RETURN(const std::vector<std::string> folders, disk_.List(SegmentsFolder()));
    bool was_used = disk_.Exists(options_.dir + "/audit/audit.log");
    for (const std::string& folder : folders) {
      const Result<std::vector<std::string>> files = disk_.List(SegmentsFolder() + "/" + folder);
      was_used |= !files.ok() || !files->empty();
    }
    if (was_used) {
      return Error{Code::kCorrupt, path +
                                       " is missing although the vault was used; put it back, "
                                       "or move the vault's folder away to begin an empty one"};
    }
  }
  ASSIGN_OR_RETURN(catalog_, Catalog::Open(path, options_.vfs));
  return disk_.Exists(old_state) ? ImportFormat1(old_state) : Ok();
}

// Once: its keys are taken over by ImportHourKeys() before.
Status Store::ImportFormat1(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string next, catalog_->Value("next_segment"));
  if (next.empty()) {
    ASSIGN_OR_RETURN(const std::string file, ReadWholeFile(disk_, path));
    Result<StateOfFormat1> parsed = StateOfFormat1::Parse(AsBytes(file));
    if (!parsed.ok()) return Annotate(parsed.error(), "reading " + path);
    ASSIGN_OR_RETURN(store::Transaction transaction, catalog_->Begin());
    std::string positions;
    for (const std::string& position : parsed->positions) PutBlob(positions, position);
    RETURN_IF_ERROR(catalog_->PutValue("positions", positions));
    RETURN_IF_ERROR(catalog_->PutNumber("next_segment", parsed->next_segment));
    // Numbers of the time before have no rows: the gap-free part begins here.
    RETURN_IF_ERROR(catalog_->PutNumber("first_segment", parsed->next_segment));
    RETURN_IF_ERROR(catalog_->PutNumber(
        kDestroyedThrough, static_cast<std::uint64_t>(parsed->destroyed_through.value)));
    RETURN_IF_ERROR(catalog_->PutAuditHead(parsed->audit));
    for (const SegmentRecord& record : parsed->segments) {
      RETURN_IF_ERROR(catalog_->PutSegment(record));
    }
    for (const auto& [number, contract] : parsed->contracts) {
      RETURN_IF_ERROR(catalog_->PutContract(number, contract));
    }
    for (const HourEnd& end : parsed->receipts) RETURN_IF_ERROR(catalog_->PutHourEnd(end));
    RETURN_IF_ERROR(transaction.Commit());
  }
  RETURN_IF_ERROR(disk_.Remove(path));
  return disk_.SyncFolder(options_.dir);
}

Status Store::LoadCatalog() {
  ASSIGN_OR_RETURN(const std::string positions, catalog_->Value("positions"));
  ByteReader reader(AsBytes(positions));
  while (reader.ok() && reader.remaining() > 0) {
    positions_.emplace_back(AsText(reader.TakeBlob()));
  }
  if (!reader.ok()) return Error{Code::kCorrupt, "vault.db holds positions that are cut"};
  ASSIGN_OR_RETURN(account_, catalog_->Value("account"));
  ASSIGN_OR_RETURN(committed_next_segment_, catalog_->Number("next_segment"));
  next_segment_ = committed_next_segment_;
  ASSIGN_OR_RETURN(const std::string through, catalog_->Value(kDestroyedThrough));
  if (!through.empty()) {
    ASSIGN_OR_RETURN(const std::uint64_t hour, catalog_->Number(kDestroyedThrough));
    destroyed_through_ = Hour{static_cast<std::int64_t>(hour)};
  }
  ASSIGN_OR_RETURN(const std::vector<HourKeyId> ended, catalog_->EndedHours());
  ended_.insert(ended.begin(), ended.end());
  ASSIGN_OR_RETURN(holds_, catalog_->Holds());
  ASSIGN_OR_RETURN(const std::vector<std::string> erased, catalog_->ErasedTags());
  ASSIGN_OR_RETURN(std::optional<ClockMark> mark, catalog_->clock_mark());
  guard_ = std::make_unique<ClockGuard>(clock_, std::move(mark));
  guard_->Look();
  ASSIGN_OR_RETURN(auto contracts, catalog_->Contracts());
  MutexLock lock(index_mutex_);
  contracts_ = std::move(contracts);
  erased_.insert(erased.begin(), erased.end());
  return Ok();
}

Status Store::Recover() {
  RETURN_IF_ERROR(OpenCatalog());
  RETURN_IF_ERROR(LoadCatalog());
  ASSIGN_OR_RETURN(const AuditHead recorded, catalog_->audit_head());
  ASSIGN_OR_RETURN(audit_, AuditLog::Open(disk_, clock_, options_.dir + "/audit", recorded));
  if (!audit_->problem().empty()) {
    spdlog::error("vault: the audit log fails its check, every query is refused: {}",
                  audit_->problem());
  }
  RETURN_IF_ERROR(ApplyWindows());
  // Before anything can be read: what is due must not be readable even for a moment.
  if (const Status expired = Expire(); !expired.ok()) {
    spdlog::error("vault: {}", expired.error().ToString());
  }
  if (const Status lifted = FinishLifted(); !lifted.ok()) {
    spdlog::error("vault: {}", lifted.error().ToString());
  }
  RETURN_IF_ERROR(AdoptSegments());
  RETURN_IF_ERROR(ClearFolders());
  RETURN_IF_ERROR(CloseQuiet());
  // A crash between an erasure's commit and its checkpoint leaves the reference in the log.
  if (const Status truncated = catalog_->Truncate(); !truncated.ok()) {
    spdlog::error("vault: {}", truncated.error().ToString());
  }
  return Ok();
}

// A window that became shorter holds for what is stored already, one that became longer does not.
Status Store::ApplyWindows() {
  for (const RetentionClass one : kWindowClasses) {
    RETURN_IF_ERROR(ledger_.SetWindow(one, options_.windows.HoursOf(one), guard_->NowForKeys()));
  }
  // Hours of format 1 are expiry hours already.
  RETURN_IF_ERROR(ledger_.SetWindow(RetentionClass::kLegacy, 0, guard_->NowForKeys()));
  const std::string now = EncodeWindows(options_.windows);
  ASSIGN_OR_RETURN(const std::string before, catalog_->Value(kWindows));
  if (before == now) return Ok();
  for (const HourKeyInfo& key : keys_.Hours()) {
    if (key.id.retention_class == RetentionClass::kHold) continue;
    if (key.id.retention_class != RetentionClass::kLegacy) {
      const std::uint32_t window = options_.windows.HoursOf(key.id.retention_class);
      RETURN_IF_ERROR(keys_.SetDiesAt(key.id, Hour{key.id.hour.value + window}));
    }
  }
  RETURN_IF_ERROR(keys_.Flush());
  ASSIGN_OR_RETURN(store::Transaction transaction, catalog_->Begin());
  RETURN_IF_ERROR(catalog_->PutValue(kWindows, now));
  return transaction.Commit();
}

Status Store::AdoptSegments() {
  std::set<HourKeyId> keys;
  for (const HourKeyInfo& key : keys_.Hours()) keys.insert(key.id);
  ASSIGN_OR_RETURN(const std::vector<SegmentRecord> records, catalog_->LiveSegments());
  std::vector<SegmentRecord> without_key;
  for (const SegmentRecord& record : records) {
    if (!keys.contains(record.key())) {
      without_key.push_back(record);
      continue;
    }
    RETURN_IF_ERROR(AdoptSegment(record));
  }
  RETURN_IF_ERROR(NoteFormat1());
  return EndOrphans(without_key);
}

// Once: the ledger begins with what a vault of format 1 had.
Status Store::NoteFormat1() {
  const LedgerView view = ledger_.View();
  std::map<HourKeyId, std::map<VehicleRef, std::uint64_t>> unknown;
  {
    MutexLock lock(index_mutex_);
    for (const auto& [number, live] : live_) {
      if (live.record.scheme != KeyScheme::kHour || view.Find(live.record.key())) continue;
      for (const auto& [vehicle, spans] : live.spans) {
        unknown[live.record.key()][vehicle] += spans.size();
      }
    }
  }
  for (const auto& [id, vehicles] : unknown) {
    for (const auto& [vehicle, frames] : vehicles) {
      ASSIGN_OR_RETURN(const Ordinal ordinal, keys_.EnsureVehicle(vehicle));
      RETURN_IF_ERROR(ledger_.Note(id, ordinal, frames, guard_->NowForKeys()));
    }
  }
  if (unknown.empty()) return Ok();
  RETURN_IF_ERROR(keys_.Flush());
  return ledger_.Commit();
}

// No key means destroyed: the files are what an interrupted destruction left.
Status Store::EndOrphans(const std::vector<SegmentRecord>& without_key) {
  if (without_key.empty()) return Ok();
  counters_.Get("segments_without_key").Add(without_key.size());
  std::set<HourKeyId> ids;
  for (const SegmentRecord& record : without_key) ids.insert(record.key());
  RETURN_IF_ERROR(RecordEnds(without_key, {ids.begin(), ids.end()}, std::nullopt));
  for (const SegmentRecord& record : without_key) RETURN_IF_ERROR(RemoveFile(record));
  return GiveReceipts();
}

Status Store::AdoptSegment(const SegmentRecord& wanted) {
  SegmentRecord record = wanted;
  const std::string path = PathOf(record);
  const auto opened = disk_.Open(path, OpenMode::kReadWrite);
  if (!opened.ok()) {
    if (opened.error().code != Code::kNotFound) return opened.error();
    // The catalogue goes on naming it: the report says what is missing.
    spdlog::error("vault: segment {} is missing from its folder", record.number);
    counters_.Get("segments_damaged").Add();
    return Ok();
  }
  const File& file = **opened;
  std::vector<std::uint8_t> head_bytes(kSegmentHeadBytes);
  ASSIGN_OR_RETURN(const std::size_t got, file.ReadAt(0, head_bytes));
  const Result<SegmentHead> head = SegmentHead::Parse(ByteSpan(head_bytes).first(got));
  const bool is_wanted =
      head.ok() && head->number == record.number && head->hour == record.hour &&
      head->scheme == record.scheme && head->partition == record.partition &&
      (record.scheme == KeyScheme::kHour ? head->frame_class == record.frame_class
                                         : head->retention_class == record.retention_class);
  if (!is_wanted) {
    // Kept as it is; its hour destroys it as any other.
    spdlog::error("vault: the head of segment {} is damaged or newer; its frames are left out",
                  record.number);
    counters_.Get("segments_damaged").Add();
    return Ok();
  }
  LiveSegment live{std::make_shared<const SegmentFile>(SegmentFile{*head, path}), record, {}};
  if (record.index_bytes == 0) {
    ASSIGN_OR_RETURN(const std::uint64_t size, file.Size());
    if (size > record.bytes) {
      RETURN_IF_ERROR((*opened)->Truncate(record.bytes));
      RETURN_IF_ERROR((*opened)->Sync());
    }
    live.spans = ScanFrames(file, record);
    live.record = record;
  }
  MutexLock lock(index_mutex_);
  AddLive(std::move(live));
  return Ok();
}

Store::ByVehicle Store::ScanFrames(const File& file, SegmentRecord& record) {
  ByVehicle spans;
  std::uint64_t at = kSegmentHeadBytes;
  std::array<std::uint8_t, kFrameHeadBytes> bytes{};
  record.first_event_hour = UINT32_MAX;
  record.last_event_hour = 0;
  for (std::uint64_t number = 0; number < record.frames; ++number) {
    const Result<std::size_t> got = file.ReadAt(at, bytes);
    const Result<FrameHead> head =
        got.ok() ? FrameHead::Parse(ByteSpan(bytes).first(*got)) : Result<FrameHead>(got.error());
    const bool of_class =
        head.ok() && (record.scheme != KeyScheme::kHour || head->frame_class == record.frame_class);
    if (!of_class || head->number != number ||
        at + kFrameHeadBytes + head->cipher_bytes > record.bytes) {
      spdlog::error("vault: segment {} is damaged at frame {} of {}; the rest is left out",
                    record.number, number, record.frames);
      counters_.Get("segments_damaged").Add();
      return spans;
    }
    const auto size = static_cast<std::uint32_t>(kFrameHeadBytes + head->cipher_bytes);
    spans[head->vehicle].push_back(
        {head->vehicle, at, size, head->first_event_hour, head->last_event_hour});
    record.first_event_hour = std::min(record.first_event_hour, head->first_event_hour);
    record.last_event_hour = std::max(record.last_event_hour, head->last_event_hour);
    at += size;
  }
  return spans;
}

// What a crash left: files of commits that were not made, files that were to be removed. A file
// that is neither stays, and the reconciliation says so.
Status Store::ClearFolders() {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, disk_.List(SegmentsFolder()));
  for (const std::string& name : names) {
    const std::string folder = SegmentsFolder() + "/" + name;
    const Result<std::vector<std::string>> entries = disk_.List(folder);
    if (!entries.ok()) continue;
    for (const std::string& entry : *entries) {
      if (entry.ends_with(".seg")) continue;
      RETURN_IF_ERROR(ClearFolder(folder + "/" + entry));
    }
    RETURN_IF_ERROR(ClearFolder(folder));
  }
  return Ok();
}

Status Store::ClearFolder(const std::string& folder) {
  const Result<std::vector<std::string>> names = disk_.List(folder);
  if (!names.ok()) return Ok();
  for (const std::string& name : *names) {
    std::uint64_t number = 0;
    const auto [end, problem] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (problem != std::errc() || !name.ends_with(".seg")) continue;
    const std::string path = folder + "/" + name;
    ASSIGN_OR_RETURN(const bool ended, catalog_->HasEndedSegment(number));
    if (number < committed_next_segment_ && !ended) {
      MutexLock lock(index_mutex_);
      const auto found = live_.find(number);
      if (found == live_.end() || found->second.file->path != path) {
        counters_.Get("segments_unlisted").Add();
      }
      continue;
    }
    RETURN_IF_ERROR(disk_.Remove(path));
    RETURN_IF_ERROR(disk_.SyncFolder(folder));
  }
  if (names->empty()) (void)disk_.Remove(folder);
  return Ok();
}

}  // namespace telltale::vault
