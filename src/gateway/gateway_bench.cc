// How many reports a second come through TLS, the split, the seal and the log to their PUBACK:
// gateway and cars in one process on loopback. gateway_bench [cars] [seconds] [batches in flight].
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>

#include "gateway/gateway_testing.h"
#include "gateway/mqtt_client_codec.h"
#include "net/tls_descriptor_limit.h"
#include "telltale/v1/telemetry.pb.h"

namespace telltale::gateway {
namespace {

constexpr int kReportsPerBatch = 50;

std::string MakeBatch() {
  v1::ReportBatch batch;
  batch.set_boot_counter(1);
  batch.set_boot_random(2);
  batch.set_firmware("2.0.0");
  for (int i = 0; i < kReportsPerBatch; ++i) {
    v1::Report& report = *batch.add_reports();
    const auto number = static_cast<float>(i);
    report.set_seq(static_cast<std::uint64_t>(i));
    report.set_event_time_us(1'700'000'000'000'000 + i * 200'000);
    report.set_speed_kmh(50 + number);
    report.set_acceleration_longitudinal_mps2(0.1f * number);
    report.set_acceleration_lateral_mps2(0.2f);
    report.set_yaw_rate_dps(1.5f);
    report.set_brake_pedal_percent(0);
    report.set_is_abs_engaged(false);
    report.set_engine_speed_rpm(2000 + number);
    report.set_engine_load_percent(40);
    report.set_coolant_temperature_c(90);
    report.set_throttle_percent(20);
    report.set_mass_air_flow_gps(12);
    report.set_intake_air_temperature_c(25);
    report.set_low_voltage_battery_v(14.1f);
    report.set_is_ignition_on(true);
    report.set_odometer_km(12345.6 + i);
    report.set_latitude_deg(52.5 + 1e-4 * i);
    report.set_longitude_deg(13.4 + 1e-4 * i);
    report.set_altitude_m(35);
    report.set_heading_deg(90);
    report.set_horizontal_accuracy_m(3);
  }
  return batch.SerializeAsString();
}

// Keeps `in_flight` batches on their way; all cars share one loop and so one core.
class BenchCar final : public net::TlsConnection::Owner {
 public:
  BenchCar(net::EventLoop& loop, const net::TlsContext& tls, std::uint16_t port, int in_flight,
           const std::string& batch, std::atomic<std::uint64_t>& acks)
      : batch_(batch), in_flight_(in_flight), acks_(acks) {
    auto made = net::TlsConnection::Connect(loop, tls, {.port = port}, *this);
    CHECK(made.ok());
    connection_ = std::move(made).value();
  }
  void OnHandshake() override {
    std::string bytes;
    AppendConnect(bytes, {.client_id = "bench"});
    connection_->Write(bytes);
  }
  void OnBytes(ByteSpan bytes) override {
    unread_.append(AsText(bytes));
    std::size_t used = 0;
    while (true) {
      const auto decoded = DecodeServerPacket(AsBytes(unread_).subspan(used));
      if (decoded.state != DecodedServerPacket::State::kPacket) break;
      used += decoded.bytes;
      if (std::holds_alternative<PubAckPacket>(decoded.packet)) {
        ++acks_;
        if (in_flight_ > 0) Publish();
      }
      if (std::holds_alternative<ConnAckPacket>(decoded.packet)) {
        is_connected = true;
        for (int i = 0; i < in_flight_; ++i) Publish();
      }
    }
    unread_.erase(0, used);
  }
  void OnClosed(const Error& why) override { fmt::print(stderr, "{}\n", why.ToString()); }
  bool is_connected = false;

 private:
  void Publish() {
    next_ = next_ == 0xFFFF ? 1 : next_ + 1u;
    std::string bytes;
    AppendPublish(bytes, {.topic = kReportsTopic,
                          .payload = batch_,
                          .packet_id = static_cast<std::uint16_t>(next_)});
    connection_->Write(bytes);
  }
  const std::string& batch_;
  const int in_flight_;
  std::atomic<std::uint64_t>& acks_;
  unsigned next_ = 0;
  std::string unread_;
  std::unique_ptr<net::TlsConnection> connection_;
};

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Peak of the process so far, in KiB.
std::uint64_t ResidentKib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss);
}

int Run(int cars, int seconds, int in_flight) {
  net::RaiseDescriptorLimit();
  TestInstallation installation;
  FakeRegistry registry(installation.paths_.registry_socket());
  installation.config_.log_partitions = 64;
  installation.config_.log_segment_bytes = 64u << 20;
  // Few cars carry a whole fleet's load here.
  installation.vehicle_rate_ = {.bytes_per_second = 1ll << 40, .burst_bytes = 1ll << 40};
  installation.OpenDoor();
  const std::string batch = MakeBatch();
  fmt::print("batch {} bytes, {} a report\n", batch.size(), batch.size() / kReportsPerBatch);
  std::atomic<std::uint64_t> acks{0};
  const std::uint64_t resident_before = ResidentKib();
  net::EventLoop loop;
  std::vector<std::unique_ptr<BenchCar>> all;
  for (int i = 0; i < cars; ++i) {
    const auto files = installation.certificates_.Vehicle(fmt::format("WVWZZZ1JZXW{:06}", i));
    const auto tls = net::TlsContext::ForClient(files);
    CHECK(tls.ok());
    all.push_back(
        std::make_unique<BenchCar>(loop, *tls, installation.port_, in_flight, batch, acks));
  }
  net::Timer start(loop);
  net::Timer end(loop);
  std::uint64_t before = 0;
  double cpu = 0;
  start.Every(std::chrono::milliseconds(200), [&] {
    const bool is_whole =
        std::all_of(all.begin(), all.end(), [](const auto& car) { return car->is_connected; });
    if (!is_whole) return;
    start.Cancel();
    before = acks;
    cpu = CpuSeconds();
    end.After(std::chrono::seconds(seconds), [&] { loop.Stop(); });
  });
  loop.Run();
  const double reports = static_cast<double>((acks - before) * kReportsPerBatch);
  fmt::print("{} cars, {} batches in flight each: {:.0f} reports/s acknowledged, {:.2f} of CPU\n",
             cars, in_flight, reports / seconds, (CpuSeconds() - cpu) / seconds);
  fmt::print("{} KiB a car, both ends of its connection and the log's memory\n",
             (ResidentKib() - resident_before) / static_cast<std::uint64_t>(cars));
  all.clear();
  installation.gateway_->Stop();
  fmt::print("{} acknowledged in all, {} telemetry records, {} pauses\n", acks * kReportsPerBatch,
             installation.counters_.Get("records.telemetry").value(),
             installation.counters_.Get("reading_pauses").value());
  return 0;
}

}  // namespace
}  // namespace telltale::gateway

int main(int argc, char** argv) {
  const auto argument = [&](int i, int otherwise) {
    return i < argc ? std::stoi(argv[i]) : otherwise;
  };
  return telltale::gateway::Run(argument(1, 8), argument(2, 5), argument(3, 4));
}
