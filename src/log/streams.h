// Where an installation's three streams (safety, telemetry, sealed) live: segments on this machine
// here, or Kafka (log/kafka/). Who uses the streams is given an object of this and does not choose;
// log_contract_test.cc holds both to one behaviour. Journals are always files.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "log/log.h"

namespace telltale {
struct Config;
struct Paths;
}  // namespace telltale

namespace telltale::log {

// Any thread may call; what is handed out keeps its own rules.
class Streams {
 public:
  virtual ~Streams() = default;

  // For the one process that writes. `options.dir` is not looked at. Errors as Log::Open.
  virtual Result<std::unique_ptr<Log>> Open(LogOptions options) = 0;
  // As Reader::Open.
  virtual Result<std::unique_ptr<Reader>> OpenReader(const std::string& stream, ShardId shard,
                                                     const Position& from) = 0;
  virtual Result<LogShape> Describe() = 0;                                      // as DescribeLog
  virtual Result<std::vector<DurableEnd>> Ends(const std::string& stream) = 0;  // as DurableEnds
  // What the owner's Log::ledger() had durably a moment ago, oldest first; it outlives retention.
  //   kNotFound  the log does not exist yet; kCorrupt, kUnsupported
  virtual Result<std::vector<Log::LedgerEntry>> Ledger() = 0;
  virtual Result<RetentionReport> Retention(const RetentionOptions& options,
                                            Micros now_log_time) = 0;  // as Retain
};

// Those of the log in `dir`. `disk` must outlive it.
std::unique_ptr<Streams> StreamsOnFiles(Disk& disk, std::string dir);

// Gives the streams that `config` names (log.backend). The programs that may talk to Kafka pass
// kafka::OpenStreams; nobody else is linked with it.
using OpenStreams = Result<std::unique_ptr<Streams>> (*)(Disk& disk, const Config& config,
                                                         const Paths& paths);

}  // namespace telltale::log
