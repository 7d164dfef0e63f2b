#include "log/kafka/open_streams.h"

#include "base/config.h"
#include "log/kafka/kafka_streams.h"

namespace telltale::log::kafka {

Result<std::unique_ptr<Streams>> OpenStreams(Disk& disk, const Config& config, const Paths& paths) {
  if (config.log_backend == "files") return StreamsOnFiles(disk, paths.log());
  KafkaStreams::Options options{.cluster = {.brokers = config.kafka_brokers,
                                            .topic_prefix = config.kafka_topic_prefix,
                                            .replication = config.kafka_replication,
                                            .settings = {}},
                                .shards = config.log_shards};
  ASSIGN_OR_RETURN(options.cluster.settings, ReadSettings(disk, config.kafka_settings_file));
  return std::unique_ptr<Streams>(std::make_unique<KafkaStreams>(disk, std::move(options)));
}

}  // namespace telltale::log::kafka
