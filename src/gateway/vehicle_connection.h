// A vehicle's connection after its CONNECT was accepted: PUBLISHes in, PUBACKs out when durable.
// Lives on the thread of its vehicle's shard.
#pragma once

#include <memory>
#include <string>

#include "gateway/ack_queue.h"
#include "gateway/mqtt_codec.h"
#include "gateway/vehicle.h"
#include "net/tls_connection.h"

namespace telltale::gateway {

inline constexpr std::string_view kReportsTopic = "telltale/v1/reports";

class Shard;

class VehicleConnection final : public net::TlsConnection::Owner {
 public:
  // What the door hands over.
  struct Arrived {
    std::unique_ptr<net::TlsConnection> tls;  // detached
    Vehicle vehicle;
    std::uint64_t client_hash = 0;  // of the MQTT client id
    std::uint16_t keep_alive_s = 0;
    std::string unread;  // bytes that came behind the CONNECT
  };
  VehicleConnection(Shard& shard, Arrived arrived);

  // Joins the shard's loop, answers the CONNECT, reads on.
  //   kUnavailable  the loop cannot watch one more socket
  Status Begin();
  // Lets acknowledgements go up to `durable`, and reads on if it was this queue that was full.
  void OnDurable(CommitNumber durable);
  // The shard has no room in memory: not read until Resume().
  void Pause();
  void Resume();
  // Says goodbye as far as the socket takes it; the shard destroys the connection next.
  void Finish();
  // True when the client has been silent for 1.5 x its keep-alive [MQTT-3.1.2-24].
  bool IsOverdue(Micros now_monotonic) const;

  const Vehicle& vehicle() const { return vehicle_; }
  void set_vehicle(const Vehicle& vehicle) { vehicle_ = vehicle; }  // of the same reference
  std::uint64_t client_hash() const { return client_hash_; }
  bool has_waiting_acks() const { return !acks_.empty(); }
  bool is_over() const { return is_over_; }
  bool is_listed = false;  // the shard's: is in its list of connections with waiting acks

  void OnHandshake() override {}
  void OnBytes(ByteSpan bytes) override;
  void OnClosed(const Error& why) override;

 private:
  std::size_t Consume(ByteSpan bytes);
  void ConsumeUnread();
  bool MayConsume() const;
  bool Handle(const ClientPacket& packet);
  bool Handle(const PublishPacket& publish);
  void Refuse(Reason reason, const char* rule);
  void Leave();

  Shard& shard_;
  std::unique_ptr<net::TlsConnection> tls_;
  Vehicle vehicle_;
  const std::uint64_t client_hash_;
  const std::uint16_t keep_alive_s_;
  bool is_paused_ = false;
  bool is_over_ = false;
  Micros last_packet_;
  AckQueue acks_;
  std::string unread_;
};

}  // namespace telltale::gateway
