// For tests and the bench: a folder as `telltale init` makes one, a registry that knows everybody,
// and a gateway on them.
#pragma once

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/local_socket.h"
#include "base/sim_disk.h"
#include "gateway/gateway.h"
#include "gateway/mqtt_client_codec.h"
#include "internal/v1/internal.pb.h"
#include "internal/v1/local.pb.h"
#include "net/tls_test_peer.h"
#include "telltale/v1/telemetry.pb.h"

namespace telltale::gateway {

inline std::string MakeTemporaryFolder() {
  std::string path = "/tmp/telltale-gw-XXXXXX";
  CHECK(mkdtemp(path.data()) != nullptr);
  return path;
}

// A PUBLISH of MQTT 5 with one report, which has `id` as its number too.
inline std::string Publish5(std::uint16_t id, std::string_view properties = {},
                            std::string_view topic = kReportsTopic, std::uint8_t qos = 1) {
  v1::ReportBatch batch;
  batch.set_boot_counter(1);
  batch.set_boot_random(2);
  batch.add_reports()->set_seq(id);
  batch.mutable_reports(0)->set_event_time_us(1'700'000'000'000'000);
  const std::string payload = batch.SerializeAsString();
  std::string bytes;
  AppendPublish(bytes, {.topic = topic,
                        .payload = payload,
                        .qos = qos,
                        .packet_id = id,
                        .version = MqttVersion::k5,
                        .properties = properties});
  return bytes;
}

// For what happens on another thread; false: it did not in TestPeer's patience.
inline bool WaitUntil(const std::function<bool()>& condition) {
  const SystemClock clock;
  const Micros until = clock.NowMonotonic() + Micros::Seconds(net::TestPeer::kPatience.count());
  while (!condition()) {
    if (clock.NowMonotonic() > until) return false;
    std::this_thread::yield();
  }
  return true;
}

// Stands in for the registry role: adds whatever vehicle it is asked for.
class FakeRegistry {
 public:
  explicit FakeRegistry(const std::string& path) {
    auto made = LocalListener::Listen(path, 0600);
    CHECK(made.ok());
    listener_.emplace(std::move(made).value());
    thread_ = std::thread([this] { Serve(); });
  }
  ~FakeRegistry() {
    is_stopping_ = true;
    thread_.join();
    for (std::thread& thread : connections_) thread.join();
  }
  // Tells whoever follows the map that the vehicle has another owner.
  void ChangeOwner(const std::string& vin, VehicleRef ref) {
    std::lock_guard lock(mutex_);
    changes_.emplace_back(vin, ref);
  }
  static VehicleRef RefOf(const std::string& vin) {
    // The VIN's last digits, so also the partition.
    const unsigned number = static_cast<unsigned>(std::stoul(vin.substr(11)));
    VehicleRef ref;
    ref.bytes[6] = static_cast<std::uint8_t>(number >> 8);
    ref.bytes[7] = static_cast<std::uint8_t>(number & 0xFF);
    ref.bytes[15] = 1;
    return ref;
  }

 private:
  static constexpr std::chrono::milliseconds kPatience{20};
  void Serve() {
    while (!is_stopping_) {
      auto connection = listener_->Accept(kPatience);
      if (!connection.ok() || !connection->has_value()) continue;
      connections_.emplace_back(
          [this, owned = std::move(**connection)]() mutable { Talk(std::move(owned)); });
    }
  }
  static void AddRow(internal::v1::RegistryMessage& message, const std::string& vin,
                     VehicleRef ref) {
    internal::v1::VehicleRow& row = *message.mutable_rows()->add_rows();
    row.set_vin(vin);
    row.set_vehicle_ref(ref.bytes.data(), ref.bytes.size());
  }
  static std::string RowsOf(const std::string& vin, VehicleRef ref, bool added) {
    internal::v1::RegistryMessage message;
    message.mutable_rows()->set_complete(true);
    message.mutable_rows()->set_added(added);
    AddRow(message, vin, ref);
    return message.SerializeAsString();
  }
  // As the real one: whoever was named before is in the map, or the gateway would forget them.
  std::string Map() {
    internal::v1::RegistryMessage message;
    message.mutable_rows()->set_complete(true);
    std::lock_guard lock(mutex_);
    for (const std::string& vin : named_) AddRow(message, vin, RefOf(vin));
    return message.SerializeAsString();
  }
  std::string Named(const std::string& vin) {
    std::lock_guard lock(mutex_);
    named_.insert(vin);
    return RowsOf(vin, RefOf(vin), true);
  }
  void Talk(LocalConnection connection) {
    bool is_follower = false;
    std::size_t told = 0;
    while (!is_stopping_) {
      while (is_follower) {
        std::lock_guard lock(mutex_);
        if (told == changes_.size()) break;
        const auto& [vin, ref] = changes_[told++];
        if (!connection.Send(RowsOf(vin, ref, false)).ok()) return;
      }
      const auto frame = connection.Receive(kPatience);
      if (!frame.ok()) return;
      if (!frame->has_value()) continue;
      internal::v1::RegistryRequest request;
      CHECK(request.ParseFromString(**frame));
      if (request.has_subscribe()) is_follower = true;
      const std::string reply = request.has_resolve() ? Named(request.resolve().vin()) : Map();
      if (!connection.Send(reply).ok()) return;
    }
  }

  std::optional<LocalListener> listener_;
  std::mutex mutex_;
  std::vector<std::pair<std::string, VehicleRef>> changes_;
  std::set<std::string> named_;  // VINs
  std::atomic<bool> is_stopping_{false};
  std::thread thread_;
  std::vector<std::thread> connections_;
};

// Real time, and monotonic time that a test may move ahead.
class ShiftedClock final : public Clock {
 public:
  Micros NowUtc() const override { return system_.NowUtc(); }
  Micros NowMonotonic() const override { return system_.NowMonotonic() + Micros{ahead_us_.load()}; }
  void MoveAhead(Micros by) { ahead_us_ += by.value; }

 private:
  SystemClock system_;
  std::atomic<std::int64_t> ahead_us_{0};
};

// A base of tests whose installation keeps its log in memory, where nothing waits for a device.
struct HasSimDisk {  // before TestInstallation, which is made on it
  SimDisk sim_;
};

class TestInstallation {
 public:
  std::uint64_t Drops(Reason reason) { return counters_.Drops("gateway", reason).value(); }
  // `disk` (null: the real one) has keys, contracts and the log; certificates and sockets are files
  // in any case.
  explicit TestInstallation(Disk* disk = nullptr) : disk_(disk != nullptr ? *disk : posix_) {
    config_.mqtt_port = 0;
    config_.log_partitions = 8;
    config_.log_shards = 2;
    config_.log_segment_bytes = 4u << 20;
    const std::string certs = paths_.certs();
    // The gateway looks for the CA and its certificate where `init` puts them.
    for (const auto& [from, to] : {std::pair{certificates_.ca(), paths_.ca() + "/ca.crt"},
                                   {certificates_.server().certificate, certs + "/server.crt"},
                                   {certificates_.server().key, certs + "/server.key"}}) {
      PutOnDisk(to, *ReadWholeFile(posix_, from));
    }
    const auto gateway_key = *seal::MakeEd25519();
    const auto vault_key = *seal::MakeX25519();
    Store("gateway.key", gateway_key.private_raw, true);
    Store("vault_seal.pub", vault_key.public_raw, false);
    Store("control.pub", control_.public_raw, false);
    contract_ = *ReadWholeFile(posix_, TELLTALE_BUILD_DIR "/share/telltale/contract.desc");
    digest_ = HexEncode(seal::Sha256(contract_));
    Put(paths_.contracts() + "/" + digest_ + ".desc", contract_);
    CHECK(posix_.MakeFolders(ParentFolder(paths_.registry_socket()), 0750).ok());
    CHECK(posix_.MakeFolders(ParentFolder(paths_.log_socket()), 0750).ok());
  }
  ~TestInstallation() {
    gateway_.reset();
    std::filesystem::remove_all(folder_);
  }

  void Put(const std::string& path, const std::string& content) {
    CHECK(disk_.MakeFolders(ParentFolder(path), 0750).ok());
    CHECK(WriteFileDurably(disk_, path, content).ok());
  }
  void PutOnDisk(const std::string& path, const std::string& content) {
    CHECK(posix_.MakeFolders(ParentFolder(path), 0750).ok());
    CHECK(WriteFileDurably(posix_, path, content).ok());
  }
  void Store(const std::string& name, const std::string& raw, bool is_private) {
    CHECK(disk_.MakeFolders(paths_.keys(), 0750).ok());
    CHECK(seal::StoreKey(disk_, paths_.keys() + "/" + name, raw, is_private).ok());
  }
  void Start() {
    auto made = Gateway::Start(config_, paths_,
                               {disk_, clock_, counters_, *streams_, vehicle_rate_, kSweepEvery});
    CHECK(made.ok());
    gateway_ = std::move(made).value();
  }
  void OpenDoor() {
    Start();
    CHECK(SendConfig(Signed(1, control_)).empty());
    const auto port = gateway_->OpenDoor();
    CHECK(port.ok());
    port_ = *port;
  }
  std::string Signed(std::uint64_t seq, const seal::KeyPair& key) {
    internal::v1::ConfigRecord record;
    record.set_config_seq(seq);
    record.set_contract_number(static_cast<std::uint32_t>(seq));
    record.set_contract_digest(digest_);
    internal::v1::SignedConfig envelope;
    envelope.set_record(record.SerializeAsString());
    envelope.set_signature(*seal::SignEd25519(key.private_raw, envelope.record()));
    envelope.set_key_id(seal::KeyId(key.public_raw));
    return envelope.SerializeAsString();
  }
  // Empty when it was taken, else the code of the failure.
  std::string SendConfig(const std::string& signed_config) {
    auto connection = LocalConnection::Connect(paths_.append_socket());
    CHECK(connection.ok() && connection->Send(signed_config).ok());
    const auto frame = connection->Receive(std::chrono::seconds(20));
    CHECK(frame.ok() && frame->has_value());
    internal::v1::AppendReply reply;
    CHECK(reply.ParseFromString(**frame));
    return reply.ok() ? "" : reply.failure().code();
  }

  static constexpr std::chrono::milliseconds kSweepEvery{20};

  const std::string folder_ = MakeTemporaryFolder();
  const Paths paths_{folder_};
  PosixDisk posix_;
  Disk& disk_;
  const std::unique_ptr<log::Streams> streams_ = log::StreamsOnFiles(disk_, paths_.log());
  ShiftedClock clock_;  // TLS looks at the real time, too
  Counters counters_;
  Config config_;
  ByteBudget::Rate vehicle_rate_;
  const seal::KeyPair control_ = *seal::MakeEd25519();
  net::TestCertificates certificates_{folder_ + "/test", clock_.NowUtc()};
  std::string contract_;
  std::string digest_;
  std::unique_ptr<Gateway> gateway_;
  std::uint16_t port_ = 0;
};

}  // namespace telltale::gateway
