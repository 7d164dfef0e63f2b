// A log as the doctor reads it: never written, each shard up to one commit that holds for all its
// streams, so that what is compared was there at one moment. One thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "app/doctor_report.h"
#include "log/durable_map.h"
#include "log/segment.h"

namespace telltale::app {

// Which kind of finding an error of reading is.
FindingKind KindOf(const Error& error);

class LogView {
 public:
  // Takes the durable ends of every shard; they bound what is read later.
  //   kNotFound  no log in `dir`
  //   kCorrupt, kUnsupported, kRefused
  static Result<LogView> Open(Disk& disk, const std::string& dir);

  const std::string& dir() const { return dir_; }
  const log::LogShape& shape() const { return map_.shape(); }
  // The bound of a shard; nullopt when nothing is known of it.
  const std::optional<log::DurableState>& bound(ShardId shard) const {
    return bounds_[shard.value];
  }
  std::uint64_t records_below_bound(ShardId shard) const;  // of all streams, expired ones included
  std::optional<log::StreamIndex> IndexOf(std::string_view stream) const;

  // Offsets behind the last durable record as they are now, by partition.
  Result<std::vector<Offset>> EndsNow(log::StreamIndex stream) const;

  // Where the kept part of a stream begins: its first segment and what lay before it.
  struct FirstKept {
    std::uint64_t segment = 0;  // 0: the stream has no file in this shard
    std::uint32_t head_bytes = 0;
    std::vector<log::PartitionTail> tails;  // by carried partition
    bool expired() const { return segment > 1; }
  };
  Result<FirstKept> FindFirstKept(log::StreamIndex stream, ShardId shard) const;

  // Reads and checks every kept batch below the bound. `visit` gets each record.
  //   kCorrupt  the first broken place, or fewer records than durable.map says
  using Visit = std::function<void(const log::RecordView&)>;
  Status Scan(log::StreamIndex stream, ShardId shard, const FirstKept& first,
              const Visit& visit) const;

  struct Ledger {
    std::vector<log::Log::LedgerEntry> entries;
    bool has_torn_tail = false;
  };
  //   kCorrupt, kUnsupported, kNotFound
  Result<Ledger> ReadLedger() const;

 private:
  LogView(Disk& disk, std::string dir, log::DurableMap map)
      : disk_(&disk), dir_(std::move(dir)), map_(std::move(map)) {}
  Status CheckWhole(log::StreamIndex stream, ShardId shard, const log::Position& at) const;

  Disk* disk_;
  std::string dir_;
  log::DurableMap map_;
  std::vector<std::optional<log::DurableState>> bounds_;  // by shard
};

}  // namespace telltale::app
