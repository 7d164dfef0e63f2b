#include "gateway/vehicle_connection.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <vector>

#include "gateway/shard.h"

namespace telltale::gateway {

namespace {

MqttCode SubscribeCode(const SubscribePacket& subscribe, const TopicFilter& asked) {
  if (subscribe.has_subscription_id) return MqttCode::kSubscriptionIdsNotSupported;
  if (asked.filter.starts_with("$share/")) return MqttCode::kSharedNotSupported;
  if (asked.filter.find_first_of("+#") != std::string_view::npos) {
    return MqttCode::kWildcardsNotSupported;
  }
  if (asked.filter != kDownlinkTopic) return MqttCode::kNotAuthorized;
  return asked.qos == 0 ? MqttCode::kSuccess : MqttCode::kGrantedQos1;
}

}  // namespace

VehicleConnection::VehicleConnection(Shard& shard, Arrived arrived)
    : shard_(shard),
      tls_(std::move(arrived.tls)),
      vehicle_(arrived.vehicle),
      client_hash_(arrived.client_hash),
      dialect_(arrived.dialect),
      keep_alive_s_(arrived.keep_alive_s),
      asked_for_session_(arrived.asked_for_session),
      last_packet_(shard.now_monotonic()),
      conn_ack_(std::move(arrived.conn_ack)),
      unread_(std::move(arrived.unread)) {}

Status VehicleConnection::Begin() {
  RETURN_IF_ERROR(tls_->Attach(shard_.loop(), *this));
  tls_->Write(conn_ack_);
  std::string().swap(conn_ack_);
  if (!shard_.has_room()) Pause();
  ConsumeUnread();
  return Ok();
}

bool VehicleConnection::MayConsume() const {
  return !is_over_ && !is_over_budget_ && shard_.has_room() && !acks_.IsFull();
}

// A further PUBLISH is there while as many as were announced wait. (MQTT 3.1.1 has no such limit;
// there the connection is only not read.) What was acknowledged but is still on its way to the
// client does not count, so no client is accused that keeps to its number.
bool VehicleConnection::IsOverReceiveMaximum(ByteSpan rest) const {
  if (dialect_.version != MqttVersion::k5 || !acks_.IsFull()) return false;
  const FixedHeader next = ReadFixedHeader(rest);
  const bool is_publish = next.type == static_cast<std::uint8_t>(PacketType::kPublish);
  return is_publish && (next.flags & 0x06) != 0;
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
  const Micros now = shard_.now_monotonic();
  while (used < bytes.size()) {
    const ByteSpan rest = bytes.subspan(used);
    if (!MayConsume()) {
      if (is_over_) break;
      Pause();
      if (IsOverReceiveMaximum(rest)) {
        Refuse(Reason::kProtocol, MqttCode::kReceiveMaximumExceeded,
               "more PUBLISHes under way than the receive maximum [MQTT-3.3.4-9]");
      }
      break;
    }
    const DecodedPacket decoded = DecodeClientPacket(rest, dialect_.version);
    if (decoded.state == DecodedPacket::State::kNeedMore) break;
    if (decoded.state == DecodedPacket::State::kBroken) {
      Refuse(decoded.reason, decoded.code, decoded.rule);
      break;
    }
    if (!Handle(decoded.packet)) break;
    used += decoded.bytes;
    last_packet_ = now;
    const std::size_t cost = std::max(decoded.bytes, kPacketCostMin);
    if (!is_over_budget_ && !shard_.Spend(*this, cost, now)) is_over_budget_ = true;
  }
  return used;
}

// False: the packet stays unread (held) or the connection is over.
bool VehicleConnection::Handle(const ClientPacket& packet) {
  if (const auto* publish = std::get_if<PublishPacket>(&packet)) return Handle(*publish);
  if (const auto* disconnect = std::get_if<DisconnectPacket>(&packet)) return Handle(*disconnect);
  if (const auto* subscribe = std::get_if<SubscribePacket>(&packet)) {
    Answer(*subscribe);
    return true;
  }
  if (const auto* unsubscribe = std::get_if<UnsubscribePacket>(&packet)) {
    Answer(*unsubscribe);
    return true;
  }
  if (std::holds_alternative<PingPacket>(packet)) {
    std::string answer;
    AppendPingResp(answer);
    tls_->Write(answer);
    return true;
  }
  Refuse(Reason::kProtocol, MqttCode::kProtocolError, "a second CONNECT [MQTT-3.1.0-2]");
  return false;
}

void VehicleConnection::Answer(const SubscribePacket& subscribe) {
  std::vector<MqttCode> codes;
  codes.reserve(subscribe.filters);
  FilterReader filters(subscribe);
  for (TopicFilter asked; filters.Next(asked);) {
    codes.push_back(SubscribeCode(subscribe, asked));
    if (codes.back() <= MqttCode::kGrantedQos1) is_subscribed_ = true;
  }
  std::string answer;
  AppendSubAck(answer, dialect_, subscribe.packet_id, codes);
  tls_->Write(answer);
}

void VehicleConnection::Answer(const UnsubscribePacket& unsubscribe) {
  std::vector<MqttCode> codes;
  codes.reserve(unsubscribe.filters);
  FilterReader filters(unsubscribe);
  for (TopicFilter asked; filters.Next(asked);) {
    const bool was_there = asked.filter == kDownlinkTopic && std::exchange(is_subscribed_, false);
    codes.push_back(was_there ? MqttCode::kSuccess : MqttCode::kNoSubscriptionExisted);
  }
  std::string answer;
  AppendUnsubAck(answer, dialect_, unsubscribe.packet_id, codes);
  tls_->Write(answer);
}

bool VehicleConnection::Handle(const DisconnectPacket& disconnect) {
  if (disconnect.session_expiry_s != 0 && !asked_for_session_) {
    Refuse(Reason::kProtocol, MqttCode::kProtocolError,
           "DISCONNECT asks for a session that CONNECT did not [MQTT-3.14.2.2.2]");
  } else {
    Leave();
  }
  return false;
}

bool VehicleConnection::Handle(const PublishPacket& publish) {
  if (publish.topic != kReportsTopic) {
    Refuse(Reason::kTopic, MqttCode::kTopicNotValid, "only telltale/v1/reports may be published");
    return false;
  }
  const auto commit = shard_.Process(vehicle_, publish.payload, publish.qos);
  if (!commit.ok()) {
    // Overloaded: the shard has paused every connection; this packet is read again afterwards.
    if (commit.error().code != Code::kOverloaded) RefuseUnwritten(commit.error());
    return false;
  }
  if (publish.qos == 0) return true;
  acks_.Push(publish.packet_id, *commit);
  shard_.AwaitDurable(*this);
  return true;
}

void VehicleConnection::RefuseUnwritten(const Error& why) {
  if (shard_.unwritten_reason() == Reason::kNoTransportKey) {  // its alarm is given elsewhere
    return Refuse(Reason::kNoTransportKey, MqttCode::kServerUnavailable,
                  "the vault has no valid transport key");
  }
  spdlog::error("gateway: vehicle {}: not written, so not acknowledged: {}", vehicle_.ref.ToHex(),
                why.ToString());
  Refuse(Reason::kStorage, MqttCode::kImplementation, "the log cannot be written");
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

void VehicleConnection::OnBudget() {
  is_over_budget_ = false;
  Resume();
}

bool VehicleConnection::IsOverdue(Micros now_monotonic) const {
  if (keep_alive_s_ == 0 || is_paused_) return false;
  return (now_monotonic - last_packet_).value > std::int64_t{keep_alive_s_} * 1'500'000;
}

bool VehicleConnection::IsSlowReader(Micros now_monotonic) {
  if (tls_->unsent_bytes() <= net::kTlsOutHighMarkBytes) {
    slow_since_ = {};
    return false;
  }
  if (slow_since_ == Micros{}) slow_since_ = now_monotonic;
  last_packet_ = now_monotonic;  // it is not read meanwhile: its silence is ours
  return (now_monotonic - slow_since_).value > kSlowReaderWithinUs;
}

void VehicleConnection::Refuse(Reason reason, MqttCode code, const char* rule) {
  shard_.CountRefused(reason);
  spdlog::info("gateway: vehicle {}: connection closed ({}): {}", vehicle_.ref.ToHex(),
               ReasonName(reason), rule);
  Finish(code);
  shard_.Remove(*this);
}

void VehicleConnection::Finish(MqttCode code) {
  if (std::exchange(is_over_, true)) return;
  std::string goodbye;
  AppendServerDisconnect(goodbye, dialect_, code);
  tls_->Write(goodbye);
  tls_->Finish();
}

void VehicleConnection::OnClosed(const Error&) { Leave(); }

void VehicleConnection::Leave() {
  if (std::exchange(is_over_, true)) return;
  shard_.Remove(*this);
}

}  // namespace telltale::gateway
