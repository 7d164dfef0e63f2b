#include "sim/fleet.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/stop.h"
#include "gateway/mqtt_client_codec.h"

namespace telltale::sim {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kRetryFirst{100};
constexpr milliseconds kRetryMost{2000};
constexpr milliseconds kPingEvery{20'000};
constexpr milliseconds kProgressEvery{1000};
constexpr std::uint16_t kKeepAliveS = 60;
// Handshakes cost the gateway a millisecond each: cars arrive spread out, as cars do.
constexpr milliseconds kConnectSpacing{4};
constexpr std::string_view kTopic = "telltale/v1/reports";

milliseconds ToMillis(std::int64_t us) {
  return milliseconds(std::max<std::int64_t>(0, us / 1000));
}

struct Shared {
  net::EventLoop& loop;
  const FleetOptions& options;
  Clock& clock;
  Record& record;
  Micros started_at;
  std::size_t connected = 0;
};

// One car on the network.
class Driver final : public net::TlsConnection::Owner {
 public:
  Driver(FleetCar car, net::TlsContext context, Shared& shared)
      : plan_(std::move(car)),
        context_(std::move(context)),
        shared_(shared),
        car_(plan_.car, shared.record),
        drive_timer_(shared.loop),
        connect_timer_(shared.loop),
        ping_timer_(shared.loop) {}

  void Start(milliseconds connect_after) {
    connect_timer_.After(connect_after, [this] { Connect(); });
    has_moment_ = plan_.source->Next(moment_);
    Drive();
  }
  bool finished() const { return is_flushed_ && car_.idle(); }
  std::size_t unacknowledged() const { return car_.unacknowledged(); }

  void OnHandshake() override {
    std::string out;
    gateway::AppendConnect(out, {.client_id = plan_.car.vin, .keep_alive_s = kKeepAliveS});
    connection_->Write(out);
  }

  void OnBytes(ByteSpan bytes) override {
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

  void OnClosed(const Error& why) override {
    if (why.code == Code::kRefused) ++shared_.record.totals().refused_connections;
    Reconnect();
  }

 private:
  std::int64_t Elapsed() const { return shared_.clock.NowUtc().value - shared_.started_at.value; }
  std::int64_t DueAfterStart(std::int64_t at_us) const {
    return plan_.start_after_us +
           static_cast<std::int64_t>(static_cast<double>(at_us) / shared_.options.speedup);
  }
  bool InHole() const { return Elapsed() >= plan_.hole_from_us && Elapsed() < plan_.hole_to_us; }

  Micros EventTime(std::int64_t at_us, Micros due) const {
    if (plan_.keep_times_from_us != 0) return Micros{plan_.keep_times_from_us + at_us};
    if (!plan_.shift_to_end) return due;
    const std::int64_t last_due = shared_.started_at.value + DueAfterStart(plan_.length_us);
    return Micros{last_due - (plan_.length_us - at_us)};
  }

  // Takes every moment that is due, then sleeps until the next.
  void Drive() {
    while (has_moment_ && DueAfterStart(moment_.at_us) <= Elapsed()) {
      const Micros due{shared_.started_at.value + DueAfterStart(moment_.at_us)};
      if (DueAfterStart(moment_.at_us) >= plan_.hole_from_us) {
        car_.SetCoverageFrom(Micros{shared_.started_at.value + plan_.hole_to_us});
      }
      car_.Take(moment_, due, EventTime(moment_.at_us, due));
      has_moment_ = plan_.source->Next(moment_);
    }
    if (plan_.hole_to_us > 0 && InHole() && connection_ != nullptr) Reconnect();
    if (!has_moment_ && !is_flushed_) {
      car_.Flush(shared_.clock.NowUtc());
      is_flushed_ = true;
    }
    Pump();
    if (!has_moment_) return;
    drive_timer_.After(ToMillis(DueAfterStart(moment_.at_us) - Elapsed()) + milliseconds(1),
                       [this] { Drive(); });
  }

  void Connect() {
    if (finished()) return;
    if (plan_.hole_to_us > 0 && InHole()) {
      connect_timer_.After(ToMillis(plan_.hole_to_us - Elapsed()) + milliseconds(1),
                           [this] { Connect(); });
      return;
    }
    auto connection = net::TlsConnection::Connect(
        shared_.loop, context_,
        {.host = shared_.options.host, .port = shared_.options.port(), .verify_host = true}, *this);
    ++shared_.record.totals().connections;
    if (!connection.ok()) return Reconnect();
    connection_ = std::move(connection).value();
  }

  void Reconnect() {
    connection_.reset();
    in_.clear();
    if (is_accepted_) --shared_.connected;
    is_accepted_ = false;
    ping_timer_.Cancel();
    car_.OnDisconnected();
    connect_timer_.After(retry_, [this] { Connect(); });
    retry_ = std::min(retry_ * 2, kRetryMost);
  }

  bool Handle(const gateway::ServerPacket& packet) {
    if (const auto* ack = std::get_if<gateway::ConnAckPacket>(&packet)) {
      if (ack->code != 0) {
        ++shared_.record.totals().refused_connections;
        return false;
      }
      is_accepted_ = true;
      ++shared_.connected;
      retry_ = kRetryFirst;
      ping_timer_.Every(kPingEvery, [this] { Ping(); });
      return true;
    }
    if (const auto* ack = std::get_if<gateway::PubAckPacket>(&packet)) {
      return car_.OnPubAck(ack->packet_id, shared_.clock.NowUtc());
    }
    return true;
  }

  void Ping() {
    std::string out;
    gateway::AppendPingReq(out);
    if (connection_ != nullptr) connection_->Write(out);
  }

  // Puts what waits on the wire; when all is said and acknowledged, leaves.
  void Pump() {
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
    if (!finished()) return;
    packet_.clear();
    gateway::AppendDisconnect(packet_);
    connection_->Write(packet_);
    connection_->Finish();
    ping_timer_.Cancel();
    is_accepted_ = false;
    --shared_.connected;
    // Not destroyed here: Pump() may run inside one of its callbacks.
    shared_.loop.Post([this] { connection_.reset(); });
  }

  FleetCar plan_;
  net::TlsContext context_;
  Shared& shared_;
  Car car_;
  net::Timer drive_timer_;
  net::Timer connect_timer_;
  net::Timer ping_timer_;
  std::unique_ptr<net::TlsConnection> connection_;
  std::string in_;
  std::string packet_;
  TimedReport moment_;
  bool has_moment_ = false;
  bool is_accepted_ = false;
  bool is_flushed_ = false;
  milliseconds retry_ = kRetryFirst;
};

class Fleet {
 public:
  Fleet(const FleetOptions& options, Clock& clock, Record& record)
      : shared_{.loop = loop_,
                .options = options,
                .clock = clock,
                .record = record,
                .started_at = clock.NowUtc()},
        watch_timer_(loop_) {}

  Status Add(FleetCar car) {
    longest_us_ = std::max(longest_us_, car.start_after_us + car.length_us);
    auto context = net::TlsContext::ForClient(
        {.ca = shared_.options.ca, .certificate = car.certificate, .key = car.key});
    if (!context.ok()) return context.error();
    drivers_.push_back(
        std::make_unique<Driver>(std::move(car), std::move(context).value(), shared_));
    return Ok();
  }

  Status Run(const std::function<void(const FleetProgress&)>& on_progress) {
    shared_.started_at = shared_.clock.NowUtc();
    milliseconds connect_after{0};
    for (const auto& driver : drivers_) {
      driver->Start(connect_after);
      connect_after += kConnectSpacing;
    }
    next_progress_us_ = 0;
    watch_timer_.Every(milliseconds(50), [&] { Watch(on_progress); });
    loop_.Run();
    on_progress(Progress());
    RETURN_IF_ERROR(shared_.record.Flush());
    const FleetProgress end = Progress();
    if (end.finished == end.cars) return Ok();
    return Error{Code::kUnavailable,
                 fmt::format("{} of {} cars did not get everything acknowledged ({} batches open)",
                             end.cars - end.finished, end.cars, end.unacknowledged_batches)};
  }

 private:
  FleetProgress Progress() const {
    FleetProgress progress;
    progress.elapsed_us = shared_.clock.NowUtc().value - shared_.started_at.value;
    progress.cars = drivers_.size();
    progress.connected = shared_.connected;
    for (const auto& driver : drivers_) {
      if (driver->finished()) ++progress.finished;
      progress.unacknowledged_batches += driver->unacknowledged();
    }
    return progress;
  }

  void Watch(const std::function<void(const FleetProgress&)>& on_progress) {
    const FleetProgress now = Progress();
    if (now.elapsed_us >= next_progress_us_) {
      on_progress(now);
      next_progress_us_ += std::chrono::microseconds(kProgressEvery).count();
    }
    const auto all_said_us =
        static_cast<std::int64_t>(static_cast<double>(longest_us_) / shared_.options.speedup);
    const bool too_late = now.elapsed_us > all_said_us + shared_.options.drain_us;
    // One connection may still be saying goodbye: all are gone before the loop ends.
    const bool done = now.finished == now.cars && now.connected == 0;
    if (done || too_late || StopRequested()) loop_.Stop();
  }

  net::EventLoop loop_;
  Shared shared_;
  std::vector<std::unique_ptr<Driver>> drivers_;
  net::Timer watch_timer_;
  std::int64_t longest_us_ = 0;
  std::int64_t next_progress_us_ = 0;
};

}  // namespace

Status RunFleet(std::vector<FleetCar> cars, const FleetOptions& options, Clock& clock,
                Record& record, const std::function<void(const FleetProgress&)>& on_progress) {
  Fleet fleet(options, clock, record);
  for (FleetCar& car : cars) {
    RETURN_IF_ERROR(fleet.Add(std::move(car)));
  }
  return fleet.Run(on_progress);
}

}  // namespace telltale::sim
