// One car's connection to the door: connects, logs in, puts on the wire what the car has to send,
// takes the acknowledgements, and comes back with back-off when it ends.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "gateway/mqtt_client_codec.h"
#include "net/tls_connection.h"
#include "sim/car.h"

namespace telltale::sim {

// What all cars of a process share; outlives their links.
struct Road {
  net::EventLoop& loop;
  Clock& clock;
  Record& record;
  std::string host = "127.0.0.1";
  // Asked at every connection: a gateway on any free port comes back on another one. 0 = not known
  // now, the car tries again later.
  std::function<std::uint16_t()> port;
  std::size_t connected = 0;  // cars that are logged in
};

// Loop's thread only.
class CarLink final : public net::TlsConnection::Owner {
 public:
  struct Rules {
    // Nothing more will come and all is acknowledged: says goodbye and stays away.
    std::function<bool()> is_done;
    // Time until it may connect at all; 0 = now.
    std::function<std::chrono::milliseconds()> waits;
  };
  // `car` and `road` must outlive it.
  CarLink(Car& car, net::TlsContext context, Road& road, Rules rules);
  ~CarLink() override;

  void ConnectAfter(std::chrono::milliseconds delay);
  // Puts what waits on the wire; when the car is done, leaves.
  void Pump();
  // Loses the connection, to come back with back-off.
  void Reconnect();
  bool is_open() const { return connection_ != nullptr; }

  void OnHandshake() override;
  void OnBytes(ByteSpan bytes) override;
  void OnClosed(const Error& why) override;

 private:
  void Connect();
  bool Handle(const gateway::ServerPacket& packet);
  void Ping();

  Car& car_;
  net::TlsContext context_;
  Road& road_;
  Rules rules_;
  net::Timer connect_timer_;
  net::Timer ping_timer_;
  std::unique_ptr<net::TlsConnection> connection_;
  std::shared_ptr<CarLink*> self_;  // null in it when this is gone: for what was posted
  std::string in_;
  std::string packet_;
  bool is_accepted_ = false;
  std::chrono::milliseconds retry_;
};

}  // namespace telltale::sim
