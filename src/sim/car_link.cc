#include "sim/car_link.h"

#include <algorithm>

namespace telltale::sim {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kRetryFirst{100};
constexpr milliseconds kRetryMost{2000};
constexpr milliseconds kPingEvery{20'000};
constexpr std::uint16_t kKeepAliveS = 60;
constexpr std::string_view kTopic = "telltale/v1/reports";

}  // namespace

CarLink::CarLink(Car& car, net::TlsContext context, Road& road, Rules rules)
    : car_(car),
      context_(std::move(context)),
      road_(road),
      rules_(std::move(rules)),
      connect_timer_(road.loop),
      ping_timer_(road.loop),
      self_(std::make_shared<CarLink*>(this)),
      retry_(kRetryFirst) {}

CarLink::~CarLink() {
  *self_ = nullptr;
  if (is_accepted_) --road_.connected;
}

void CarLink::ConnectAfter(milliseconds delay) {
  connect_timer_.After(delay, [this] { Connect(); });
}

void CarLink::Connect() {
  if (rules_.is_done()) return;
  if (const milliseconds wait = rules_.waits(); wait.count() > 0) return ConnectAfter(wait);
  auto connection = net::TlsConnection::Connect(
      road_.loop, context_, {.host = road_.host, .port = road_.port(), .verify_host = true}, *this);
  ++road_.record.totals().connections;
  if (!connection.ok()) return Reconnect();
  connection_ = std::move(connection).value();
}

void CarLink::Reconnect() {
  connection_.reset();
  in_.clear();
  if (is_accepted_) --road_.connected;
  is_accepted_ = false;
  ping_timer_.Cancel();
  car_.OnDisconnected();
  ConnectAfter(retry_);
  retry_ = std::min(retry_ * 2, kRetryMost);
}

void CarLink::OnHandshake() {
  std::string out;
  gateway::AppendConnect(out, {.client_id = car_.options().vin, .keep_alive_s = kKeepAliveS});
  connection_->Write(out);
}

void CarLink::OnBytes(ByteSpan bytes) {
  in_.append(AsText(bytes));
  std::size_t at = 0;
  while (connection_ != nullptr) {
    const auto decoded = gateway::DecodeServerPacket(AsBytes(std::string_view(in_).substr(at)));
    if (decoded.state == gateway::DecodedServerPacket::State::kNeedMore) break;
    if (decoded.state == gateway::DecodedServerPacket::State::kBroken) return Reconnect();
    at += decoded.bytes;
    if (!Handle(decoded.packet)) return Reconnect();
  }
  in_.erase(0, at);
  Pump();
}

void CarLink::OnClosed(const Error& why) {
  if (why.code == Code::kRefused) ++road_.record.totals().refused_connections;
  Reconnect();
}

bool CarLink::Handle(const gateway::ServerPacket& packet) {
  if (const auto* ack = std::get_if<gateway::ConnAckPacket>(&packet)) {
    if (ack->code != 0) {
      ++road_.record.totals().refused_connections;
      return false;
    }
    is_accepted_ = true;
    ++road_.connected;
    retry_ = kRetryFirst;
    ping_timer_.Every(kPingEvery, [this] { Ping(); });
    return true;
  }
  if (const auto* ack = std::get_if<gateway::PubAckPacket>(&packet)) {
    return car_.OnPubAck(ack->packet_id, road_.clock.NowUtc());
  }
  return true;
}

void CarLink::Ping() {
  std::string out;
  gateway::AppendPingReq(out);
  if (connection_ != nullptr) connection_->Write(out);
}

void CarLink::Pump() {
  if (!is_accepted_ || connection_ == nullptr) return;
  while (connection_->unsent_bytes() < net::kTlsOutHighMarkBytes) {
    const Outgoing* out = car_.NextToSend();
    if (out == nullptr) break;
    packet_.clear();
    gateway::AppendPublish(packet_, {.topic = kTopic,
                                     .payload = out->payload,
                                     .qos = 1,
                                     .packet_id = out->packet_id,
                                     .dup = out->again});
    connection_->Write(packet_);
  }
  if (!rules_.is_done()) return;
  packet_.clear();
  gateway::AppendDisconnect(packet_);
  connection_->Write(packet_);
  connection_->Finish();
  ping_timer_.Cancel();
  is_accepted_ = false;
  --road_.connected;
  // Not destroyed here: Pump() may run inside one of its callbacks.
  road_.loop.Post([self = self_] {
    if (*self != nullptr) (*self)->connection_.reset();
  });
}

}  // namespace telltale::sim
