// One shard of a worker: reads, decides, writes the journal, keeps the snapshot. Its own thread.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/counters.h"
#include "base/disk.h"
#include "base/erasure_list.h"
#include "log/streams.h"
#include "safety/config_history.h"
#include "safety/snapshot.h"
#include "safety/state.h"

namespace telltale::safety {

inline constexpr std::size_t kGroupRecordsMax = 4096;
inline constexpr std::size_t kGroupOutputBytesMax = 4u << 20;
// A mark without outputs only tells how far we are: a few a second do.
inline constexpr std::int64_t kMarkPaceUs = 50'000;
// A snapshot is due after this much log time, plus a second for each MiB of the last one (so that a
// large state is not written all the time), or after so many records.
inline constexpr std::int64_t kSnapshotEveryUs = 5 * 1'000'000ll;
inline constexpr std::uint64_t kSnapshotEveryRecords = 1'000'000;

// How often the erasure list is looked at.
inline constexpr std::int64_t kErasureLookUs = 500'000;

struct ShardOptions {
  std::string snapshot_path;  // this shard's
  std::string positions_dir;
  std::string consumer;
  std::string environment;
  SnapshotHead head;
  std::string erasure_list;  // "" = there is none
  // Folder "" = there is none: the release computes all, from the oldest record, until a record of
  // the stream says otherwise.
  ConfigHistory::Options configs = {};
};

class ShardWorker {
 public:
  // Everything passed by reference must outlive this object; `journal` is this thread's alone. The
  // clock only paces marks: no output depends on it.
  ShardWorker(ShardOptions options, const Engine& engine, log::Streams& streams,
              log::ShardWriter& journal, Disk& disk, const Clock& clock, Counters& counters);

  // Restores the snapshot and opens the stream there. Without one (or with one that cannot be
  // used): a candidate at the config record with which its rollout began, in each partition; the
  // stable and the previous release at the oldest record kept.
  //   kNotFound  the log does not exist yet, the rollout's config is not in every partition yet, or
  //              the config in force does not name the release: try again later
  //   log::IsExpired()  retention removed what follows the snapshot: this shard cannot go on
  //   else      of the erasure list: without it records of the erased would come back
  Status Open();

  struct Turn {
    bool read = false;   // more may be waiting
    bool wrote = false;  // the journal's durable end moved: wake its readers
  };
  // One group: all that is there, up to the limits above; returns with its outputs durable.
  //   kOverloaded  the disk is full: nothing is lost; wait, then call again
  //   kCorrupt     the stream is broken here: this shard cannot go on
  //   log::IsExpired()  likewise: what it wants next was removed
  //   else         the journal's or snapshot's disk failed
  Result<Turn> RunOnce();

  // Reader::WaitForMore; after Open().
  bool WaitForMore(std::chrono::milliseconds timeout) { return reader_->WaitForMore(timeout); }

  // Marks, then the snapshot, then the position that holds retention back. Nothing while a
  // partition is stopped: a newer worker must find the record that stopped it.
  Status SaveSnapshot();

  const std::map<PartitionId, PartitionState>& partitions() const { return partitions_; }
  const std::map<PartitionId, std::string>& stopped() const { return stopped_; }

 private:
  void RestoreOrStartOver();
  void StartOver();
  Status FindPlace();
  // Where the rollout began, in this shard's partitions.
  Result<log::Position> PlaceOf(const internal::v1::Rollout& rollout) const;
  Result<PartitionState*> StateFor(const log::RecordView& record);
  void StopPartition(const log::RecordView& record, const Error& error);
  void ApplyOne(const log::RecordView& record);
  // True: it is of an erased vehicle, and so only its time counts.
  bool IsErased(const log::RecordView& record) const;
  void LookAtErasures();
  void ForgetErased();
  // Appends collected outputs and a mark for every partition that moved; returns when durable.
  //   kOverloaded  not yet, the disk is full; go on with this call before anything else is read
  Status WriteJournal();
  void CloseGroup();
  Status StageJournal();
  bool SnapshotDue() const;
  void ExportCounts();

  const ShardOptions options_;
  const Engine& engine_;
  log::Streams& streams_;
  log::ShardWriter& journal_;
  Disk& disk_;
  const Clock& clock_;

  ConfigHistory history_;
  log::Position start_;
  std::unique_ptr<log::Reader> reader_;
  std::map<PartitionId, PartitionState> partitions_;
  std::map<PartitionId, std::string> stopped_;  // partition -> reason
  ErasureList erased_;                          // whoever is in it is not in partitions_
  Micros looked_at_erasures_;                   // monotonic
  bool must_forget_ = false;                    // the snapshot on disk has somebody erased

  // Since the last WriteJournal().
  struct Unwritten {
    log::BatchBuilder outputs;
    Offset below;
  };
  std::map<PartitionId, Unwritten> unwritten_;
  bool is_closed_ = false;  // `unwritten_` has its marks: nothing more goes in
  bool is_staged_ = false;  // the journal has it, but not durably yet
  std::size_t output_bytes_ = 0;
  std::vector<Output> scratch_;
  Micros marked_at_;  // monotonic

  Micros log_time_;
  Micros snapshot_log_time_;
  std::size_t snapshot_bytes_ = 0;
  std::uint64_t records_since_snapshot_ = 0;

  Counts exported_{};
  std::array<Counter*, kCounts> counters_{};
  Counter& snapshots_;
  Counter& erased_count_;
  Counter& stopped_count_;
};

}  // namespace telltale::safety
