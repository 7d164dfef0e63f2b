// What a load is sent to. Everything happens on the loop's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "client.h"

namespace telltale::bench {

class Target {
 public:
  virtual ~Target() = default;
  // Calls back once all of its connections stand.
  virtual void Connect(std::function<void()> ready) = 0;
  // Sends `payload` as vehicle `vehicle`; on_ack gets `id` when it is acknowledged.
  virtual void Send(std::size_t vehicle, std::string_view payload, std::uint64_t id) = 0;
  virtual void Poll() {}  // about once a millisecond

  std::function<void(std::uint64_t id)> on_ack;
  std::function<void(const std::string& why)> on_gone;
};

// A connection of its own for each of `cars`: Telltale's gateway, and Mosquitto.
struct MqttOptions {
  std::string topic;  // "%c" becomes the car's number
};
std::unique_ptr<Target> MakeMqttTarget(load::Run& run, const std::vector<net::TlsContext>& cars,
                                       const MqttOptions& options);

// XADD of each batch as one entry, to one stream a partition, over a few connections as a gateway
// would hold them; as many commands under way as the schedule asks for.
std::unique_ptr<Target> MakeRedisTarget(load::Run& run);

// One producer, acks=all, keyed by vehicle. Null when this build has no librdkafka.
struct KafkaOptions {
  std::string brokers;
  std::string topic;
};
std::unique_ptr<Target> MakeKafkaTarget(const KafkaOptions& options);

}  // namespace telltale::bench
