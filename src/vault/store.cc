#include "vault/store.h"

#include <fmt/format.h>

#include <algorithm>

#include "vault/store_writer.h"

namespace telltale::vault {
namespace {

constexpr std::size_t kOpenFilesMax = 64;
constexpr std::uint32_t kSegmentMode = 0600;
constexpr std::uint32_t kFolderMode = 0700;

}  // namespace

Store::Store(Disk& disk, Clock& clock, Random& random, Counters& counters, StoreOptions options)
    : disk_(disk),
      clock_(clock),
      random_(random),
      counters_(counters),
      options_(std::move(options)) {}

Store::~Store() = default;

Result<std::unique_ptr<Store>> Store::Open(Disk& disk, Clock& clock, Random& random,
                                           Counters& counters, StoreOptions options) {
  std::unique_ptr<Store> store(new Store(disk, clock, random, counters, std::move(options)));
  RETURN_IF_ERROR(store->Recover());
  return store;
}

std::string Store::HourFolder(Hour hour) const {
  return fmt::format("{}/{}", SegmentsFolder(), hour.value);
}

std::string Store::SegmentPath(Hour hour, std::uint64_t number) const {
  return fmt::format("{}/{:010}.seg", HourFolder(hour), number);
}

Status Store::Put(Frame frame) {
  const Micros now = clock_.NowUtc();
  const Hour begun = std::max(HourOf(now), state_.destroyed_through);
  std::map<Hour, Frame> parts;
  for (FrameEntry& entry : frame.entries) {
    entry.basis = std::min({entry.event_time, frame.receipt_time, now});
    const Hour hour = HourOf(entry.basis + options_.window);
    if (hour <= begun) {
      counters_.Drops("vault", Reason::kExpiredOnArrival).Add();
      seal::Wipe(entry.fields);
      continue;
    }
    parts[hour].entries.push_back(std::move(entry));
  }
  for (auto& [hour, part] : parts) {
    part.frame_class = frame.frame_class;
    part.reason = frame.reason;
    part.vehicle = frame.vehicle;
    part.boot = frame.boot;
    part.contract_number = frame.contract_number;
    part.receipt_time = frame.receipt_time;
    part.partition = frame.partition;
    part.offset = frame.offset;
    part.firmware = frame.firmware;
    RETURN_IF_ERROR(PutPart(hour, std::move(part)));
  }
  return Ok();
}

Status Store::PutPart(Hour hour, Frame part) {
  ASSIGN_OR_RETURN(Writer* const writer, WriterOf(hour, part.frame_class));
  const std::size_t start = writer->buffer.size();
  RETURN_IF_ERROR(writer->cipher.Seal(part, writer->next_frame, writer->buffer));
  const auto bytes = static_cast<std::uint32_t>(writer->buffer.size() - start);
  const FrameHead head = part.HeadOf(writer->next_frame, bytes - kFrameHeadBytes - seal::kTagBytes);
  // The first frame's file begins with the segment's head, which is not in the buffer.
  const std::uint64_t base = std::max<std::uint64_t>(writer->committed.bytes, kSegmentHeadBytes);
  writer->pending.emplace_back(head, FrameRef{writer->segment, base + start, bytes,
                                              head.first_event_hour, head.last_event_hour});
  ++writer->next_frame;
  uncommitted_bytes_ += bytes;
  return Ok();
}

Result<Store::Writer*> Store::WriterOf(Hour hour, FrameClass frame_class) {
  const WriterKey key{hour, frame_class};
  const auto found = writers_.find(key);
  if (found != writers_.end()) return found->second.get();
  RETURN_IF_ERROR(keys_->Ensure(hour));
  SegmentHead head{frame_class, hour, next_segment_, {}};
  random_.Fill(head.salt);
  seal::SecretKey hour_key;
  RETURN_IF_ERROR(keys_->Copy(hour, hour_key));
  ASSIGN_OR_RETURN(FrameCipher cipher, FrameCipher::Make(hour_key, head));
  auto segment =
      std::make_shared<const SegmentFile>(SegmentFile{head, SegmentPath(hour, next_segment_)});
  auto writer = std::make_unique<Writer>(Writer{std::move(segment),
                                                std::move(cipher),
                                                {next_segment_, hour, frame_class, 0, 0},
                                                0,
                                                {},
                                                {},
                                                nullptr});
  ++next_segment_;
  return (writers_[key] = std::move(writer)).get();
}

Status Store::WriteOut(Writer& writer) {
  const std::string& path = writer.segment->path;
  const bool is_new = writer.committed.bytes == 0;
  std::uint64_t at = writer.committed.bytes;
  if (is_new) {
    RETURN_IF_ERROR(disk_.MakeFolders(HourFolder(writer.committed.expiry_hour), kFolderMode));
    // Left by a commit that failed halfway; the state does not name it.
    if (disk_.Exists(path)) RETURN_IF_ERROR(disk_.Remove(path));
    ASSIGN_OR_RETURN(writer.file, disk_.Open(path, OpenMode::kCreate, kSegmentMode));
    RETURN_IF_ERROR(writer.file->WriteAt(0, AsBytes(writer.segment->head.Encode())));
    at = kSegmentHeadBytes;
  } else if (writer.file == nullptr) {
    ASSIGN_OR_RETURN(writer.file, disk_.Open(path, OpenMode::kReadWrite));
  }
  RETURN_IF_ERROR(writer.file->WriteAt(at, AsBytes(writer.buffer)));
  RETURN_IF_ERROR(writer.file->Sync());
  return is_new ? SyncSegmentFolder(writer.committed.expiry_hour) : Ok();
}

Status Store::SyncSegmentFolder(Hour hour) {
  RETURN_IF_ERROR(disk_.SyncFolder(HourFolder(hour)));
  return disk_.SyncFolder(SegmentsFolder());
}

Status Store::Commit(const std::vector<std::string>& positions) {
  State next = state_;
  next.positions = positions;
  next.next_segment = next_segment_;
  next.audit = audit_->head();
  {
    MutexLock lock(index_mutex_);
    next.contracts = contracts_;
  }
  for (auto& [key, writer] : writers_) {
    if (writer->pending.empty()) continue;
    RETURN_IF_ERROR(WriteOut(*writer));
    SegmentRecord record = writer->committed;
    record.bytes = std::max<std::uint64_t>(record.bytes, kSegmentHeadBytes) + writer->buffer.size();
    record.frames = writer->next_frame;
    next.segments[record.number] = record;
  }
  RETURN_IF_ERROR(SaveState(std::move(next)));
  Publish();
  return Ok();
}

Status Store::SaveState(State next) {
  RETURN_IF_ERROR(WriteFileDurably(disk_, StatePath(), next.Encode(), 0600));
  state_ = std::move(next);
  return Ok();
}

void Store::Publish() {
  std::size_t open_files = 0;
  MutexLock lock(index_mutex_);
  for (auto& [key, writer] : writers_) {
    if (!writer->pending.empty()) {
      writer->committed = state_.segments.at(writer->committed.number);
      counters_.Get("frames_stored").Add(writer->pending.size());
      for (auto& [head, ref] : writer->pending) AddToIndex(head, std::move(ref));
      writer->pending.clear();
      writer->buffer.clear();
    }
    if (writer->file != nullptr && ++open_files > kOpenFilesMax) writer->file.reset();
  }
  uncommitted_bytes_ = 0;
}

void Store::AddToIndex(const FrameHead& head, FrameRef ref) {
  index_[ref.segment->head.expiry_hour].by_class[head.frame_class][head.vehicle].push_back(
      std::move(ref));
}

void Store::Rollback() {
  // A file with frames of a failed commit is never continued: the same number would be sealed
  // twice under one key.
  writers_.clear();
  next_segment_ = state_.next_segment;
  uncommitted_bytes_ = 0;
}

void Store::NoteContract(std::uint32_t number, const ContractRecord& contract) {
  MutexLock lock(index_mutex_);
  ContractRecord& known = contracts_[number];
  if (contract.config_seq >= known.config_seq) known = contract;
}

Result<std::string> Store::ContractDigest(std::uint32_t number) const {
  MutexLock lock(index_mutex_);
  const auto found = contracts_.find(number);
  if (found == contracts_.end()) {
    return Error{Code::kNotFound, "no config record names this contract number"};
  }
  return found->second.digest;
}

std::vector<FrameRef> Store::Find(const VehicleRef& vehicle, FrameClass frame_class, Micros from,
                                  Micros to) const {
  const std::int64_t first = HourOf(from).value;
  const std::int64_t last = HourOf(to - Micros{1}).value;
  std::vector<FrameRef> found;
  MutexLock lock(index_mutex_);
  for (const auto& [hour, index] : index_) {
    const auto by_class = index.by_class.find(frame_class);
    if (by_class == index.by_class.end()) continue;
    const auto refs = by_class->second.find(vehicle);
    if (refs == by_class->second.end()) continue;
    for (const FrameRef& ref : refs->second) {
      if (ref.first_event_hour <= std::max<std::int64_t>(last, 0) &&
          ref.last_event_hour >= std::max<std::int64_t>(first, 0)) {
        found.push_back(ref);
      }
    }
  }
  return found;
}

Result<Frame> Store::FrameReader::Read(const FrameRef& ref) {
  seal::SecretKey hour_key;
  // Asked for every frame: a key destroyed meanwhile ends the reading, whatever is cached here.
  RETURN_IF_ERROR(store_.keys_->Copy(ref.segment->head.expiry_hour, hour_key));
  if (segment_ != ref.segment) {
    ASSIGN_OR_RETURN(file_, store_.disk_.Open(ref.segment->path, OpenMode::kRead));
    ASSIGN_OR_RETURN(FrameCipher cipher, FrameCipher::Make(hour_key, ref.segment->head));
    cipher_ = std::make_unique<FrameCipher>(std::move(cipher));
    segment_ = ref.segment;
  }
  std::vector<std::uint8_t> bytes(ref.bytes);
  ASSIGN_OR_RETURN(const std::size_t got, file_->ReadAt(ref.at, bytes));
  if (got != bytes.size()) return Error{Code::kCorrupt, "a vault segment is shorter than recorded"};
  return cipher_->Open(bytes);
}

}  // namespace telltale::vault
