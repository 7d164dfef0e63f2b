#include "safety/shard_worker.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <functional>

#include "safety/output.h"

namespace telltale::safety {

ShardWorker::ShardWorker(ShardOptions options, const Engine& engine, log::Streams& streams,
                         log::ShardWriter& journal, Disk& disk, const Clock& clock,
                         Counters& counters)
    : options_(std::move(options)),
      engine_(engine),
      streams_(streams),
      journal_(journal),
      disk_(disk),
      clock_(clock),
      history_(disk, streams, options_.configs),
      erased_(disk, options_.erasure_list),
      counters_{&counters.Get("safety_records_total"),
                &counters.Get("safety_evaluable_total"),
                &counters.Drops("safety", Reason::kDuplicate),
                &counters.Drops("safety", Reason::kSeqConflict),
                &counters.Drops("safety", Reason::kOutOfOrderNotEvaluated),
                &counters.Get("safety_past_horizon_total"),
                &counters.Drops("safety", Reason::kReportMalformed),
                &counters.Drops("safety", Reason::kOutOfRange),
                &counters.Get("episodes_opened_total"),
                &counters.Get("episodes_closed_total"),
                &counters.Get("safety_outside_lots_total")},
      snapshots_(counters.Get("snapshots_total")),
      erased_count_(counters.Drops("safety", Reason::kErased)),
      stopped_count_(counters.Get("partitions_stopped")) {}

void ShardWorker::StartOver() {
  start_ = {};  // not offset 0: retention may have removed it
  partitions_.clear();
  snapshot_bytes_ = 0;
  log_time_ = snapshot_log_time_ = {};
}

void ShardWorker::RestoreOrStartOver() {
  StartOver();
  auto bytes = ReadWholeFile(disk_, options_.snapshot_path, std::uint64_t{4} << 30);
  if (!bytes.ok()) {
    if (bytes.error().code != Code::kNotFound) {
      spdlog::warn("shard {}: {}; replaying from the oldest record", options_.head.shard,
                   bytes.error().ToString());
    }
    return;
  }
  auto snapshot = DecodeSnapshot(AsBytes(*bytes), options_.head);
  if (!snapshot.ok()) {
    // Outputs keep their names, so replaying everything doubles nothing.
    spdlog::warn("shard {}: {}; replaying from the oldest record", options_.head.shard,
                 snapshot.error().ToString());
    return;
  }
  start_ = snapshot->position;
  partitions_ = std::move(snapshot->partitions);
  snapshot_bytes_ = bytes->size();
  for (const auto& [id, state] : partitions_) log_time_ = std::max(log_time_, state.log_time);
  snapshot_log_time_ = log_time_;
}

Status ShardWorker::FindPlace() {
  if (options_.configs.folder.empty()) return Ok();
  RETURN_IF_ERROR(history_.ReadLedger());
  const auto newest = history_.Newest();
  const bool is_restored = !start_.next.empty();
  if (!newest.ok()) return is_restored ? Ok() : Status(newest.error());
  const std::string& release = options_.head.release;
  if (newest->stable_release() == release || newest->previous_release() == release) return Ok();
  if (!newest->has_rollout() || newest->rollout().candidate() != release) {
    if (is_restored) return Ok();
    return Error{Code::kNotFound, "the config in force does not name this release"};
  }
  ASSIGN_OR_RETURN(log::Position place, PlaceOf(newest->rollout()));
  if (is_restored &&
      std::equal(place.next.begin(), place.next.end(), start_.next.begin(), std::less_equal<>{})) {
    return Ok();
  }
  // A snapshot of an earlier rollout is nothing to go on from: what follows it may be gone.
  StartOver();
  start_ = std::move(place);
  return Ok();
}

Result<log::Position> ShardWorker::PlaceOf(const internal::v1::Rollout& rollout) const {
  log::Position place;
  place.next.resize(options_.head.partitions);
  for (std::size_t p = options_.head.shard; p < place.next.size(); p += options_.head.shards) {
    const PartitionId partition{static_cast<std::uint16_t>(p)};
    const auto offset = history_.PlaceOf(partition, ConfigSeq{rollout.began_config_seq()});
    if (!offset) {
      return Error{Code::kNotFound, "config record " + std::to_string(rollout.began_config_seq()) +
                                        ", with which the rollout began, is not in partition " +
                                        std::to_string(p) + " yet"};
    }
    place.next[p] = *offset;
  }
  return place;
}

Status ShardWorker::Open() {
  RestoreOrStartOver();
  RETURN_IF_ERROR(FindPlace());
  if (!options_.erasure_list.empty()) {
    ASSIGN_OR_RETURN([[maybe_unused]] const bool grown, erased_.Refresh());
    ForgetErased();
    looked_at_erasures_ = clock_.NowMonotonic();
  }
  ASSIGN_OR_RETURN(reader_, streams_.OpenReader("safety", ShardId{options_.head.shard}, start_));
  ExportCounts();
  return Ok();
}

bool ShardWorker::IsErased(const log::RecordView& record) const {
  if (erased_.empty() || record.header.kind != log::RecordKind::kData) return false;
  // Known vehicles are not erased: a look here spares a digest for each record.
  const auto partition = partitions_.find(record.partition);
  if (partition != partitions_.end() &&
      partition->second.vehicles.contains(record.header.vehicle)) {
    return false;
  }
  return erased_.Contains(record.header.vehicle);
}

void ShardWorker::ForgetErased() {
  for (auto& [id, state] : partitions_) {
    const std::size_t gone = std::erase_if(
        state.vehicles, [this](const auto& vehicle) { return erased_.Contains(vehicle.first); });
    must_forget_ = must_forget_ || gone > 0;
  }
}

void ShardWorker::LookAtErasures() {
  if (options_.erasure_list.empty()) return;
  const Micros now = clock_.NowMonotonic();
  if (now - looked_at_erasures_ < Micros{kErasureLookUs}) return;
  looked_at_erasures_ = now;
  const auto grown = erased_.Refresh();
  if (!grown.ok()) {
    spdlog::warn("shard {}: {}", options_.head.shard, grown.error().ToString());
  } else if (*grown) {
    ForgetErased();
  }
}

// Of a partition that is read for the first time, under the config in force there.
Result<PartitionState*> ShardWorker::StateFor(const log::RecordView& record) {
  const auto known = partitions_.find(record.partition);
  if (known != partitions_.end()) return &known->second;
  PartitionState state;
  if (!options_.configs.folder.empty()) {
    ASSIGN_OR_RETURN(const auto config, history_.Before(record.partition, record.offset));
    if (config) BeginUnder(engine_, *config, record.log_time, state);
  }
  return &partitions_.emplace(record.partition, std::move(state)).first->second;
}

void ShardWorker::StopPartition(const log::RecordView& record, const Error& error) {
  spdlog::error("partition {} stopped at offset {}: {}", record.partition.value,
                record.offset.value, error.ToString());
  stopped_.emplace(record.partition, error.message);
  stopped_count_.Add();
}

void ShardWorker::ApplyOne(const log::RecordView& record) {
  if (stopped_.contains(record.partition)) return;
  const auto state = StateFor(record);
  if (!state.ok()) return StopPartition(record, state.error());
  log::RecordView timed = record;
  if (IsErased(record)) {
    timed.header.kind = log::RecordKind::kTick;
    erased_count_.Add();
  }
  if (const Status applied = Apply(engine_, timed, **state, scratch_); !applied.ok()) {
    return StopPartition(record, applied.error());
  }
  log_time_ = std::max(log_time_, record.log_time);
  const auto [at, added] = unwritten_.try_emplace(record.partition);
  if (added) at->second.outputs.Clear(record.partition);
  at->second.below = Offset{record.offset.value + 1};
  for (const Output& output : scratch_) {
    const std::string entry =
        EncodeOutput(options_.environment, engine_.set.rules[output.rule], record, output);
    log::RecordHeader header = record.header;
    header.kind = log::RecordKind::kData;
    header.flags = 0;
    header.reason = 0;
    at->second.outputs.Add(header, record.firmware, AsBytes(entry));
    output_bytes_ += entry.size();
  }
}

Status ShardWorker::WriteJournal() {
  if (unwritten_.empty()) return Ok();
  if (!is_closed_) CloseGroup();
  if (!is_staged_) RETURN_IF_ERROR(StageJournal());
  RETURN_IF_ERROR(journal_.SyncNow());
  is_closed_ = is_staged_ = false;
  unwritten_.clear();
  output_bytes_ = 0;
  marked_at_ = clock_.NowMonotonic();
  return Ok();
}

void ShardWorker::CloseGroup() {
  for (auto& [partition, unwritten] : unwritten_) {
    const std::string mark = EncodeProgress(partition, unwritten.below, partitions_.at(partition));
    unwritten.outputs.Add(log::RecordHeader{}, "", AsBytes(mark));
  }
  is_closed_ = true;
}

Status ShardWorker::StageJournal() {
  std::vector<log::ShardWriter::Staged> staged;
  staged.reserve(unwritten_.size());
  for (auto& [partition, unwritten] : unwritten_) {
    staged.push_back({.stream = 0, .batch = &unwritten.outputs});
  }
  auto appended = journal_.Append(staged);
  if (!appended.ok() && appended.error().code == Code::kOverloaded) {
    RETURN_IF_ERROR(journal_.SyncNow());
    appended = journal_.Append(staged);
  }
  if (!appended.ok()) return Annotate(appended.error(), "appending to the output journal");
  is_staged_ = true;
  return Ok();
}

Result<ShardWorker::Turn> ShardWorker::RunOnce() {
  Turn turn;
  LookAtErasures();
  if (is_closed_) {
    RETURN_IF_ERROR(WriteJournal());
    turn.wrote = true;
  }
  for (std::size_t n = 0; n < kGroupRecordsMax && output_bytes_ < kGroupOutputBytesMax; ++n) {
    const auto next = reader_->Next();
    if (!next.ok()) {
      // What lies before the broken place counts: its outputs are written before we stop.
      RETURN_IF_ERROR(WriteJournal());
      return next.error();
    }
    const log::RecordView* const record = *next;
    if (record == nullptr) break;
    ApplyOne(*record);
    ++records_since_snapshot_;
    turn.read = true;
  }
  const bool pace = clock_.NowMonotonic() - marked_at_ >= Micros{kMarkPaceUs};
  if (!unwritten_.empty() && (output_bytes_ > 0 || pace)) {
    RETURN_IF_ERROR(WriteJournal());
    turn.wrote = true;
  }
  if (turn.read) ExportCounts();
  if (SnapshotDue()) {
    turn.wrote = true;
    RETURN_IF_ERROR(SaveSnapshot());
  }
  return turn;
}

bool ShardWorker::SnapshotDue() const {
  if (must_forget_ && stopped_.empty()) return true;
  if (!stopped_.empty() || records_since_snapshot_ == 0) return false;
  const auto mebibytes = static_cast<std::int64_t>(snapshot_bytes_ >> 20);
  const Micros interval = Micros{kSnapshotEveryUs} + Micros::Seconds(mebibytes);
  return log_time_ - snapshot_log_time_ >= interval ||
         records_since_snapshot_ >= kSnapshotEveryRecords;
}

Status ShardWorker::SaveSnapshot() {
  if (!stopped_.empty() || reader_ == nullptr) return Ok();
  RETURN_IF_ERROR(WriteJournal());
  const std::string file = EncodeSnapshot(options_.head, reader_->position(), partitions_);
  RETURN_IF_ERROR(WriteFileDurably(disk_, options_.snapshot_path, file));
  snapshot_bytes_ = file.size();
  snapshot_log_time_ = log_time_;
  records_since_snapshot_ = 0;
  must_forget_ = false;
  snapshots_.Add();
  return log::SavePosition(disk_, options_.positions_dir, options_.consumer, "safety",
                           ShardId{options_.head.shard}, reader_->position());
}

void ShardWorker::ExportCounts() {
  Counts sum{};
  for (const auto& [id, state] : partitions_) {
    for (std::size_t n = 0; n < kCounts; ++n) sum[n] += state.counts[n];
  }
  for (std::size_t n = 0; n < kCounts; ++n) counters_[n]->Add(sum[n] - exported_[n]);
  exported_ = sum;
}

}  // namespace telltale::safety
