// Where vehicles arrive: TLS handshake, CONNECT, who it is, then on to the shard of its vehicle. On
// a thread of its own, so that a storm of handshakes costs the shards nothing. Within the storm,
// few handshakes at a time and the others in the order they came: all at once would time out
// together.
#pragma once

#include <deque>
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

// Connections between the start of their handshake and hand-over. Above it none is begun.
inline constexpr std::size_t kArrivalsMax = 8192;
// Handshakes under way at one time.
inline constexpr std::size_t kHandshakesMax = 256;
// One that takes longer goes on, but no longer counts as one of them: peers that connect and say
// nothing hold up nobody for long.
inline constexpr std::int64_t kHandshakeCountsForUs = 1'000'000;
// Accepted, and waiting for their handshake to begin; more are closed at once (counted). A place
// costs a descriptor and a few bytes.
inline constexpr std::size_t kWaitingMax = 32'768;
inline constexpr std::int64_t kWaitingWithinUs = 30'000'000;
// Kept from peers, for segments, sockets and files of our own.
inline constexpr int kDescriptorsReserved = 128;
// From the start of the handshake to a whole CONNECT.
inline constexpr std::int64_t kArrivalWithinUs = 15'000'000;
// MQTT 5 clients that ask for none or a longer one are told this, so that one whose network broke
// does not stay for ever.
inline constexpr std::uint16_t kKeepAliveMaxSeconds = 3600;

class Door {
 public:
  struct Limits {
    std::size_t handshakes = kHandshakesMax;
    std::size_t waiting = kWaitingMax;
    std::chrono::milliseconds sweep_every{1000};  // for who is late
  };
  struct Parts {
    std::function<net::TlsContext()> tls;  // asked as each handshake begins
    RegistryClient& registry;
    Clock& clock;
    Counters& counters;
    std::uint16_t partitions = kPartitionsDefault;
    // Gives the connection to the shard of its vehicle.
    std::function<void(PartitionId, VehicleConnection::Arrived)> hand_over;
    // Tells the shard of `former` what has become of its vehicle. Any thread.
    std::function<void(VehicleRef former, const Vehicle&)> update;
    Limits limits = {};
  };
  explicit Door(Parts parts);
  ~Door();  // after Stop()

  //   as TlsListener::Listen. Returns the port in use.
  Result<std::uint16_t> Open(const std::string& address, std::uint16_t port);
  void Stop();  // closes the listener and who has not been handed over; joins

 private:
  class Arrival;
  struct Waiting {
    int fd;
    Micros since;
  };

  void OnAccept(int fd);
  void BeginWaiting();
  bool Begin(int fd);
  void Shed(int fd);
  void CountShed();
  void OnKnown(std::uint64_t id, Result<Vehicle> vehicle);
  void Sweep();
  void Remove(std::uint64_t id);  // destroyed at the end of the turn
  void Refused(Reason reason, std::uint16_t port, std::string_view why);

  Parts parts_;
  Counter& connections_;
  net::EventLoop loop_;
  net::Timer sweeps_{loop_};
  std::thread thread_;

  // The door's thread only.
  std::unique_ptr<net::TlsListener> listener_;
  std::deque<Waiting> waiting_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Arrival>> arrivals_;
  std::vector<std::unique_ptr<Arrival>> graveyard_;
  std::size_t handshakes_ = 0;  // those that count
  std::uint64_t next_id_ = 1;
  const std::string names_prefix_;  // of client ids that are assigned
  const int descriptor_limit_ = net::RaiseDescriptorLimit();
  int refusals_to_log_ = 0;  // left in this second: a storm of refusals must not fill the disk
};

}  // namespace telltale::gateway
