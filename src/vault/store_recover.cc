// The start: from whatever a crash left to a state in which every frame is there once.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <charconv>

#include "vault/store.h"
#include "vault/store_writer.h"

namespace telltale::vault {

Status Store::LoadState() {
  RETURN_IF_ERROR(disk_.MakeFolders(SegmentsFolder(), 0700));
  const Result<std::string> file = ReadWholeFile(disk_, StatePath());
  if (file.ok()) {
    Result<State> parsed = State::Parse(AsBytes(*file));
    if (!parsed.ok()) return Annotate(parsed.error(), "reading " + StatePath());
    state_ = std::move(parsed).value();
    return Ok();
  }
  if (file.error().code != Code::kNotFound) return file.error();
  ASSIGN_OR_RETURN(const std::vector<std::string> folders, disk_.List(SegmentsFolder()));
  bool was_used = disk_.Exists(options_.dir + "/audit/audit.log");
  for (const std::string& folder : folders) {
    const Result<std::vector<std::string>> files = disk_.List(SegmentsFolder() + "/" + folder);
    was_used |= !files.ok() || !files->empty();
  }
  if (was_used) {
    return Error{Code::kCorrupt, StatePath() +
                                     " is missing although the vault was used; put it back, or "
                                     "move the vault's folder away to begin an empty one"};
  }
  return SaveState({});
}

Status Store::Recover() {
  RETURN_IF_ERROR(LoadState());
  ASSIGN_OR_RETURN(keys_, HourKeys::Open(disk_, options_.dir + "/keys/hours", random_));
  if (keys_->damaged() > 0) {
    spdlog::error("vault: {} hour key files are damaged; their hours cannot be read",
                  keys_->damaged());
    counters_.Get("keys_damaged").Add(keys_->damaged());
  }
  ASSIGN_OR_RETURN(audit_, AuditLog::Open(disk_, clock_, options_.dir + "/audit", state_.audit));
  if (!audit_->problem().empty()) {
    spdlog::error("vault: the audit log fails its check, every query is refused: {}",
                  audit_->problem());
  }
  contracts_ = state_.contracts;
  next_segment_ = state_.next_segment;
  // Before anything is indexed: what is due must not be readable even for a moment.
  if (const Status expired = Expire(); !expired.ok()) {
    spdlog::error("vault: {}", expired.error().ToString());
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> folders, disk_.List(SegmentsFolder()));
  for (const std::string& name : folders) {
    std::uint32_t hour = 0;
    const auto [end, problem] = std::from_chars(name.data(), name.data() + name.size(), hour);
    if (problem == std::errc() && end == name.data() + name.size()) {
      RETURN_IF_ERROR(AdoptFolder(HourFolder(Hour{hour}), Hour{hour}));
    }
  }
  State next = state_;
  for (const auto& [number, record] : state_.segments) {
    if (disk_.Exists(SegmentPath(record.expiry_hour, number))) continue;
    spdlog::error("vault: segment {} is missing from its folder", number);
    counters_.Get("segments_damaged").Add();
    next.segments.erase(number);
  }
  return SaveState(std::move(next));
}

Status Store::AdoptFolder(const std::string& folder, Hour hour) {
  seal::SecretKey key;
  const bool has_key = keys_->Copy(hour, key).ok();
  ASSIGN_OR_RETURN(const std::vector<std::string> names, disk_.List(folder));
  ASSIGN_OR_RETURN(const std::vector<Hour> listed, keys_->Listed());
  const bool key_listed = std::find(listed.begin(), listed.end(), hour) != listed.end();
  if (!has_key && !key_listed) {
    // No key means destroyed; the files are what an interrupted destruction left.
    counters_.Get("segments_without_key").Add(names.size());
    std::erase_if(state_.segments,
                  [hour](const auto& entry) { return entry.second.expiry_hour == hour; });
    return RemoveSegments(hour);
  }
  for (const std::string& name : names) {
    std::uint64_t number = 0;
    std::from_chars(name.data(), name.data() + name.size(), number);
    const auto record = state_.segments.find(number);
    const std::string path = folder + "/" + name;
    if (record == state_.segments.end() || path != SegmentPath(hour, number)) {
      RETURN_IF_ERROR(disk_.Remove(path));
      continue;
    }
    if (has_key) RETURN_IF_ERROR(AdoptSegment(record->second));
  }
  return Ok();
}

Status Store::AdoptSegment(const SegmentRecord& record) {
  const std::string path = SegmentPath(record.expiry_hour, record.number);
  ASSIGN_OR_RETURN(const auto file, disk_.Open(path, OpenMode::kReadWrite));
  std::vector<std::uint8_t> head_bytes(kSegmentHeadBytes);
  ASSIGN_OR_RETURN(const std::size_t got, file->ReadAt(0, head_bytes));
  const Result<SegmentHead> head = SegmentHead::Parse(ByteSpan(head_bytes).first(got));
  if (!head.ok() && head.error().code == Code::kUnsupported) {
    // Kept as it is: the telltale that wrote it reads it, and its hour destroys it here as well.
    spdlog::error("vault: segment {}: {}; its frames are left out", record.number,
                  head.error().message);
    counters_.Get("segments_damaged").Add();
    return Ok();
  }
  if (!head.ok() || head->number != record.number || head->expiry_hour != record.expiry_hour ||
      head->frame_class != record.frame_class) {
    spdlog::error("vault: the head of segment {} is damaged; its frames are left out",
                  record.number);
    counters_.Get("segments_damaged").Add();
    return Ok();
  }
  ASSIGN_OR_RETURN(const std::uint64_t size, file->Size());
  if (size > record.bytes) {
    RETURN_IF_ERROR(file->Truncate(record.bytes));
    RETURN_IF_ERROR(file->Sync());
  }
  ScanFrames(*file, std::make_shared<const SegmentFile>(SegmentFile{*head, path}), record);
  return Ok();
}

void Store::ScanFrames(const File& file, const std::shared_ptr<const SegmentFile>& segment,
                       const SegmentRecord& record) {
  std::uint64_t at = kSegmentHeadBytes;
  std::array<std::uint8_t, kFrameHeadBytes> bytes{};
  MutexLock lock(index_mutex_);
  for (std::uint64_t number = 0; number < record.frames; ++number) {
    const Result<std::size_t> got = file.ReadAt(at, bytes);
    const Result<FrameHead> head =
        got.ok() ? FrameHead::Parse(ByteSpan(bytes).first(*got)) : Result<FrameHead>(got.error());
    if (!head.ok() || head->number != number || head->frame_class != record.frame_class ||
        at + kFrameHeadBytes + head->cipher_bytes > record.bytes) {
      spdlog::error("vault: segment {} is damaged at frame {} of {}; the rest is left out",
                    record.number, number, record.frames);
      counters_.Get("segments_damaged").Add();
      return;
    }
    const auto size = static_cast<std::uint32_t>(kFrameHeadBytes + head->cipher_bytes);
    AddToIndex(*head, FrameRef{segment, at, size, head->first_event_hour, head->last_event_hour});
    at += size;
  }
}

}  // namespace telltale::vault
