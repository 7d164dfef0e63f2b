// Journals, batches, the index, hour files, sets and accounts from hostile bytes: an answer, never
// a crash; what is accepted writes back as what it was read from. Checksums are set right first.
#include "base/checksum.h"
#include "vault/ledger/intake_account.h"
#include "vault/ledger/ledger_journal.h"
#include "vault/ledger/ledger_records.h"

using namespace telltale;

namespace {

constexpr vault::HourKeyId kHour{vault::RetentionClass::kPosition, vault::Hour{500'000}};

void MendEnd(std::string& bytes) {
  if (bytes.size() < 4) return;
  const std::uint32_t crc = Crc32c(AsBytes(bytes).first(bytes.size() - 4));
  std::memcpy(bytes.data() + bytes.size() - 4, &crc, sizeof crc);
}

void ReadSet(ByteSpan bytes) {
  const auto set = vault::OrdinalSet::Parse(bytes);
  if (!set.ok()) return;
  CHECK(set->size() == set->First(UINT64_MAX).size());
  vault::OrdinalSet changed = *set;
  changed.Add(vault::Ordinal{70'000});
  changed.Remove(*set);
  changed.Merge(*set);
  const auto back = vault::OrdinalSet::Parse(AsBytes(set->Encode()));
  CHECK(back.ok() && *back == *set);
}

void ReadJournal(std::string bytes) {
  (void)vault::JournalScan::Of(AsBytes(bytes), 1);
  if (bytes.size() < vault::kJournalHeadBytes) return;
  const std::uint32_t crc = Crc32c(AsBytes(bytes).first(16));
  std::memcpy(bytes.data() + 16, &crc, sizeof crc);
  std::size_t at = vault::kJournalHeadBytes;
  while (bytes.size() - at >= vault::kJournalBatchHeadBytes) {
    const auto size = GetLe<std::uint32_t>(bytes.data() + at + 8) % 64;
    const std::size_t left = bytes.size() - at - vault::kJournalBatchHeadBytes;
    if (size > left) break;
    std::memcpy(bytes.data() + at + 8, &size, sizeof size);
    const std::uint32_t payload =
        Crc32c(AsBytes(bytes).subspan(at + vault::kJournalBatchHeadBytes, size));
    std::memcpy(bytes.data() + at + 12, &payload, sizeof payload);
    const std::uint32_t head = Crc32c(AsBytes(bytes).subspan(at + 8, 16));
    std::memcpy(bytes.data() + at + 4, &head, sizeof head);
    at += vault::kJournalBatchHeadBytes + size;
  }
  const auto scan = vault::JournalScan::Of(AsBytes(bytes), 1);
  if (!scan.ok()) return;
  CHECK(scan->good_bytes <= bytes.size());
  for (const ByteSpan batch : scan->batches) (void)vault::ParseRecords(batch);
}

void ReadFiles(std::string bytes) {
  MendEnd(bytes);
  const auto index = vault::LedgerIndex::Parse(AsBytes(bytes));
  if (index.ok()) CHECK(vault::LedgerIndex::Parse(AsBytes(index->Encode())).ok());
  (void)vault::ParseHourFile(AsBytes(bytes), kHour);
  const auto account = vault::IntakeAccount::Parse(AsBytes(bytes));
  if (account.ok()) CHECK(*vault::IntakeAccount::Parse(AsBytes(account->Encode())) == *account);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteSpan bytes(data + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      ReadSet(bytes);
      break;
    case 1: {
      const auto records = vault::ParseRecords(bytes);
      if (records.ok()) CHECK(vault::ParseRecords(AsBytes(vault::EncodeRecords(*records))).ok());
      break;
    }
    case 2:
      ReadJournal(std::string(AsText(bytes)));
      break;
    default:
      ReadFiles(std::string(AsText(bytes)));
      break;
  }
  return 0;
}
