// What the tests on a real broker share: it is the one that TELLTALE_KAFKA_BROKER names.
#pragma once

#include <fmt/format.h>

#include "base/config.h"
#include "base/random.h"
#include "log/kafka/kafka_streams.h"
#include "log/log_contract_testing.h"

namespace telltale::log::kafka {

// With names of its own, so that runs on one broker never meet. "" as brokers: there is none.
inline Cluster TestCluster() {
  const Environment environment = ProcessEnvironment();
  const auto broker = environment.find("TELLTALE_KAFKA_BROKER");
  return {.brokers = broker == environment.end() ? "" : broker->second,
          .topic_prefix = fmt::format("test-{:016x}.", SystemRandom().NextU64()),
          .replication = 1,
          .settings = {}};
}

class KafkaHome final : public ContractHome {
 public:
  explicit KafkaHome(Cluster cluster) : cluster_(std::move(cluster)) {}
  std::unique_ptr<Streams> Attach() override {
    return std::make_unique<KafkaStreams>(
        disk_, KafkaStreams::Options{.cluster = cluster_, .shards = SmallLog().shards});
  }
  void Crash() override {}  // the cluster goes on; a broker's end is tests/kafka's
  const Cluster& cluster() const { return cluster_; }

 private:
  const Cluster cluster_;
};

inline std::unique_ptr<ContractHome> MakeKafkaHome() {
  Cluster cluster = TestCluster();
  if (cluster.brokers.empty()) return nullptr;
  return std::make_unique<KafkaHome>(std::move(cluster));
}

}  // namespace telltale::log::kafka
