#include "log/streams.h"

#include <utility>

#include "log/ledger.h"

namespace telltale::log {
namespace {

class FileStreams final : public Streams {
 public:
  FileStreams(Disk& disk, std::string dir) : disk_(disk), dir_(std::move(dir)) {}

  Result<std::unique_ptr<Log>> Open(LogOptions options) override {
    options.dir = dir_;
    return Log::Open(disk_, std::move(options));
  }
  Result<std::unique_ptr<Reader>> OpenReader(const std::string& stream, ShardId shard,
                                             const Position& from) override {
    return Reader::Open(disk_, dir_, stream, shard, from);
  }
  Result<LogShape> Describe() override { return DescribeLog(disk_, dir_); }
  Result<std::vector<DurableEnd>> Ends(const std::string& stream) override {
    return DurableEnds(disk_, dir_, stream);
  }
  Result<std::vector<Log::LedgerEntry>> Ledger() override {
    ASSIGN_OR_RETURN(const LogShape shape, Describe());
    return ReadLedgerFile(disk_, dir_, shape);
  }
  Result<RetentionReport> Retention(const RetentionOptions& options, Micros now_log_time) override {
    return Retain(disk_, dir_, options, now_log_time);
  }

 private:
  Disk& disk_;
  const std::string dir_;
};

}  // namespace

std::unique_ptr<Streams> StreamsOnFiles(Disk& disk, std::string dir) {
  return std::make_unique<FileStreams>(disk, std::move(dir));
}

}  // namespace telltale::log
