// One pass of retention on Kafka: as Retain (log.h), record by record.
#pragma once

#include "base/disk.h"
#include "log/kafka/client.h"
#include "log/log.h"

namespace telltale::log::kafka {

// Removes the records of each partition that are older than keep_for by log time and that every
// consumer has passed, but never the newest record of a partition. In the report `segments_*` and
// `bytes_kept` are 0: Kafka's files are its own business.
//   kUnsupported  a bytes_max: Kafka is not asked what a record takes
//   others        as Retain
Result<RetentionReport> RetainOnKafka(const Cluster& cluster, Client& client, Disk& disk,
                                      const LogShape& shape, const RetentionOptions& options,
                                      Micros now_log_time);

}  // namespace telltale::log::kafka
