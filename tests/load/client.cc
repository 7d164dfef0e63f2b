#include "client.h"

#include <fmt/format.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>

namespace telltale::load {

void Report(const nlohmann::json& line) {
  fmt::print("{}\n", line.dump());
  std::fflush(stdout);
}

Commands::Commands(net::EventLoop& loop, std::function<void(const std::string&)> on_line) {
  thread_ = std::thread([&loop, on_line = std::move(on_line)] {
    std::string line;
    while (std::getline(std::cin, line) && line != "end") {
      loop.Post([line, on_line] { on_line(line); });
    }
    loop.Stop();
  });
}

Commands::~Commands() { thread_.join(); }

nlohmann::json Quantiles(std::vector<std::int64_t> took_us) {
  if (took_us.empty()) return {{"count", 0}};
  std::sort(took_us.begin(), took_us.end());
  const auto at = [&](std::size_t percent) {
    const std::size_t index = std::min(took_us.size() - 1, took_us.size() * percent / 100);
    return std::round(static_cast<double>(took_us[index]) / 10) / 100;
  };
  return {{"count", took_us.size()}, {"p50_ms", at(50)}, {"p99_ms", at(99)}, {"max_ms", at(100)}};
}

Status Client::Open() {
  in_.clear();
  is_accepted_ = false;
  ASSIGN_OR_RETURN(connection_,
                   net::TlsConnection::Connect(run_.loop, tls_, {.port = run_.port}, *this));
  return Ok();
}

Status Client::OpenOn(int fd) {
  in_.clear();
  is_accepted_ = false;
  ASSIGN_OR_RETURN(connection_, net::TlsConnection::Accepted(run_.loop, tls_, fd, *this));
  SSL_do_handshake(connection_->ssl());  // sends ClientHello; the connection goes on from there
  return Ok();
}

void Client::Close() {
  connection_.reset();
  is_accepted_ = false;
}

std::string Client::ConnectBytes() const {
  std::string out;
  gateway::AppendConnect(out, {.client_id = client_id_, .keep_alive_s = keep_alive_s_});
  return out;
}

void Client::SendConnect() { Send(ConnectBytes()); }

void Client::OnBytes(ByteSpan bytes) {
  in_.append(AsText(bytes));
  std::size_t at = 0;
  while (connection_ != nullptr) {
    const auto decoded = gateway::DecodeServerPacket(AsBytes(std::string_view(in_).substr(at)));
    if (decoded.state == gateway::DecodedServerPacket::State::kNeedMore) break;
    if (decoded.state == gateway::DecodedServerPacket::State::kBroken || !Handle(decoded.packet)) {
      return OnClosed(Error{Code::kRefused, "the server refused"});
    }
    at += decoded.bytes;
  }
  in_.erase(0, at);
}

bool Client::Handle(const gateway::ServerPacket& packet) {
  if (const auto* answer = std::get_if<gateway::ConnAckPacket>(&packet)) {
    if (answer->code != 0) return false;
    is_accepted_ = true;
    OnAccepted();
  } else if (const auto* ack = std::get_if<gateway::PubAckPacket>(&packet)) {
    OnPubAck(ack->packet_id);
  }
  return true;
}

void Client::OnClosed(const Error& why) {
  Close();
  OnGone(why);
}

}  // namespace telltale::load
