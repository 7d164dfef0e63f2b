#include "gateway/door.h"

#include <spdlog/spdlog.h>

#include "base/checksum.h"
#include "net/tls_identity.h"

namespace telltale::gateway {
namespace {

constexpr int kRefusalsLoggedPerSecond = 10;
constexpr std::chrono::milliseconds kSweepEvery{1000};

}  // namespace

class Door::Arrival final : public net::TlsConnection::Owner {
 public:
  Arrival(Door& door, std::uint64_t id) : door_(door), id_(id) {
    since_ = door.parts_.clock.NowMonotonic();
  }

  Status Begin(int fd) {
    ASSIGN_OR_RETURN(tls_, net::TlsConnection::Accepted(door_.loop_, door_.parts_.tls, fd, *this));
    port_ = tls_->peer_port();
    return Ok();
  }

  void OnHandshake() override {
    is_secure_ = true;
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
    const DecodedPacket decoded = DecodeClientPacket(AsBytes(unread_));
    if (decoded.state == DecodedPacket::State::kNeedMore) return;
    if (decoded.state == DecodedPacket::State::kBroken) {
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
    if (!is_secure_) return Refuse(Reason::kTlsHandshake, why.message);
    Leave();
  }

  void OnKnown(const Result<Vehicle>& vehicle) {
    if (is_over_) return;
    if (!vehicle.ok()) {
      Answer(ConnectCode::kServerUnavailable);
      return Refuse(Reason::kRegistryDown, vehicle.error().message);
    }
    HandOver(*vehicle);
  }

  void OnOverdue() {
    if (is_over_ || is_asking_) return;  // the registry client has its own patience
    const Reason reason = is_secure_ ? Reason::kProtocol : Reason::kTlsHandshake;
    Refuse(reason, is_secure_ ? "no CONNECT in time" : "no TLS handshake in time");
  }

  Micros since() const { return since_; }

 private:
  void OnConnect(const ConnectPacket& connect, std::size_t bytes) {
    if (connect.answer != ConnectCode::kAccepted) {
      Answer(connect.answer);
      return Refuse(Reason::kProtocol, "CONNECT asks for what is not served (docs/mqtt.md)");
    }
    if (vin_.empty()) {
      Answer(ConnectCode::kNotAuthorized);
      return Refuse(Reason::kIdentity, nobody_);
    }
    keep_alive_s_ = connect.keep_alive_s;
    client_hash_ = ContentHash(AsBytes(connect.client_id));
    unread_.erase(0, bytes);
    if (const auto known = door_.parts_.registry.Find(vin_)) return HandOver(*known);
    is_asking_ = true;
    tls_->PauseReading();
    Door* door = &door_;
    door->parts_.registry.Resolve(vin_, [door, id = id_](Result<Vehicle> vehicle) {
      door->loop_.Post([door, id, vehicle = std::move(vehicle)]() mutable {
        door->OnKnown(id, std::move(vehicle));
      });
    });
  }

  void HandOver(const Vehicle& vehicle) {
    is_over_ = true;
    tls_->Detach();
    if (is_asking_) tls_->ResumeReading();
    VehicleConnection::Arrived arrived;
    arrived.tls = std::move(tls_);
    arrived.vehicle = vehicle;
    arrived.client_hash = client_hash_;
    arrived.keep_alive_s = keep_alive_s_;
    arrived.unread = std::move(unread_);
    door_.parts_.hand_over(vehicle.ref.PartitionOf(door_.parts_.partitions), std::move(arrived));
    door_.Remove(id_);
  }

  void Answer(ConnectCode code) {
    std::string answer;
    AppendConnAck(answer, code);
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
  bool is_asking_ = false;
  bool is_over_ = false;
  std::string vin_;
  std::string nobody_;
  std::string unread_;
  std::uint64_t client_hash_ = 0;
  std::uint16_t keep_alive_s_ = 0;
};

Door::Door(Parts parts)
    : parts_(std::move(parts)),
      connections_(parts_.counters.Get("connections_total")),
      shed_(parts_.counters.Get("connections_shed")) {
  loop_.SetOnTurn([this] { graveyard_.clear(); });
}

Door::~Door() { CHECK(!thread_.joinable()); }

Result<std::uint16_t> Door::Open(const std::string& address, std::uint16_t port) {
  ASSIGN_OR_RETURN(
      listener_, net::TlsListener::Listen(loop_, address, port, [this](int fd) { OnAccept(fd); }));
  refusals_to_log_ = kRefusalsLoggedPerSecond;
  sweeps_.Every(kSweepEvery, [this] { Sweep(); });
  const std::uint16_t in_use = listener_->port();
  thread_ = std::thread([this] { loop_.Run(); });
  return in_use;
}

void Door::Stop() {
  if (!thread_.joinable()) return;
  loop_.Post([this] {
    listener_.reset();
    sweeps_.Cancel();
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
  const std::uint64_t id = next_id_++;
  auto arrival = std::make_unique<Arrival>(*this, id);
  // Over the limit it is still taken and destroyed at once: that closes the descriptor.
  const Status begun = arrival->Begin(fd);
  if (!begun.ok() || is_scarce || arrivals_.size() >= kArrivalsMax) return shed_.Add();
  arrivals_.emplace(id, std::move(arrival));
}

void Door::OnKnown(std::uint64_t id, Result<Vehicle> vehicle) {
  const auto found = arrivals_.find(id);
  if (found != arrivals_.end()) found->second->OnKnown(vehicle);
}

void Door::Sweep() {
  refusals_to_log_ = kRefusalsLoggedPerSecond;
  const Micros now = parts_.clock.NowMonotonic();
  std::vector<Arrival*> overdue;
  for (const auto& [id, arrival] : arrivals_) {
    if ((now - arrival->since()).value > kArrivalWithinUs) overdue.push_back(arrival.get());
  }
  for (Arrival* arrival : overdue) arrival->OnOverdue();
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
