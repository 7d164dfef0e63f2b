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
// The one topic that may be subscribed to. The same text for every vehicle, so that none learns
// another's reference: whose downlink it is, the certificate says.
inline constexpr std::string_view kDownlinkTopic = "telltale/v1/downlink";
// A client whose unread answers stay above net::kTlsOutHighMarkBytes for longer is closed.
inline constexpr std::int64_t kSlowReaderWithinUs = 30'000'000;

class Shard;

class VehicleConnection final : public net::TlsConnection::Owner {
 public:
  // What the door hands over.
  struct Arrived {
    std::unique_ptr<net::TlsConnection> tls;  // detached
    Vehicle vehicle;
    std::uint64_t client_hash = 0;  // of the MQTT client id
    MqttDialect dialect;
    std::uint16_t keep_alive_s = 0;
    bool asked_for_session = false;  // MQTT 5: its session expiry interval was not 0
    std::string conn_ack;            // sent first
    std::string unread;              // bytes that came behind the CONNECT
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
  // The vehicle may be read again, after Shard::Spend() said that it had sent enough.
  void OnBudget();
  // Says goodbye as far as the socket takes it, in MQTT 5 with `code`; the shard destroys the
  // connection next.
  void Finish(MqttCode code);
  // True when the client has been silent for 1.5 x its keep-alive [MQTT-3.1.2-24, 3.1.2-22].
  bool IsOverdue(Micros now_monotonic) const;
  // True when it has not taken its answers for too long. To be asked about once a second.
  bool IsSlowReader(Micros now_monotonic);

  const net::TlsConnection& tls() const { return *tls_; }
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
  bool IsOverReceiveMaximum(ByteSpan rest) const;
  bool Handle(const ClientPacket& packet);
  bool Handle(const PublishPacket& publish);
  bool Handle(const DisconnectPacket& disconnect);
  void Answer(const SubscribePacket& subscribe);
  void Answer(const UnsubscribePacket& unsubscribe);
  void Refuse(Reason reason, MqttCode code, const char* rule);
  void RefuseUnwritten(const Error& why);
  void Leave();

  Shard& shard_;
  std::unique_ptr<net::TlsConnection> tls_;
  Vehicle vehicle_;
  const std::uint64_t client_hash_;
  const MqttDialect dialect_;
  const std::uint16_t keep_alive_s_;
  const bool asked_for_session_;
  bool is_subscribed_ = false;
  bool is_paused_ = false;
  bool is_over_budget_ = false;
  bool is_over_ = false;
  Micros last_packet_;
  Micros slow_since_;  // 0: it takes its answers
  AckQueue acks_;
  std::string conn_ack_;
  std::string unread_;
};

}  // namespace telltale::gateway
