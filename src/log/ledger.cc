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

bool Names(const LogShape& shape, const Log::LedgerEntry& entry) {
  return entry.stream < shape.streams.size() && entry.partition.value < shape.partitions;
}

struct Content {
  std::vector<Log::LedgerEntry> entries;
  std::uint64_t end = kHeadBytes;  // of the whole blocks
  std::uint64_t bytes = 0;         // of the file: more when its last block is torn
};

Result<Content> ReadContent(Disk& disk, const std::string& path, const LogShape& shape) {
  ASSIGN_OR_RETURN(const std::string content, ReadWholeFile(disk, path, kLedgerBytesMax));
  ByteReader head(std::string_view(content).substr(0, kHeadBytes));
  const bool is_ledger = AsText(head.Take(kMagic.size())) == kMagic;
  const auto version = head.Get<std::uint16_t>();
  const auto minimum = head.Get<std::uint16_t>();
  head.Get<std::uint32_t>();
  if (!is_ledger || !head.ok()) return Error{Code::kCorrupt, path + " has a broken head"};
  RETURN_IF_ERROR(CheckReadable(Format::kLedger, path, version, minimum));
  Content out;
  out.bytes = content.size();
  while (out.end + kBlockHeadBytes <= content.size()) {
    const auto crc = GetLe<std::uint32_t>(content.data() + out.end);
    const auto length = GetLe<std::uint32_t>(content.data() + out.end + 4);
    const std::uint64_t block_end = out.end + kBlockHeadBytes + length;
    if (length == 0 || block_end > content.size()) break;  // torn
    const ByteSpan checked = AsBytes(content).subspan(out.end + 4, 4 + length);
    std::vector<Log::LedgerEntry> read;
    bool good = Crc32c(checked) == crc;
    if (!good && block_end == content.size()) break;  // torn
    good = good && DecodeBody(checked.subspan(4), read);
    for (const Log::LedgerEntry& entry : read) good = good && Names(shape, entry);
    if (!good) {
      return Error{Code::kCorrupt, fmt::format("{} byte {}: a block is broken", path, out.end)};
    }
    out.entries.insert(out.entries.end(), read.begin(), read.end());
    out.end = block_end;
  }
  return out;
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
  ASSIGN_OR_RETURN(Content content, ReadContent(disk, path, shape));
  ASSIGN_OR_RETURN(auto file, disk.Open(path, OpenMode::kReadWrite));
  if (content.end < content.bytes) {
    RETURN_IF_ERROR(file->Truncate(content.end));
    RETURN_IF_ERROR(file->Sync());
  }
  std::unique_ptr<LedgerFile> ledger(new LedgerFile(std::move(file), shape));
  MutexLock lock(ledger->mutex_);
  ledger->end_ = content.end;
  ledger->entries_ = std::move(content.entries);
  return ledger;
}

Result<std::vector<Log::LedgerEntry>> ReadLedgerFile(Disk& disk, const std::string& dir,
                                                     const LogShape& shape) {
  ASSIGN_OR_RETURN(Content content, ReadContent(disk, dir + "/ledger", shape));
  return std::move(content.entries);
}

Status LedgerFile::Append(std::span<const Log::LedgerEntry> entries) {
  if (entries.empty()) return Ok();
  for (const Log::LedgerEntry& entry : entries) {
    if (!Names(shape_, entry)) {
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
