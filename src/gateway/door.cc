#include "gateway/door.h"

#include <spdlog/spdlog.h>

#include "base/checksum.h"
#include "net/tls_identity.h"

namespace telltale::gateway {
namespace {

constexpr int kRefusalsLoggedPerSecond = 10;

}  // namespace

class Door::Arrival final : public net::TlsConnection::Owner {
 public:
  Arrival(Door& door, std::uint64_t id) : door_(door), id_(id) {
    since_ = door.parts_.clock.NowMonotonic();
  }
  ~Arrival() override { EndHandshake(); }

  Status Begin(int fd) {
    ASSIGN_OR_RETURN(tls_,
                     net::TlsConnection::Accepted(door_.loop_, door_.parts_.tls(), fd, *this));
    port_ = tls_->peer_port();
    is_counted_ = true;
    ++door_.handshakes_;
    return Ok();
  }

  // It no longer counts as a handshake under way.
  void EndHandshake() {
    if (std::exchange(is_counted_, false)) --door_.handshakes_;
  }

  void OnHandshake() override {
    is_secure_ = true;
    EndHandshake();
    auto vin = net::VehicleIdentityOf(*tls_);
    if (vin.ok()) {
      vin_ = std::move(vin).value();
    } else {
      nobody_ = vin.error().message;  // told in the answer to CONNECT
    }
  }

  void OnBytes(ByteSpan bytes) override {
    if (is_over_) return;
    unread_.append(AsText(bytes));
    if (is_asking_) return;
    // The version is CONNECT's own, which must come first.
    const DecodedPacket decoded = DecodeClientPacket(AsBytes(unread_), MqttVersion::k311);
    if (decoded.state == DecodedPacket::State::kNeedMore) return;
    if (decoded.state == DecodedPacket::State::kBroken) {
      Answer({decoded.version}, decoded.code);
      return Refuse(decoded.reason, decoded.rule);
    }
    const auto* connect = std::get_if<ConnectPacket>(&decoded.packet);
    if (connect == nullptr) {
      return Refuse(Reason::kProtocol, "the first packet is not CONNECT [MQTT-3.1.0-1]");
    }
    OnConnect(*connect, decoded.bytes);
  }

  void OnClosed(const Error& why) override {
    if (is_over_) return;
    if (!is_secure_) {
      return Refuse(net::TlsErrorIsRevoked(why) ? Reason::kRevoked : Reason::kTlsHandshake,
                    why.message);
    }
    Leave();
  }

  void OnKnown(const Result<Vehicle>& vehicle) {
    if (is_over_) return;
    if (!vehicle.ok()) {
      Answer(dialect_, MqttCode::kServerUnavailable);
      return Refuse(Reason::kRegistryDown, vehicle.error().message);
    }
    HandOver(*vehicle, true);
  }

  void OnOverdue() {
    if (is_over_ || is_asking_) return;  // the registry client has its own patience
    const Reason reason = is_secure_ ? Reason::kProtocol : Reason::kTlsHandshake;
    Refuse(reason, is_secure_ ? "no CONNECT in time" : "no TLS handshake in time");
  }

  Micros since() const { return since_; }

 private:
  void OnConnect(const ConnectPacket& connect, std::size_t bytes) {
    dialect_ = {connect.version, connect.packet_bytes_max};
    if (connect.answer != MqttCode::kSuccess) {
      Answer(dialect_, connect.answer);
      return Refuse(connect.reason, "CONNECT asks for what is not served (docs/mqtt.md)");
    }
    if (vin_.empty()) {
      Answer(dialect_, MqttCode::kNotAuthorized);
      return Refuse(Reason::kIdentity, nobody_);
    }
    if (!Welcome(connect)) {
      Answer(dialect_, MqttCode::kPacketTooLarge);
      return Refuse(Reason::kProtocol, "the client's maximum packet size has no room for CONNACK");
    }
    unread_.erase(0, bytes);
    if (const auto known = door_.parts_.registry.Find(vin_)) return HandOver(*known, false);
    is_asking_ = true;
    tls_->PauseReading();
    Door* door = &door_;
    door->parts_.registry.Resolve(vin_, [door, id = id_](Result<Vehicle> vehicle) {
      door->loop_.Post([door, id, vehicle = std::move(vehicle)]() mutable {
        door->OnKnown(id, std::move(vehicle));
      });
    });
  }

  // Prepares the CONNACK and what follows from it. False: the client would not take it.
  bool Welcome(const ConnectPacket& connect) {
    MqttWelcome welcome;
    welcome.receive_maximum = kInFlightMax;
    welcome.packet_bytes_max = kMqttPacketBytesMax;
    keep_alive_s_ = connect.keep_alive_s;
    asked_for_session_ = welcome.ends_session = connect.session_expiry_s != 0;
    const bool is_5 = connect.version == MqttVersion::k5;
    if (is_5 && (keep_alive_s_ == 0 || keep_alive_s_ > kKeepAliveMaxSeconds)) {
      keep_alive_s_ = welcome.server_keep_alive_s = kKeepAliveMaxSeconds;
    }
    // Not the name of another client without one [MQTT-3.1.3-6 in both versions].
    std::string assigned;
    if (connect.client_id.empty()) assigned = door_.names_prefix_ + std::to_string(id_);
    welcome.assigned_client_id = assigned;
    client_hash_ = ContentHash(AsBytes(assigned.empty() ? connect.client_id : assigned));
    return AppendConnAck(conn_ack_, dialect_, welcome);
  }

  void HandOver(const Vehicle& vehicle, bool was_asked) {
    is_over_ = true;
    tls_->Detach();
    if (was_asked) tls_->ResumeReading();
    VehicleConnection::Arrived arrived;
    arrived.tls = std::move(tls_);
    arrived.vehicle = vehicle;
    arrived.client_hash = client_hash_;
    arrived.dialect = dialect_;
    arrived.keep_alive_s = keep_alive_s_;
    arrived.asked_for_session = asked_for_session_;
    arrived.conn_ack = std::move(conn_ack_);
    arrived.unread = std::move(unread_);
    door_.parts_.hand_over(vehicle.ref.PartitionOf(door_.parts_.partitions), std::move(arrived));
    // The map may have changed since it was looked at, and the shard was told before it had this
    // connection. Whatever changes from here on, it hears behind the hand-over.
    const auto now = door_.parts_.registry.Find(vin_);
    if (now && *now != vehicle) door_.parts_.update(vehicle.ref, *now);
    door_.Remove(id_);
  }

  void Answer(const MqttDialect& dialect, MqttCode code) {
    std::string answer;
    AppendConnAckRefusal(answer, dialect, code);
    tls_->Write(answer);
  }

  void Refuse(Reason reason, std::string_view why) {
    door_.Refused(reason, port_, why);
    if (is_secure_) tls_->Finish();
    Leave();
  }

  void Leave() {
    is_over_ = true;
    door_.Remove(id_);
  }

  Door& door_;
  const std::uint64_t id_;
  Micros since_;
  std::unique_ptr<net::TlsConnection> tls_;
  std::uint16_t port_ = 0;
  bool is_secure_ = false;
  bool is_counted_ = false;  // in the door's handshakes_
  bool is_asking_ = false;
  bool is_over_ = false;
  std::string vin_;
  std::string nobody_;
  std::string unread_;
  std::string conn_ack_;
  MqttDialect dialect_;
  std::uint64_t client_hash_ = 0;
  std::uint16_t keep_alive_s_ = 0;
  bool asked_for_session_ = false;
};

Door::Door(Parts parts)
    : parts_(std::move(parts)),
      connections_(parts_.counters.Get("connections_total")),
      names_prefix_("telltale-" + std::to_string(parts_.clock.NowUtc().value) + "-") {
  loop_.SetOnTurn([this] {
    graveyard_.clear();
    BeginWaiting();
  });
}

Door::~Door() { CHECK(!thread_.joinable()); }

Result<std::uint16_t> Door::Open(const std::string& address, std::uint16_t port) {
  ASSIGN_OR_RETURN(
      listener_, net::TlsListener::Listen(loop_, address, port, [this](int fd) { OnAccept(fd); }));
  refusals_to_log_ = kRefusalsLoggedPerSecond;
  sweeps_.Every(parts_.limits.sweep_every, [this] { Sweep(); });
  const std::uint16_t in_use = listener_->port();
  thread_ = std::thread([this] { loop_.Run(); });
  return in_use;
}

void Door::Stop() {
  if (!thread_.joinable()) return;
  loop_.Post([this] {
    listener_.reset();
    sweeps_.Cancel();
    for (const Waiting& waiting : waiting_) net::TlsListener::Discard(waiting.fd);
    waiting_.clear();
    arrivals_.clear();
    graveyard_.clear();
    loop_.Stop();
  });
  thread_.join();
}

void Door::OnAccept(int fd) {
  connections_.Add();
  // The kernel gives the lowest free number, so a high one means that few are left: the log needs
  // some for its next segments, whatever peers do.
  const bool is_scarce = fd >= descriptor_limit_ - kDescriptorsReserved;
  if (is_scarce || waiting_.size() >= parts_.limits.waiting) return Shed(fd);
  waiting_.push_back({fd, parts_.clock.NowMonotonic()});
}

// At the end of each turn: who came in it and who can begin because another one has ended.
void Door::BeginWaiting() {
  while (!waiting_.empty() && handshakes_ < parts_.limits.handshakes &&
         arrivals_.size() < kArrivalsMax) {
    const int fd = waiting_.front().fd;
    waiting_.pop_front();
    if (!Begin(fd)) CountShed();
  }
}

// Takes `fd` in any case.
bool Door::Begin(int fd) {
  const std::uint64_t id = next_id_++;
  auto arrival = std::make_unique<Arrival>(*this, id);
  if (!arrival->Begin(fd).ok()) return false;
  arrivals_.emplace(id, std::move(arrival));
  return true;
}

void Door::Shed(int fd) {
  CountShed();
  net::TlsListener::Discard(fd);
}

void Door::CountShed() { parts_.counters.Drops("gateway", Reason::kShed).Add(); }

void Door::OnKnown(std::uint64_t id, Result<Vehicle> vehicle) {
  const auto found = arrivals_.find(id);
  if (found != arrivals_.end()) found->second->OnKnown(vehicle);
}

void Door::Sweep() {
  refusals_to_log_ = kRefusalsLoggedPerSecond;
  const Micros now = parts_.clock.NowMonotonic();
  std::vector<Arrival*> overdue;
  for (const auto& [id, arrival] : arrivals_) {
    if ((now - arrival->since()).value > kHandshakeCountsForUs) arrival->EndHandshake();
    if ((now - arrival->since()).value > kArrivalWithinUs) overdue.push_back(arrival.get());
  }
  for (Arrival* arrival : overdue) arrival->OnOverdue();
  while (!waiting_.empty() && (now - waiting_.front().since).value > kWaitingWithinUs) {
    Shed(waiting_.front().fd);
    waiting_.pop_front();
  }
}

void Door::Remove(std::uint64_t id) {
  const auto found = arrivals_.find(id);
  if (found == arrivals_.end()) return;
  graveyard_.push_back(std::move(found->second));
  arrivals_.erase(found);
}

void Door::Refused(Reason reason, std::uint16_t port, std::string_view why) {
  parts_.counters.Drops("gateway", reason).Add();
  if (refusals_to_log_-- > 0) {
    spdlog::info("gateway: connection from port {} refused ({}): {}", port, ReasonName(reason),
                 why);
  }
}

}  // namespace telltale::gateway
