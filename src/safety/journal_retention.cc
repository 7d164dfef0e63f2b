#include "safety/journal_retention.h"

namespace telltale::safety {

Result<std::uint64_t> RetainJournal(Disk& disk, const std::string& dir, Micros keep_for,
                                    Micros now) {
  ASSIGN_OR_RETURN(const log::RetentionReport report,
                   log::Retain(disk, dir,
                               {.positions_dir = dir + "/positions",
                                .streams = {{.stream = "journal",
                                             .keep_for = keep_for,
                                             .bytes_max = 0,
                                             .required = {"publisher"}}}},
                               now));
  std::uint64_t removed = 0;
  for (const log::ShardRetention& shard : report.shards) removed += shard.segments_removed;
  return removed;
}

}  // namespace telltale::safety
