// Where vehicles arrive: TLS handshake, CONNECT, who it is, then on to the shard of its vehicle. On
// a thread of its own, so that a storm of handshakes costs the shards nothing.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/counters.h"
#include "gateway/registry_client.h"
#include "gateway/vehicle_connection.h"
#include "net/tls_descriptor_limit.h"
#include "net/tls_listener.h"

namespace telltale::gateway {

// Connections between TCP accept and hand-over; more are closed at once (counted).
inline constexpr std::size_t kArrivalsMax = 8192;
// Kept from peers, for segments, sockets and files of our own.
inline constexpr int kDescriptorsReserved = 128;
inline constexpr std::int64_t kArrivalWithinUs = 15'000'000;

class Door {
 public:
  struct Parts {
    net::TlsContext tls;
    RegistryClient& registry;
    Clock& clock;
    Counters& counters;
    std::uint16_t partitions = kPartitionsDefault;
    // Gives the connection to the shard of its vehicle.
    std::function<void(PartitionId, VehicleConnection::Arrived)> hand_over;
  };
  explicit Door(Parts parts);
  ~Door();  // after Stop()

  //   as TlsListener::Listen. Returns the port in use.
  Result<std::uint16_t> Open(const std::string& address, std::uint16_t port);
  void Stop();  // closes the listener and who has not been handed over; joins

 private:
  class Arrival;

  void OnAccept(int fd);
  void OnKnown(std::uint64_t id, Result<Vehicle> vehicle);
  void Sweep();
  void Remove(std::uint64_t id);  // destroyed at the end of the turn
  void Refused(Reason reason, std::uint16_t port, std::string_view why);

  Parts parts_;
  Counter& connections_;
  Counter& shed_;
  net::EventLoop loop_;
  net::Timer sweeps_{loop_};
  std::thread thread_;

  // The door's thread only.
  std::unique_ptr<net::TlsListener> listener_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Arrival>> arrivals_;
  std::vector<std::unique_ptr<Arrival>> graveyard_;
  std::uint64_t next_id_ = 1;
  const int descriptor_limit_ = net::RaiseDescriptorLimit();
  int refusals_to_log_ = 0;  // left in this second: a storm of refusals must not fill the disk
};

}  // namespace telltale::gateway
