// lake/ - the wide, slower path: stream `telemetry` into Parquet files and hand-offs.
//   in      records of stream `telemetry`, all shards; the contract in force, by config records
//   out     <data>/lake/warehouse/**.parquet and <data>/lake/handoff/<n>.json, for the committer
//   owns    both of these; <data>/positions/lake
//   thread  one
//   not here: Iceberg metadata (python/telltale_lake); what a field means (contract/)
//
// A program of its own, `telltale-lake`: the only place that links Arrow, whose wheel exports an
// OpenSSL of its own, so nothing linked here may use TLS.
// Exactly once: rows, arrivals and state of the offsets [from, to) become real together, when the
// numbered hand-off file does. After a crash the lake resumes from its newest hand-off.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/counters.h"
#include "base/disk.h"
#include "base/file_lock.h"
#include "lake/erased.h"
#include "lake/handoff.h"
#include "lake/intake.h"
#include "lake/row_buffer.h"
#include "lake/shadow_run.h"
#include "lake/table_builder.h"
#include "log/log.h"

namespace telltale::lake {

struct LakeOptions {
  std::string lake_folder;       // data/lake
  std::string contracts_folder;  // data/contracts
  std::string positions_folder;  // data/positions
  std::string erased_list;       // data/erased/list
  std::uint16_t partitions = kPartitionsDefault;
  std::uint16_t shards = kShardsDefault;
  Micros cadence = Micros::Seconds(60);
  // A hand-off is cut early at either.
  std::size_t rows_max = 500'000;
  std::size_t bytes_max = 256u << 20;
  // Set: not the lake of the installation, but a candidate's rows from the oldest record kept on.
  // The folders of lake and positions are then of this run alone.
  std::optional<ShadowRun> shadow;
};

class Lake {
 public:
  // Opens a shard of stream `telemetry` at a position.
  using OpenReader =
      std::function<Result<std::unique_ptr<log::Reader>>(ShardId, const log::Position&)>;

  // Resumes from the newest hand-off and removes what a crash left; one Lake per folder at a time.
  // `disk`, `clock` and `counters` must outlive it.
  //   kNotFound     there is no log yet
  //   kUnavailable  another process has the folder, or the disk failed
  //   kCorrupt, kUnsupported, kInvalid  hand-off, state or log: needs a person
  // A shard whose next records retention removed (log::IsExpired) is stopped; the others go on.
  static Result<std::unique_ptr<Lake>> Open(Disk& disk, Clock& clock, Counters& counters,
                                            LakeOptions options, const OpenReader& open);

  // Reads a slice of each shard; cuts a hand-off when one is due, or somebody was erased. True when
  // there was something to read. On an error the process is to end: what is not in a hand-off is
  // read again.
  Result<bool> Step();
  // Writes a hand-off of what was read, if the position moved.
  Status Cut();

  std::uint64_t newest_handoff() const { return number_; }

 private:
  Lake(Disk& disk, Clock& clock, Counters& counters, LakeOptions options);
  Status Resume();
  // The candidate's contract and release stand before any config record is met.
  Status BeginShadow();
  Status OpenReaders(const OpenReader& open);
  Result<bool> ReadShard(std::uint16_t shard);
  void StopShard(std::uint16_t shard, const Error& why);
  const log::Position& PositionOf(std::uint16_t shard) const;
  Status See(const log::RecordView& record);
  Status SeeConfig(const log::RecordView& record);
  Status LoadContract(const PartitionConfig& config);
  // Of the partitions' configs the one with the highest contract.
  const PartitionConfig& Widest();
  bool HasMoved() const;
  bool HasConfig() const { return newest_.config_seq != 0 || options_.shadow.has_value(); }
  // Drops what is held of vehicles that the list of erased ones newly names.
  Status HeedErased();
  Status WriteTelemetry(std::uint64_t number, HandoffTable& table);
  Status WriteArrivals(std::uint64_t number, const ArrivalDeltas& deltas, HandoffTable& table);
  Status WriteCoverage(std::uint64_t number, const Coverage& coverage, HandoffTable& table);
  Status WriteFile(std::uint64_t number, HandoffTable& table, TableBuilder& builder,
                   std::int32_t day, std::int32_t bucket);
  Status WriteHandoff(Handoff& handoff);
  std::string handoff_folder() const { return options_.lake_folder + "/handoff"; }

  Disk& disk_;
  Clock& clock_;
  Counters& counters_;
  LakeOptions options_;
  std::unique_ptr<FileLock> lock_;
  Erased erased_;
  std::uint64_t erased_told_ = 0;  // lines that the newest hand-off heeds
  Intake intake_;
  RowBuffer buffer_;
  std::vector<std::unique_ptr<log::Reader>> readers_;  // by shard; null: could not be opened
  std::vector<bool> stopped_;             // by shard: its stream is broken at the reader's position
  std::vector<log::Position> positions_;  // by shard, of the newest hand-off
  std::vector<Offset> from_;              // by partition
  std::uint64_t number_ = 0;
  Micros cut_at_;                // monotonic, of the last hand-off
  PartitionConfig newest_;       // the config with the highest number that any partition met
  std::string columns_digest_;   // of the contract that columns_ is of
  std::vector<Column> columns_;  // of the newest contract in force
  std::vector<Column> arrivals_columns_;
  std::vector<Column> coverage_columns_;
  std::unique_ptr<TableBuilder> telemetry_builder_;
  std::unique_ptr<TableBuilder> arrivals_builder_;
  std::unique_ptr<TableBuilder> coverage_builder_;
  std::uint64_t records_ = 0;  // since the last hand-off
  Counter& rows_total_;
  Counter& files_total_;
  Counter& shards_stopped_;
  Counter& shards_expired_;
  Counter& handoffs_total_;
  Counter& coverage_shared_;
};

}  // namespace telltale::lake
