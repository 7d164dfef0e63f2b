// From the stream `sealed` into the store: open, check, put. What does not open is kept aside,
// still sealed, under the same expiry.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/counters.h"
#include "log/log.h"
#include "vault/open.h"
#include "vault/store.h"

namespace telltale::vault {

// What one record asks of the store. Owner thread.
class RecordIntake {
 public:
  // `control_public` 32 bytes Ed25519, or empty: then no config record is believed.
  RecordIntake(Opener& opener, Store& store, Counters& counters, std::string control_public)
      : opener_(opener),
        store_(store),
        counters_(counters),
        control_public_(std::move(control_public)) {}

  //   kUnsupported  a record kind this build does not know: stop reading this shard
  //   other         the store refused: roll back and read again
  Result<Outcome> Handle(const log::RecordView& record);

 private:
  Result<Outcome> TakeEnvelope(const log::RecordView& record);
  Result<Outcome> KeepAside(const log::RecordView& record, Reason reason);
  void TakeConfig(const log::RecordView& record);

  Opener& opener_;
  Store& store_;
  Counters& counters_;
  const std::string control_public_;
};

struct IntakeOptions {
  std::string log_dir;
  std::string positions_dir;
  std::uint16_t shards = 1;
};

// Reads all shards of `sealed` and commits in batches. Owner thread.
class Intake {
 public:
  Intake(Disk& disk, Clock& clock, Counters& counters, RecordIntake& records, Store& store,
         IntakeOptions options);

  // Reads what is there, at most a bounded number of records, and commits when it is time. True
  // when there was something to read.
  bool Step();
  // Commits what was read. For the end and before an hour is destroyed.
  void CommitNow();
  // Of what is committed.
  const IntakeAccount& account() const { return committed_account_; }

 private:
  struct Shard {
    std::unique_ptr<log::Reader> reader;
    std::string position;  // encoded, after the last record handled
    bool stopped = false;  // damaged or newer than this build: until the next start
    Micros retry_at;       // monotonic; the disk failed and is not asked before
    Micros pause;          // the next one; 0 = the disk is well
  };
  bool ReadShard(ShardId id, Shard& shard);
  bool HandleRecords(ShardId id, Shard& shard);
  Status OpenReader(ShardId id, Shard& shard);
  void PauseShard(ShardId id, Shard& shard, const Error& why);
  void EndPause(ShardId id, Shard& shard);
  void StopShard(ShardId id, Shard& shard, const Error& why);
  void Account(const log::RecordView& record, Outcome outcome);
  void LoadAccount();
  void StepBack(const Error& why);
  void ReleasePositions();

  Disk& disk_;
  Clock& clock_;
  Counters& counters_;
  RecordIntake& records_;
  Store& store_;
  const IntakeOptions options_;
  std::vector<Shard> shards_;
  IntakeAccount account_;              // of each offset since the beginning
  IntakeAccount committed_account_;    // as the store has it
  std::vector<std::string> released_;  // what data/positions/vault says
  bool uncommitted_ = false;
  bool positions_refused_ = false;
  Micros committed_at_;
  Micros retry_at_;
};

}  // namespace telltale::vault
