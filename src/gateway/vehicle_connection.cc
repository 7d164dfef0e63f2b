#include "gateway/vehicle_connection.h"

#include <spdlog/spdlog.h>

#include "gateway/shard.h"

namespace telltale::gateway {

VehicleConnection::VehicleConnection(Shard& shard, Arrived arrived)
    : shard_(shard),
      tls_(std::move(arrived.tls)),
      vehicle_(arrived.vehicle),
      client_hash_(arrived.client_hash),
      keep_alive_s_(arrived.keep_alive_s),
      last_packet_(shard.now_monotonic()),
      unread_(std::move(arrived.unread)) {}

Status VehicleConnection::Begin() {
  RETURN_IF_ERROR(tls_->Attach(shard_.loop(), *this));
  std::string answer;
  AppendConnAck(answer, ConnectCode::kAccepted);
  tls_->Write(answer);
  if (!shard_.has_room()) Pause();
  ConsumeUnread();
  return Ok();
}

bool VehicleConnection::MayConsume() const {
  return !is_over_ && shard_.has_room() && !acks_.IsFull();
}

void VehicleConnection::OnBytes(ByteSpan bytes) {
  if (is_over_) return;
  if (!unread_.empty()) {
    unread_.append(AsText(bytes));
    return ConsumeUnread();
  }
  const std::size_t used = Consume(bytes);
  if (!is_over_) unread_.assign(AsText(bytes.subspan(used)));
}

void VehicleConnection::ConsumeUnread() {
  const std::size_t used = Consume(AsBytes(unread_));
  if (used == unread_.size()) {
    std::string().swap(unread_);  // an idle connection holds no buffer
  } else {
    unread_.erase(0, used);
  }
}

std::size_t VehicleConnection::Consume(ByteSpan bytes) {
  std::size_t used = 0;
  while (used < bytes.size()) {
    if (!MayConsume()) {
      if (!is_over_) Pause();
      break;
    }
    const DecodedPacket decoded = DecodeClientPacket(bytes.subspan(used));
    if (decoded.state == DecodedPacket::State::kNeedMore) break;
    if (decoded.state == DecodedPacket::State::kBroken) {
      Refuse(decoded.reason, decoded.rule);
      break;
    }
    if (!Handle(decoded.packet)) break;
    used += decoded.bytes;
    last_packet_ = shard_.now_monotonic();
  }
  return used;
}

// False: the packet stays unread (held) or the connection is over.
bool VehicleConnection::Handle(const ClientPacket& packet) {
  if (const auto* publish = std::get_if<PublishPacket>(&packet)) return Handle(*publish);
  std::string answer;
  if (std::holds_alternative<PingPacket>(packet)) {
    AppendPingResp(answer);
  } else if (const auto* subscribe = std::get_if<SubscribePacket>(&packet)) {
    AppendSubAckFailure(answer, subscribe->packet_id, subscribe->filters);
  } else if (const auto* unsubscribe = std::get_if<UnsubscribePacket>(&packet)) {
    AppendUnsubAck(answer, unsubscribe->packet_id);
  } else if (std::holds_alternative<DisconnectPacket>(packet)) {
    Leave();
    return false;
  } else {
    Refuse(Reason::kProtocol, "a second CONNECT [MQTT-3.1.0-2]");
    return false;
  }
  tls_->Write(answer);
  return true;
}

bool VehicleConnection::Handle(const PublishPacket& publish) {
  if (publish.topic != kReportsTopic) {
    Refuse(Reason::kTopic, "only telltale/v1/reports may be published");
    return false;
  }
  const auto commit = shard_.Process(vehicle_, publish.payload, publish.qos);
  if (!commit.ok()) {
    // Overloaded: the shard has paused every connection; this packet is read again afterwards.
    if (commit.error().code != Code::kOverloaded) {
      spdlog::error("gateway: vehicle {}: not written, so not acknowledged: {}",
                    vehicle_.ref.ToHex(), commit.error().ToString());
      Leave();
    }
    return false;
  }
  if (publish.qos == 0) return true;
  acks_.Push(publish.packet_id, *commit);
  shard_.AwaitDurable(*this);
  return true;
}

void VehicleConnection::OnDurable(CommitNumber durable) {
  if (is_over_) return;
  std::string out;
  shard_.CountAcks(acks_.Release(durable, out));
  if (!out.empty()) tls_->Write(out);
  Resume();
}

void VehicleConnection::Pause() {
  is_paused_ = true;
  tls_->PauseReading();
}

void VehicleConnection::Resume() {
  if (!is_paused_ || !MayConsume()) return;
  is_paused_ = false;
  // The client could not have been heard meanwhile.
  last_packet_ = shard_.now_monotonic();
  ConsumeUnread();
  if (!is_paused_ && !is_over_) tls_->ResumeReading();
}

bool VehicleConnection::IsOverdue(Micros now_monotonic) const {
  if (keep_alive_s_ == 0 || is_paused_) return false;
  return (now_monotonic - last_packet_).value > std::int64_t{keep_alive_s_} * 1'500'000;
}

void VehicleConnection::Refuse(Reason reason, const char* rule) {
  shard_.CountRefused(reason);
  spdlog::info("gateway: vehicle {}: connection closed: {}", vehicle_.ref.ToHex(), rule);
  Leave();
}

void VehicleConnection::Finish() {
  is_over_ = true;
  tls_->Finish();
}

void VehicleConnection::OnClosed(const Error&) { Leave(); }

void VehicleConnection::Leave() {
  if (std::exchange(is_over_, true)) return;
  shard_.Remove(*this);
}

}  // namespace telltale::gateway
