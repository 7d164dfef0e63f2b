// What the loads are made of: a client's connection, how a load is spoken to, how it reports.
#pragma once

#include <nlohmann/json.hpp>

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/random.h"
#include "gateway/mqtt_client_codec.h"
#include "net/event_loop.h"
#include "net/tls_connection.h"

namespace telltale::load {

// One run of a load. Its loop runs on the main thread.
struct Run {
  net::EventLoop loop;
  SystemClock clock;
  std::uint16_t port = 0;
  std::uint64_t seed = 1;

  Micros Now() const { return clock.NowMonotonic(); }
};

// One line of JSON on standard output, at once.
void Report(const nlohmann::json& line);

// Lines on standard input, each given to `on_line` on the loop's thread. "end", or no more input,
// stops the loop.
class Commands {
 public:
  Commands(net::EventLoop& loop, std::function<void(const std::string&)> on_line);
  ~Commands();

 private:
  std::thread thread_;
};

// Microseconds, sorted for quantiles; as {"count", "p50_ms", "p99_ms", "max_ms"}.
nlohmann::json Quantiles(std::vector<std::int64_t> took_us);

// An MQTT 3.1.1 client over TLS. Loop's thread only.
class Client : public net::TlsConnection::Owner {
 public:
  Client(Run& run, const net::TlsContext& tls, std::string client_id)
      : run_(run), tls_(tls), client_id_(std::move(client_id)) {}

  // Begins to connect; CONNECT is sent when TLS stands.
  //   kUnavailable  no descriptor or no port is left
  Status Open();
  // The same on a TCP connection that stands; takes `fd` in any case.
  Status OpenOn(int fd);
  void Close();  // at once, without a goodbye
  bool is_open() const { return connection_ != nullptr; }
  bool is_accepted() const { return is_accepted_; }

 protected:
  virtual void OnSecure() { SendConnect(); }
  virtual void OnAccepted() {}
  virtual void OnPubAck(std::uint16_t /*packet_id*/) {}
  virtual void OnGone(const Error& /*why*/) {}  // is closed by then

  void SendConnect();
  std::string ConnectBytes() const;
  void Send(std::string_view bytes) { connection_->Write(bytes); }
  net::TlsConnection& connection() { return *connection_; }
  Run& run() { return run_; }
  std::uint16_t keep_alive_s_ = 0;

 private:
  void OnHandshake() override { OnSecure(); }
  void OnBytes(ByteSpan bytes) override;
  void OnClosed(const Error& why) override;
  bool Handle(const gateway::ServerPacket& packet);

  Run& run_;
  const net::TlsContext& tls_;
  const std::string client_id_;
  std::unique_ptr<net::TlsConnection> connection_;
  std::string in_;
  bool is_accepted_ = false;
};

}  // namespace telltale::load
