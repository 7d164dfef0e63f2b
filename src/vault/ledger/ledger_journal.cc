#include "vault/ledger/ledger_journal.h"

#include <fmt/format.h>

#include "base/checksum.h"
#include "base/format_version.h"

namespace telltale::vault {
namespace {

constexpr std::string_view kMagic = "TVPJ";
constexpr std::string_view kBatchMagic = "TVPB";
constexpr const FormatVersion& kVersion = VersionOf(Format::kPresenceLedger);

std::string JournalHead(std::uint64_t number) {
  std::string out(kMagic);
  PutLe(out, static_cast<std::uint8_t>(kVersion.written));
  PutLe(out, static_cast<std::uint8_t>(kVersion.min_reader));
  PutLe<std::uint16_t>(out, 0);
  PutLe(out, number);
  PutLe(out, Crc32c(AsBytes(out)));
  return out;
}

struct BatchHead {
  std::uint32_t bytes = 0;
  std::uint32_t payload_crc = 0;
  std::uint64_t sequence = 0;

  std::string Encode() const {
    std::string rest;
    PutLe(rest, bytes);
    PutLe(rest, payload_crc);
    PutLe(rest, sequence);
    std::string out(kBatchMagic);
    PutLe(out, Crc32c(AsBytes(rest)));
    return out + rest;
  }
  // False: there is none at the beginning of `from`.
  bool Read(ByteSpan from) {
    if (from.size() < kJournalBatchHeadBytes || !AsText(from).starts_with(kBatchMagic))
      return false;
    if (GetLe<std::uint32_t>(from.data() + 4) != Crc32c(from.subspan(8, 16))) return false;
    bytes = GetLe<std::uint32_t>(from.data() + 8);
    payload_crc = GetLe<std::uint32_t>(from.data() + 12);
    sequence = GetLe<std::uint64_t>(from.data() + 16);
    return true;
  }
};

// An append is synced before the next begins: what a power cut tears is the last batch alone.
bool HasLaterBatch(ByteSpan rest, std::uint64_t sequence) {
  const std::string_view text = AsText(rest);
  for (std::size_t at = text.find(kBatchMagic, 1); at != text.npos;
       at = text.find(kBatchMagic, at + 1)) {
    BatchHead head;
    if (head.Read(rest.subspan(at)) && head.sequence > sequence) return true;
  }
  return false;
}

}  // namespace

Result<JournalScan> JournalScan::Of(ByteSpan bytes, std::uint64_t number) {
  if (bytes.size() < kJournalHeadBytes || !AsText(bytes).starts_with(kMagic)) {
    return Error{Code::kCorrupt, "not a journal of the presence ledger"};
  }
  RETURN_IF_ERROR(CheckReadable(Format::kPresenceLedger, "a journal of the presence ledger",
                                bytes[4], bytes[5]));
  if (GetLe<std::uint32_t>(bytes.data() + 16) != Crc32c(bytes.first(16)) ||
      GetLe<std::uint64_t>(bytes.data() + 8) != number) {
    return Error{Code::kCorrupt, "a journal of the presence ledger fails its check"};
  }
  JournalScan scan;
  scan.good_bytes = kJournalHeadBytes;
  while (scan.good_bytes < bytes.size()) {
    const ByteSpan rest = bytes.subspan(scan.good_bytes);
    const std::uint64_t sequence = scan.batches.size();
    BatchHead head;
    const bool whole = head.Read(rest) && head.sequence == sequence &&
                       head.bytes <= rest.size() - kJournalBatchHeadBytes &&
                       Crc32c(rest.subspan(kJournalBatchHeadBytes, head.bytes)) == head.payload_crc;
    if (!whole) {
      scan.damaged = HasLaterBatch(rest, sequence);
      break;
    }
    scan.batches.push_back(rest.subspan(kJournalBatchHeadBytes, head.bytes));
    scan.good_bytes += kJournalBatchHeadBytes + head.bytes;
  }
  return scan;
}

Result<std::unique_ptr<LedgerJournal>> LedgerJournal::Create(Disk& disk, const std::string& path,
                                                             std::uint64_t number) {
  RETURN_IF_ERROR(WriteFileDurably(disk, path, JournalHead(number), 0600));
  ASSIGN_OR_RETURN(auto file, disk.Open(path, OpenMode::kReadWrite));
  return std::unique_ptr<LedgerJournal>(
      new LedgerJournal(std::move(file), number, kJournalHeadBytes, 0));
}

Result<std::unique_ptr<LedgerJournal>> LedgerJournal::Continue(Disk& disk, const std::string& path,
                                                               std::uint64_t number,
                                                               const JournalScan& scan) {
  ASSIGN_OR_RETURN(auto file, disk.Open(path, OpenMode::kReadWrite));
  return std::unique_ptr<LedgerJournal>(
      new LedgerJournal(std::move(file), number, scan.good_bytes, scan.batches.size()));
}

Status LedgerJournal::Append(const std::string& payload) {
  if (payload.size() > kJournalBatchBytesMax) {
    return Error{Code::kTooBig, fmt::format("a batch of {} bytes is over the presence ledger's "
                                            "limit of {}: commit more often",
                                            payload.size(), kJournalBatchBytesMax)};
  }
  if (tail_unknown_) RETURN_IF_ERROR(file_->Truncate(bytes_));
  tail_unknown_ = true;
  const BatchHead head{static_cast<std::uint32_t>(payload.size()), Crc32c(AsBytes(payload)),
                       batches_};
  const std::string batch = head.Encode() + payload;
  RETURN_IF_ERROR(file_->WriteAt(bytes_, AsBytes(batch)));
  RETURN_IF_ERROR(file_->Sync());
  tail_unknown_ = false;
  bytes_ += batch.size();
  ++batches_;
  return Ok();
}

Status LedgerJournal::Settle() {
  if (!tail_unknown_) return Ok();
  RETURN_IF_ERROR(file_->Truncate(bytes_));
  RETURN_IF_ERROR(file_->Sync());
  tail_unknown_ = false;
  return Ok();
}

}  // namespace telltale::vault
