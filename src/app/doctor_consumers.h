// Where the log's readers say they are: positions, worker snapshots, hand-offs. Each is read first
// and compared with the log's ends as they are after that, so a reader at work is never taken for
// one that is ahead.
#pragma once

#include "app/doctor_log.h"
#include "app/doctor_report.h"
#include "base/config.h"

namespace telltale::app {

class ConsumerCheck {
 public:
  ConsumerCheck(Disk& disk, const Paths& paths, const LogView& log, DoctorReport& report)
      : disk_(disk), paths_(paths), log_(log), report_(report) {}

  void CheckPositions();
  void CheckSnapshots();
  void CheckHandoffs();

 private:
  struct Range {
    std::vector<Offset> from;  // by partition
    std::vector<Offset> to;
  };
  void CheckPosition(const std::string& consumer, const std::string& name);
  void CheckSnapshot(const std::string& path);
  void CheckHandoff(const std::string& path, std::uint64_t number, Range& previous);
  void CheckState(const std::string& path, std::uint64_t bytes, std::uint32_t crc);
  // `next` of the partitions that `shard` carries; every shard without one.
  void Compare(const std::string& where, std::string_view stream, const std::vector<Offset>& next,
               std::optional<ShardId> shard, FindingKind beyond);
  void CompareFirst(const std::string& where, std::string_view stream,
                    const std::vector<Offset>& next, ShardId shard);
  void AddError(const std::string& where, const Error& error);

  Disk& disk_;
  const Paths& paths_;
  const LogView& log_;
  DoctorReport& report_;
};

}  // namespace telltale::app
