// Which config is in force where in the stream `safety`, from what the log's owner keeps: for a
// worker that does not read a partition from its first record.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/disk.h"
#include "internal/v1/internal.pb.h"
#include "log/streams.h"

namespace telltale::safety {

// One thread.
class ConfigHistory {
 public:
  struct Options {
    std::string folder;          // of the kept config records
    std::string control_public;  // 32 raw bytes
  };
  ConfigHistory(Disk& disk, log::Streams& streams, Options options)
      : disk_(disk), streams_(streams), options_(std::move(options)) {}

  //   kNotFound  there is no log yet
  Status ReadLedger();

  //   kNotFound  none was ever in force
  //   kRefused   it is not signed by control
  //   kCorrupt   it is no config record
  Result<internal::v1::ConfigRecord> Newest() const;
  // The offset of the record of `config_seq`, by the ledger as last read.
  std::optional<Offset> PlaceOf(PartitionId partition, ConfigSeq config_seq) const;
  // The one in force just before `offset`; nullopt: none, by the ledger. Errors as of Newest().
  Result<std::optional<internal::v1::ConfigRecord>> Before(PartitionId partition,
                                                           Offset offset) const;

 private:
  Result<internal::v1::ConfigRecord> Read(ConfigSeq config_seq) const;

  Disk& disk_;
  log::Streams& streams_;
  const Options options_;
  std::vector<log::Log::LedgerEntry> entries_;  // of `safety`
};

}  // namespace telltale::safety
