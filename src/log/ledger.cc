#include "log/ledger.h"

#include <fmt/format.h>

#include "base/checksum.h"
#include "base/format_version.h"

namespace telltale::log {
namespace {

constexpr std::string_view kMagic = "TLTLEDG\n";
constexpr auto kVersion = static_cast<std::uint16_t>(VersionOf(Format::kLedger).written);
constexpr auto kMinReader = static_cast<std::uint16_t>(VersionOf(Format::kLedger).min_reader);
constexpr std::size_t kHeadBytes = 16;
constexpr std::size_t kBlockHeadBytes = 8;
constexpr std::uint64_t kLedgerBytesMax = 256u << 20;

std::string EncodeBlock(std::span<const Log::LedgerEntry> entries) {
  std::string body;
  PutLedgerEntries(body, entries);
  std::string rest;
  PutBlob(rest, body);
  std::string block;
  PutLe(block, Crc32c(AsBytes(rest)));
  return block + rest;
}

bool DecodeBody(ByteSpan body, std::vector<Log::LedgerEntry>& out) {
  ByteReader reader(body);
  TakeLedgerEntries(reader, out);
  return reader.ok() && reader.remaining() == 0;
}

}  // namespace

void PutLedgerEntries(std::string& out, std::span<const Log::LedgerEntry> entries) {
  PutLe(out, static_cast<std::uint32_t>(entries.size()));
  for (const Log::LedgerEntry& entry : entries) {
    PutLe(out, static_cast<std::uint16_t>(entry.stream));
    PutLe(out, entry.partition.value);
    PutLe(out, entry.offset.value);
    PutLe(out, entry.config_seq.value);
    PutBlob(out, entry.digest);
  }
}

void TakeLedgerEntries(ByteReader& reader, std::vector<Log::LedgerEntry>& out) {
  const auto count = reader.Get<std::uint32_t>();
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
    Log::LedgerEntry entry;
    entry.stream = reader.Get<std::uint16_t>();
    entry.partition = PartitionId{reader.Get<std::uint16_t>()};
    entry.offset = Offset{reader.Get<std::uint64_t>()};
    entry.config_seq = ConfigSeq{reader.Get<std::uint64_t>()};
    entry.digest = AsText(reader.TakeBlob());
    out.push_back(std::move(entry));
  }
}

Result<std::unique_ptr<LedgerFile>> LedgerFile::Open(Disk& disk, const std::string& dir,
                                                     const LogShape& shape) {
  const std::string path = dir + "/ledger";
  if (!disk.Exists(path)) {
    std::string head(kMagic);
    PutLe(head, kVersion);
    PutLe(head, kMinReader);
    head.resize(kHeadBytes);
    RETURN_IF_ERROR(WriteFileDurably(disk, path, head));
  }
  ASSIGN_OR_RETURN(const std::string content, ReadWholeFile(disk, path, kLedgerBytesMax));
  ASSIGN_OR_RETURN(auto file, disk.Open(path, OpenMode::kReadWrite));
  std::unique_ptr<LedgerFile> ledger(new LedgerFile(std::move(file), shape));
  RETURN_IF_ERROR(ledger->Load(content, path));
  return ledger;
}

Status LedgerFile::Load(const std::string& content, const std::string& path) {
  MutexLock lock(mutex_);
  ByteReader head(std::string_view(content).substr(0, kHeadBytes));
  const bool is_ledger = AsText(head.Take(kMagic.size())) == kMagic;
  const auto version = head.Get<std::uint16_t>();
  const auto minimum = head.Get<std::uint16_t>();
  head.Get<std::uint32_t>();
  if (!is_ledger || !head.ok()) return Error{Code::kCorrupt, path + " has a broken head"};
  RETURN_IF_ERROR(CheckReadable(Format::kLedger, path, version, minimum));
  end_ = kHeadBytes;
  while (end_ + kBlockHeadBytes <= content.size()) {
    const auto crc = GetLe<std::uint32_t>(content.data() + end_);
    const auto length = GetLe<std::uint32_t>(content.data() + end_ + 4);
    const std::uint64_t block_end = end_ + kBlockHeadBytes + length;
    if (length == 0 || block_end > content.size()) break;  // torn
    const ByteSpan checked = AsBytes(content).subspan(end_ + 4, 4 + length);
    std::vector<Log::LedgerEntry> read;
    bool good = Crc32c(checked) == crc;
    if (!good && block_end == content.size()) break;  // torn
    good = good && DecodeBody(checked.subspan(4), read);
    for (const Log::LedgerEntry& entry : read) good = good && Names(entry);
    if (!good) {
      return Error{Code::kCorrupt, fmt::format("{} byte {}: a block is broken", path, end_)};
    }
    entries_.insert(entries_.end(), read.begin(), read.end());
    end_ = block_end;
  }
  if (end_ == content.size()) return Ok();
  RETURN_IF_ERROR(file_->Truncate(end_));
  return file_->Sync();
}

bool LedgerFile::Names(const Log::LedgerEntry& entry) const {
  return entry.stream < shape_.streams.size() && entry.partition.value < shape_.partitions;
}

Status LedgerFile::Append(std::span<const Log::LedgerEntry> entries) {
  if (entries.empty()) return Ok();
  for (const Log::LedgerEntry& entry : entries) {
    if (!Names(entry)) {
      return Error{Code::kInvalid, "a ledger entry names a stream or partition the log has not"};
    }
  }
  const std::string block = EncodeBlock(entries);
  MutexLock lock(mutex_);
  if (failed_) return Error{Code::kUnavailable, "the ledger is read-only after a disk error"};
  failed_ = true;  // until all went well
  const Status written = file_->WriteAt(end_, AsBytes(block));
  if (!written.ok() && written.error().code == Code::kOverloaded) {
    // What was stored of it must not lie behind a shorter block later.
    RETURN_IF_ERROR(file_->Truncate(end_));
    failed_ = false;
  }
  RETURN_IF_ERROR(written);
  RETURN_IF_ERROR(file_->Sync());
  failed_ = false;
  end_ += block.size();
  entries_.insert(entries_.end(), entries.begin(), entries.end());
  return Ok();
}

std::vector<Log::LedgerEntry> LedgerFile::entries() const {
  MutexLock lock(mutex_);
  return entries_;
}

}  // namespace telltale::log
