// What a mirror reads: the reports of a cohort, in the order of stream `telemetry`, from where the
// last run ended.
//
// Its place is in its own folder and not among the consumers' positions: a mirror never holds back
// what an environment may remove, not for an hour. One that is too late goes on with what is there
// and counts what it left out.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/cohort.h"
#include "base/counters.h"
#include "base/erasure_list.h"
#include "log/streams.h"

namespace telltale::sim {

struct MirrorReaderOptions {
  Cohort cohort;
  std::string state_dir;     // its place: <state_dir>/position/telemetry-<shard>
  std::string erasure_list;  // of the environment that is read
  // Without a place: at the oldest record kept, instead of what comes from now on.
  bool starts_at_oldest = false;
  Micros behind_max;  // records older than this (log time) are left out
};

// One thread.
class MirrorReader {
 public:
  struct Parts {
    log::Streams& streams;
    Disk& disk;
    Clock& clock;
    Counters& counters;
  };
  // `parts` must outlive it. Errors as Streams::OpenReader; a place that retention has passed is
  // none.
  static Result<std::unique_ptr<MirrorReader>> Open(Parts parts, MirrorReaderOptions options);

  // Up to `most` records of any kind; those of the cohort are given to `take`, whose error ends it.
  // How many were read; 0 = all that is there was.
  Result<std::size_t> Read(std::size_t most,
                           const std::function<Status(const log::RecordView&)>& take);
  // Everything that was durable at Open() was read.
  bool past_first_ends() const;

  std::vector<log::Position> positions() const;  // by shard
  // Only when what lies below was taken over by the other side.
  Status Save(const std::vector<log::Position>& positions);

 private:
  MirrorReader(Parts parts, MirrorReaderOptions options);
  Result<log::Position> FirstPlace(ShardId shard, const log::DurableEnd& end);
  Status OpenShard(ShardId shard, const log::Position& from);
  Result<const log::RecordView*> NextOf(ShardId shard);
  bool Wants(const log::RecordView& record);

  Parts parts_;
  const MirrorReaderOptions options_;
  ErasureList erased_;
  std::vector<std::unique_ptr<log::Reader>> readers_;  // by shard
  std::vector<log::DurableEnd> first_ends_;            // by shard
  Counter& read_;
  Counter& taken_;
  Counter& expired_;
  Counter& behind_;
  Counter& erased_count_;
};

}  // namespace telltale::sim
