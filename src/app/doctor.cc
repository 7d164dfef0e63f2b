#include "app/doctor.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "app/doctor_consumers.h"
#include "app/doctor_identities.h"
#include "app/doctor_lake.h"
#include "app/doctor_log.h"
#include "app/doctor_stores.h"
#include "app/doctor_strays.h"
#include "app/doctor_vault.h"
#include "contract/config_wire.h"
#include "gateway/streams.h"

namespace telltale::app {
namespace {

constexpr std::uint64_t kProgressEvery = 200'000;  // records

class Examination {
 public:
  // `report` may hold findings already; `lake` was read before the log was opened.
  Examination(Disk& disk, const Paths& paths, const DoctorOptions& options, LogView log,
              LakeCheck& lake, DoctorReport& report)
      : disk_(disk),
        paths_(paths),
        options_(options),
        log_(std::move(log)),
        lake_(lake),
        report_(report) {}

  void Run();

 private:
  using Visit = LogView::Visit;
  struct ShardRead {
    std::vector<LogView::FirstKept> first;  // by stream
    std::set<log::StreamIndex> unread;      // cannot be read to their end
  };

  void ExamineShard(ShardId shard);
  // One stream of a shard; false when it could not be read to its end.
  bool ReadStream(const LogView& log, log::StreamIndex stream, ShardId shard,
                  const LogView::FirstKept& first, const Visit& visit);
  ShardRead FindStarts(ShardId shard);
  Identities::Horizon HorizonOf(const LogView::FirstKept& first, ShardId shard) const;
  void ReadPass(ShardId shard, std::uint64_t pass, std::uint64_t passes, ShardRead& read);
  void SeeRecord(log::StreamIndex stream, const log::RecordView& record);
  void CompareConfigs();
  void ExamineLedger(const LogView& log);
  void ExamineJournal(const std::string& release);
  void ExamineJournals();
  bool IsBelowBound(const log::Log::LedgerEntry& entry) const;
  void SeeJournalEntry(const std::string& dir, const log::RecordView& record,
                       const std::vector<Offset>& input_ends);
  void CheckBounds(const LogView& log);
  void AddError(const std::string& where, const Error& error) {
    report_.Add(KindOf(error), {where, error.message, {}});
  }
  void CountRecord();

  Disk& disk_;
  const Paths& paths_;
  const DoctorOptions& options_;
  const LogView log_;
  LakeCheck& lake_;
  DoctorReport& report_;
  std::uint64_t records_ = 0;
  std::set<VehicleRef> vehicles_;  // with a report in the log
  // Reports that the lake has taken, and whether every one of them could be seen.
  std::uint64_t taken_ = 0;
  bool taken_is_known_ = true;
  std::map<std::pair<log::StreamIndex, PartitionId>, ConfigSeq> configs_;  // the highest
  std::set<std::pair<log::StreamIndex, ShardId>> streams_not_whole_;
};

void Examination::Run() {
  CheckBounds(log_);
  for (std::uint16_t s = 0; s < log_.shape().shards; ++s) ExamineShard(ShardId{s});
  ExamineLedger(log_);
  CompareConfigs();
  ExamineJournals();
  options_.on_progress("positions, snapshots, hand-offs");
  ConsumerCheck consumers(disk_, paths_, log_, report_);
  consumers.CheckPositions();
  consumers.CheckSnapshots();
  consumers.CheckHandoffs();
  options_.on_progress("the lake");
  lake_.CheckFiles();
  if (taken_is_known_ && lake_.taken().size() == log_.shape().partitions) {
    lake_.CompareRows(taken_);
  }
  options_.on_progress("databases and the vault");
  StoreCheck stores(disk_, paths_, log_, report_);
  stores.CheckRegistry(vehicles_);
  stores.CheckAlerts();
  VaultCheck(disk_, paths_, log_, report_).Check();
  options_.on_progress("files");
  FindStrays(disk_, paths_, report_);
}

void Examination::CheckBounds(const LogView& log) {
  for (std::uint16_t s = 0; s < log.shape().shards; ++s) {
    if (log.bound(ShardId{s})) continue;
    AddError(log.dir() + "/durable.map",
             {Code::kCorrupt, fmt::format("shard {}: neither slot is whole", s)});
  }
}

void Examination::CountRecord() {
  if (++records_ % kProgressEvery == 0) {
    options_.on_progress(fmt::format("{} records read", records_));
  }
}

bool Examination::ReadStream(const LogView& log, log::StreamIndex stream, ShardId shard,
                             const LogView::FirstKept& first, const Visit& visit) {
  const std::string where =
      fmt::format("{}/{}/shard-{}", log.dir(), log.shape().streams[stream], shard.value);
  const Status read = log.Scan(stream, shard, first, [&](const log::RecordView& record) {
    CountRecord();
    visit(record);
  });
  if (read.ok()) return true;
  const auto now = log.FindFirstKept(stream, shard);
  if (now.ok() && now->segment > first.segment) {
    report_.Add(FindingKind::kMovedOn, {where, {}, {}});
  } else {
    AddError(where, read.error());
  }
  return false;
}

Examination::ShardRead Examination::FindStarts(ShardId shard) {
  ShardRead read;
  for (log::StreamIndex stream = 0; stream < log_.shape().streams.size(); ++stream) {
    auto first = log_.FindFirstKept(stream, shard);
    if (!first.ok()) {
      AddError(
          fmt::format("{}/{}/shard-{}", paths_.log(), log_.shape().streams[stream], shard.value),
          first.error());
      read.unread.insert(stream);
    }
    read.first.push_back(first.ok() ? std::move(*first) : LogView::FirstKept{});
  }
  return read;
}

Identities::Horizon Examination::HorizonOf(const LogView::FirstKept& first, ShardId shard) const {
  Identities::Horizon horizon;
  if (!first.expired()) return horizon;
  for (std::size_t i = 0; i < first.tails.size(); ++i) {
    horizon[log::CarriedPartition(i, shard, log_.shape().shards)] = first.tails[i].log_time;
  }
  return horizon;
}

void Examination::ExamineShard(ShardId shard) {
  ShardRead read = FindStarts(shard);
  const std::uint64_t passes = 1 + log_.records_below_bound(shard) /
                                       std::max<std::uint64_t>(1, options_.records_per_pass_max);
  for (std::uint64_t pass = 0; pass < passes; ++pass) {
    options_.on_progress(fmt::format("shard {}, pass {} of {}", shard.value, pass + 1, passes));
    ReadPass(shard, pass, passes, read);
  }
}

void Examination::ReadPass(ShardId shard, std::uint64_t pass, std::uint64_t passes,
                           ShardRead& read) {
  Identities identities({.telemetry_from = HorizonOf(read.first[gateway::kTelemetry], shard),
                         .sealed_from = HorizonOf(read.first[gateway::kSealed], shard),
                         .taken_below = lake_.taken()},
                        report_);
  using See = void (Identities::*)(const log::RecordView&);
  constexpr std::array<std::pair<log::StreamIndex, See>, gateway::kStreamCount> kOrder = {{
      {gateway::kSealed, &Identities::SeeSealed},
      {gateway::kTelemetry, &Identities::SeeTelemetry},
      {gateway::kSafety, &Identities::SeeSafety},
  }};
  for (const auto& [stream, see] : kOrder) {
    if (read.unread.contains(stream)) continue;
    const Visit visit = [&, stream_index = stream, see_it = see](const log::RecordView& record) {
      if (pass == 0) SeeRecord(stream_index, record);
      if (VehicleRefHash{}(record.header.vehicle) % passes == pass) (identities.*see_it)(record);
    };
    if (!ReadStream(log_, stream, shard, read.first[stream], visit)) read.unread.insert(stream);
  }
  identities.Judge({.telemetry = !read.unread.contains(gateway::kTelemetry),
                    .sealed = !read.unread.contains(gateway::kSealed)});
  taken_ += identities.taken();
  taken_is_known_ &=
      !read.unread.contains(gateway::kTelemetry) && !read.first[gateway::kTelemetry].expired();
  for (const log::StreamIndex stream : read.unread) streams_not_whole_.emplace(stream, shard);
}

// Once for every record of the main log.
void Examination::SeeRecord(log::StreamIndex stream, const log::RecordView& record) {
  report_.Count(log_.shape().streams[stream] + " records", 1);
  if (record.header.kind == log::RecordKind::kData) vehicles_.insert(record.header.vehicle);
  if (record.header.kind != log::RecordKind::kConfig) return;
  const auto config = contract::ParseConfig(record.payload);
  if (!config.ok()) {
    AddError(fmt::format("stream {} partition {} offset {}", log_.shape().streams[stream],
                         record.partition.value, record.offset.value),
             {Code::kCorrupt, "not a config record"});
    return;
  }
  auto& highest = configs_[{stream, record.partition}];
  highest = std::max(highest, ConfigSeq{config->config_seq()});
}

// Two commits may carry one config record: a crash between them leaves the streams apart until the
// gateway's next start. The ledger knows what retention has taken away.
void Examination::CompareConfigs() {
  for (std::uint16_t p = 0; p < log_.shape().partitions; ++p) {
    std::string each;
    std::set<ConfigSeq> different;
    for (log::StreamIndex stream = 0; stream < log_.shape().streams.size(); ++stream) {
      const PartitionId partition{p};
      if (streams_not_whole_.contains({stream, log::ShardOf(partition, log_.shape().shards)})) {
        continue;
      }
      const auto found = configs_.find({stream, partition});
      const ConfigSeq seq = found == configs_.end() ? ConfigSeq{0} : found->second;
      different.insert(seq);
      each +=
          fmt::format("{}{} {}", each.empty() ? "" : ", ", log_.shape().streams[stream], seq.value);
    }
    if (different.size() < 2) continue;
    report_.Add(FindingKind::kConfigDisagrees, {fmt::format("partition {}", p), each, {}});
  }
}

void Examination::ExamineLedger(const LogView& log) {
  const std::string path = log.dir() + "/ledger";
  const auto ledger = log.ReadLedger();
  if (!ledger.ok()) {
    // Made when the log is opened for the first time, a moment after durable.map.
    if (ledger.error().code != Code::kNotFound) AddError(path, ledger.error());
    return;
  }
  report_.Count("ledger entries", ledger->entries.size());
  if (ledger->has_torn_tail) report_.Add(FindingKind::kTornTail, {path, {}, {}});
  for (log::StreamIndex stream = 0; stream < log.shape().streams.size(); ++stream) {
    const auto ends = log.EndsNow(stream);
    if (!ends.ok()) return AddError(log.dir() + "/durable.map", ends.error());
    for (const log::Log::LedgerEntry& entry : ledger->entries) {
      if (entry.stream != stream || entry.offset < (*ends)[entry.partition.value]) continue;
      report_.Add(
          FindingKind::kLedgerBeyondEnd,
          {path,
           fmt::format("config {} in stream {} partition {} at offset {}, the log ends at {}",
                       entry.config_seq.value, log.shape().streams[stream], entry.partition.value,
                       entry.offset.value, (*ends)[entry.partition.value].value),
           {}});
    }
  }
  if (&log != &log_) return;
  for (const log::Log::LedgerEntry& entry : ledger->entries) {
    const ShardId shard = log::ShardOf(entry.partition, log_.shape().shards);
    if (!log_.bound(shard) || !IsBelowBound(entry)) continue;
    auto& highest = configs_[{entry.stream, entry.partition}];
    highest = std::max(highest, entry.config_seq);
  }
}

// The ledger is read after the streams: what came later says nothing of them.
bool Examination::IsBelowBound(const log::Log::LedgerEntry& entry) const {
  const ShardId shard = log::ShardOf(entry.partition, log_.shape().shards);
  const std::size_t carried = log::CarriedBy(shard, log_.shape());
  const std::size_t index = log::CarriedIndex(entry.partition, log_.shape().shards);
  return entry.offset < log_.bound(shard)->next[entry.stream * carried + index];
}

void Examination::ExamineJournals() {
  const auto releases = disk_.List(paths_.journal());
  if (!releases.ok()) {
    if (releases.error().code != Code::kNotFound) AddError(paths_.journal(), releases.error());
    return;
  }
  for (const std::string& release : *releases) ExamineJournal(release);
}

void Examination::ExamineJournal(const std::string& release) {
  const std::string dir = paths_.journal() + "/" + release;
  const auto journal = LogView::Open(disk_, dir);
  if (!journal.ok()) {
    // No log there (yet): the strays tell what else it is.
    if (journal.error().code != Code::kNotFound) AddError(dir, journal.error());
    return;
  }
  options_.on_progress("journal " + release.substr(0, 8));
  CheckBounds(*journal);
  ExamineLedger(*journal);
  // Taken after the journal's own bound: what it says by then has its input below these.
  const auto input_ends = log_.EndsNow(gateway::kSafety);
  if (!input_ends.ok()) return AddError(log_.dir() + "/durable.map", input_ends.error());
  for (std::uint16_t s = 0; s < journal->shape().shards; ++s) {
    const auto first = journal->FindFirstKept(0, ShardId{s});
    if (!first.ok()) {
      AddError(dir, first.error());
      continue;
    }
    const Visit visit = [&](const log::RecordView& record) {
      SeeJournalEntry(dir, record, *input_ends);
    };
    (void)ReadStream(*journal, 0, ShardId{s}, *first, visit);
  }
}

void Examination::SeeJournalEntry(const std::string& dir, const log::RecordView& record,
                                  const std::vector<Offset>& input_ends) {
  report_.Count("journal records", 1);
  const std::string where =
      fmt::format("{} partition {} record {}", dir, record.partition.value, record.offset.value);
  internal::v1::JournalEntry entry;
  if (!entry.ParseFromArray(record.payload.data(), static_cast<int>(record.payload.size()))) {
    return AddError(where, {Code::kCorrupt, "not a journal entry"});
  }
  const std::uint64_t end =
      record.partition.value < input_ends.size() ? input_ends[record.partition.value].value : 0;
  if (entry.has_output() && entry.output().input_offset() >= end) {
    report_.Add(FindingKind::kJournalBeyondEnd,
                {where,
                 fmt::format("an output of offset {} in safety, which ends at {}",
                             entry.output().input_offset(), end),
                 {}});
  } else if (entry.has_progress() && entry.progress().below_offset() > end) {
    report_.Add(FindingKind::kJournalBeyondEnd,
                {where,
                 fmt::format("a mark at offset {} in safety, which ends at {}",
                             entry.progress().below_offset(), end),
                 {}});
  }
}

}  // namespace

Result<DoctorReport> Examine(Disk& disk, const Paths& paths, const DoctorOptions& options) {
  DoctorReport report;
  LakeCheck lake(disk, paths, report);
  lake.Read();
  ASSIGN_OR_RETURN(LogView log, LogView::Open(disk, paths.log()));
  if (log.shape().streams != gateway::StreamNames()) {
    return Error{Code::kUnsupported, paths.log() + " has other streams than the gateway writes"};
  }
  Examination(disk, paths, options, std::move(log), lake, report).Run();
  return report;
}

}  // namespace telltale::app
