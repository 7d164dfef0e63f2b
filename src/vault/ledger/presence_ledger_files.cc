// The ledger's files: opening, folding, forgetting.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "vault/ledger/presence_ledger.h"

namespace telltale::vault {
namespace {

constexpr std::string_view kJournalName = "journal-";
constexpr std::string_view kDamaged = ".damaged";
constexpr std::uint64_t kFileBytesMax = 1ull << 30;
constexpr std::int64_t kDayUs = 24 * kHourUs;

// The number in "journal-<20 digits>", 0 for any other name.
std::uint64_t JournalNumber(std::string_view name) {
  if (!name.starts_with(kJournalName)) return 0;
  name.remove_prefix(kJournalName.size());
  std::uint64_t number = 0;
  const auto read = std::from_chars(name.data(), name.data() + name.size(), number);
  return read.ec == std::errc{} && read.ptr == name.data() + name.size() ? number : 0;
}

std::string HourName(const HourKeyId& id) {
  return fmt::format("{}-{}", NameOf(id.retention_class), id.hour.value);
}

}  // namespace

std::string PresenceLedger::HourPath(const HourKeyId& id) const {
  return options_.folder + "/hours/" + HourName(id);
}

std::string PresenceLedger::JournalPath(std::uint64_t number) const {
  return fmt::format("{}/{}{:020}", options_.folder, kJournalName, number);
}

Result<std::unique_ptr<PresenceLedger>> PresenceLedger::Open(Disk& disk, Micros now,
                                                             PresenceLedgerOptions options) {
  std::unique_ptr<PresenceLedger> ledger(new PresenceLedger(disk, std::move(options)));
  MutexLock lock(ledger->mutex_);
  const std::string& folder = ledger->options_.folder;
  RETURN_IF_ERROR(disk.MakeFolders(folder + "/hours", 0700));
  RETURN_IF_ERROR(disk.SyncFolder(folder));
  RETURN_IF_ERROR(disk.SyncFolder(ParentFolder(folder)));
  ledger->fold_at_bytes_ = ledger->options_.journal_bytes_max;
  ledger->last_now_ = now;
  RETURN_IF_ERROR(ledger->ReadDamaged());
  RETURN_IF_ERROR(ledger->ReadIndex(now));
  RETURN_IF_ERROR(ledger->ReadJournals());
  RETURN_IF_ERROR(ledger->RemoveLeftovers());
  if (!ledger->index_read_) RETURN_IF_ERROR(ledger->FoldLocked(now));
  return ledger;
}

Status PresenceLedger::ReadDamaged() {
  for (const std::string& folder : {options_.folder, options_.folder + "/hours"}) {
    ASSIGN_OR_RETURN(const auto names, disk_.List(folder));
    for (const std::string& name : names) {
      if (name.ends_with(kDamaged)) damaged_.push_back(name);
    }
  }
  return Ok();
}

// A copy beside it, so that the trace outlives the file. The first copy stays.
Status PresenceLedger::PutAside(const std::string& path, std::string_view content) {
  const std::string aside = path + std::string(kDamaged);
  if (!disk_.Exists(aside)) RETURN_IF_ERROR(WriteFileDurably(disk_, aside, content, 0600));
  const std::string name = aside.substr(aside.rfind('/') + 1);
  if (std::find(damaged_.begin(), damaged_.end(), name) == damaged_.end()) {
    damaged_.push_back(name);
  }
  return Ok();
}

Status PresenceLedger::ReadIndex(Micros now) {
  begun_at_ = now;
  const std::string path = options_.folder + "/index";
  if (!disk_.Exists(path)) return Ok();
  ASSIGN_OR_RETURN(const std::string bytes, ReadWholeFile(disk_, path, kFileBytesMax));
  Result<LedgerIndex> index = LedgerIndex::Parse(AsBytes(bytes));
  if (!index.ok() && index.error().code == Code::kUnsupported) return index.error();
  if (!index.ok()) return PutAside(path, bytes);
  index_read_ = true;
  begun_at_ = index->begun_at;
  pruned_before_ = index->pruned_before;
  folded_through_ = index->folded_through;
  for (HourState& hour : index->hours) {
    const HourKeyId id = hour.id;
    entries_[id].state = std::move(hour);
  }
  windows_ = std::move(index->windows);
  holds_ = std::move(index->holds);
  erasures_ = std::move(index->erasures);
  for (const Erasure& erasure : erasures_) erased_.Add(Ordinal{erasure.ordinal});
  return Ok();
}

Status PresenceLedger::ReadJournals() {
  ASSIGN_OR_RETURN(const auto names, disk_.List(options_.folder));
  std::set<std::uint64_t> numbers;
  for (const std::string& name : names) {
    const std::uint64_t number = JournalNumber(name);
    if (number == 0) continue;
    if (number > folded_through_) {
      numbers.insert(number);
    } else {
      RETURN_IF_ERROR(disk_.Remove(options_.folder + "/" + name));
    }
  }
  // The index is written after the journal that follows what it holds: one is always there.
  std::uint64_t expected = folded_through_ + 1;
  if (index_read_ && numbers.empty()) RETURN_IF_ERROR(PutAside(JournalPath(expected), ""));
  for (const std::uint64_t number : numbers) {
    if (index_read_ && number != expected) {
      RETURN_IF_ERROR(PutAside(JournalPath(expected), ""));
    }
    expected = number + 1;
    RETURN_IF_ERROR(ReadJournal(number, number == *numbers.rbegin()));
  }
  if (journal_ != nullptr) return Ok();
  ASSIGN_OR_RETURN(journal_, LedgerJournal::Create(disk_, JournalPath(expected), expected));
  return Ok();
}

Status PresenceLedger::ReadJournal(std::uint64_t number, bool last) {
  const std::string path = JournalPath(number);
  ASSIGN_OR_RETURN(const std::string bytes, ReadWholeFile(disk_, path, kFileBytesMax));
  const Result<JournalScan> scan = JournalScan::Of(AsBytes(bytes), number);
  if (!scan.ok()) {
    if (scan.error().code == Code::kUnsupported) return scan.error();
    return PutAside(path, bytes);
  }
  bool damaged = scan->damaged || (!last && scan->good_bytes != bytes.size());
  for (const ByteSpan batch : scan->batches) {
    const auto records = ParseRecords(batch);
    damaged = damaged || !records.ok();
    if (!records.ok()) break;
    for (const LedgerRecord& record : *records) RETURN_IF_ERROR(Apply(record));
  }
  // A damaged one is not written to any more; its good part goes into the index with the next fold.
  if (damaged) return PutAside(path, bytes);
  if (!last) return Ok();
  ASSIGN_OR_RETURN(journal_, LedgerJournal::Continue(disk_, path, number, *scan));
  return Ok();
}

// Hour files that were forgotten, but for a power cut. Never while something is damaged: they may
// be all that is left.
Status PresenceLedger::RemoveLeftovers() {
  if (!index_read_ || !damaged_.empty()) return Ok();
  std::set<std::string> known;
  for (const auto& [id, entry] : entries_) known.insert(HourName(id));
  ASSIGN_OR_RETURN(const auto names, disk_.List(options_.folder + "/hours"));
  for (const std::string& name : names) {
    if (!known.contains(name)) RETURN_IF_ERROR(disk_.Remove(options_.folder + "/hours/" + name));
  }
  return Ok();
}

Status PresenceLedger::Load(Entry& entry) {
  if (entry.vehicles.has_value()) return Ok();
  const std::string path = HourPath(entry.state.id);
  OrdinalSet vehicles;
  if (disk_.Exists(path)) {
    ASSIGN_OR_RETURN(const std::string bytes, ReadWholeFile(disk_, path));
    Result<OrdinalSet> parsed = ParseHourFile(AsBytes(bytes), entry.state.id);
    if (!parsed.ok() && parsed.error().code == Code::kUnsupported) return parsed.error();
    if (parsed.ok()) {
      vehicles = std::move(parsed).value();
    } else {
      RETURN_IF_ERROR(PutAside(path, bytes));
      RETURN_IF_ERROR(disk_.Remove(path));
    }
  } else if (entry.state.vehicles > 0) {
    // Not written yet is no damage: then the journal brings them, and this number with them.
    RETURN_IF_ERROR(PutAside(path, ""));
  }
  entry.vehicles = std::move(vehicles);
  ++hot_;
  return Ok();
}

Status PresenceLedger::Fold(Micros now) {
  MutexLock lock(mutex_);
  return FoldLocked(now);
}

Status PresenceLedger::FoldLocked(Micros now) {
  if (!journal_->empty()) {
    RETURN_IF_ERROR(journal_->Settle());
    const std::uint64_t next = journal_->number() + 1;
    ASSIGN_OR_RETURN(journal_, LedgerJournal::Create(disk_, JournalPath(next), next));
  }
  for (auto& [id, entry] : entries_) {
    if (!entry.dirty) continue;
    RETURN_IF_ERROR(
        WriteFileDurably(disk_, HourPath(id), EncodeHourFile(id, *entry.vehicles), 0600));
    entry.dirty = false;
  }
  Prune(now);
  folded_through_ = journal_->number() - 1;
  RETURN_IF_ERROR(WriteFileDurably(disk_, options_.folder + "/index", IndexNow().Encode(), 0600));
  index_read_ = true;
  Evict();
  ASSIGN_OR_RETURN(const auto names, disk_.List(options_.folder));
  for (const std::string& name : names) {
    const std::uint64_t number = JournalNumber(name);
    if (number != 0 && number <= folded_through_) {
      RETURN_IF_ERROR(disk_.Remove(options_.folder + "/" + name));
    }
  }
  RETURN_IF_ERROR(RemoveLeftovers());
  fold_at_bytes_ = options_.journal_bytes_max;
  return Ok();
}

void PresenceLedger::Prune(Micros now) {
  const Micros before = now - Micros{std::int64_t{options_.days} * kDayUs};
  if (before <= pruned_before_) return;
  for (auto at = entries_.begin(); at != entries_.end();) {
    const Life& life = at->second.state.lives.back();
    const bool old = life.dropped && life.dropped_at < before && !pending_.contains(at->first);
    if (old && at->second.vehicles.has_value()) --hot_;
    at = old ? entries_.erase(at) : std::next(at);
  }
  std::erase_if(
      holds_, [&](const auto& one) { return one.second.lifted && one.second.lifted_at < before; });
  if (before > begun_at_) pruned_before_ = before;
}

// Clean hours leave memory unless the journal before this one still wrote to them.
void PresenceLedger::Evict() {
  const bool many = hot_ > options_.hot_hours_max / 2;
  for (auto& [id, entry] : entries_) {
    if (!entry.vehicles.has_value() || entry.dirty || pending_.contains(id)) continue;
    if (!many && entry.state.live() && entry.touched + 1 >= journal_->number()) continue;
    entry.vehicles.reset();
    --hot_;
  }
}

LedgerIndex PresenceLedger::IndexNow() const {
  LedgerIndex index;
  index.begun_at = begun_at_;
  index.pruned_before = pruned_before_;
  index.folded_through = folded_through_;
  index.hours.reserve(entries_.size());
  for (const auto& [id, entry] : entries_) index.hours.push_back(entry.state);
  index.windows = windows_;
  index.holds = holds_;
  index.erasures = erasures_;
  return index;
}

}  // namespace telltale::vault
