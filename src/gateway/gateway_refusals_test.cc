// How the door and the shards defend themselves: who does not read, a disk that fails, too many at
// once. Real TLS on loopback, the log on a disk that stalls and fails when it is told to.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/gateway_testing.h"
#include "gateway/mqtt_client_codec.h"
#include "telltale/v1/telemetry.pb.h"

namespace telltale::gateway {
namespace {

const std::string kVin = "WVWZZZ1JZXW000001";
const std::string kOtherVin = "WVWZZZ1JZXW000002";

class GatewayRefusalsTest : public testing::Test, protected HasSimDisk, protected TestInstallation {
 protected:
  GatewayRefusalsTest() : TestInstallation(&sim_) {}

  static std::string Connect(MqttVersion version) {
    std::string bytes;
    AppendConnect(bytes, {.client_id = "c", .keep_alive_s = 0, .version = version});
    return bytes;
  }
  std::unique_ptr<net::TestPeer> ConnectedCar(const std::string& vin, MqttVersion version) {
    auto car = std::make_unique<net::TestPeer>(
        *net::TlsContext::ForClient(certificates_.Vehicle(vin)), port_);
    car->Send(Connect(version));
    EXPECT_TRUE(car->WaitBytes(4));
    return car;
  }
  static void Ping(net::TestPeer& car) {
    const std::size_t before = car.received().size();
    std::string ping;
    AppendPingReq(ping);
    car.Send(ping);
    ASSERT_TRUE(car.WaitBytes(before + 2));
  }
};

TEST_F(GatewayRefusalsTest, WhoDoesNotReadItsAnswersIsPutOutAndOthersAreServed) {
  FakeRegistry registry(paths_.registry_socket());
  OpenDoor();
  auto other = ConnectedCar(kOtherVin, MqttVersion::k311);
  auto car = ConnectedCar(kVin, MqttVersion::k311);
  car->PauseReading();
  // More answers than the buffers of two sockets on loopback take.
  constexpr std::size_t kPings = 3u << 20;  // 2 bytes each
  std::string pings;
  for (std::size_t i = 0; i < kPings; ++i) AppendPingReq(pings);
  car->Send(std::move(pings));
  EXPECT_TRUE(WaitUntil([&] {
    clock_.MoveAhead(Micros{kSlowReaderWithinUs + 1});
    Ping(*other);
    return Drops(Reason::kSlowReader) > 0;
  }));
  EXPECT_EQ(Drops(Reason::kSlowReader), 1u);
  Ping(*other);
}

TEST_F(GatewayRefusalsTest, NothingIsAcknowledgedThatAFailingDiskDidNotTake) {
  FakeRegistry registry(paths_.registry_socket());
  OpenDoor();
  auto car = ConnectedCar(kVin, MqttVersion::k5);
  const std::size_t welcome = car->received().size();
  EXPECT_FALSE(gateway_->has_failed());
  sim_.FailAfter(0);
  car->Send(Publish5(1));
  ASSERT_TRUE(car->WaitClosed());
  EXPECT_EQ(HexEncode(car->received().substr(welcome)), "e00183") << "no PUBACK";
  EXPECT_EQ(Drops(Reason::kStorage), 1u);
  EXPECT_TRUE(WaitUntil([&] { return gateway_->has_failed(); })) << "so the process ends";
  EXPECT_EQ(counters_.Get("acks").value(), 0u);
}

TEST_F(GatewayRefusalsTest, WithoutATransportKeyWhatNeedsSealingIsNotAcknowledgedUntilThereIsOne) {
  FakeRegistry registry(paths_.registry_socket());
  const seal::KeyPair offline = *seal::MakeEd25519();
  Store("vault_offline.pub", offline.public_raw, false);
  OpenDoor();
  const std::string sealable = [] {
    v1::ReportBatch batch;
    batch.set_boot_counter(1);
    batch.set_boot_random(2);
    v1::Report& report = *batch.add_reports();
    report.set_seq(1);
    report.set_event_time_us(1'700'000'000'000'000);
    report.set_latitude_deg(52.5);
    std::string bytes;
    AppendPublish(bytes, {.topic = kReportsTopic,
                          .payload = batch.SerializeAsString(),
                          .qos = 1,
                          .packet_id = 1,
                          .version = MqttVersion::k5});
    return bytes;
  }();
  auto car = ConnectedCar(kVin, MqttVersion::k5);
  const std::size_t welcome = car->received().size();
  car->Send(sealable);
  ASSERT_TRUE(car->WaitClosed());
  EXPECT_EQ(HexEncode(car->received().substr(welcome)), "e00188") << "no PUBACK";
  EXPECT_EQ(Drops(Reason::kNoTransportKey), 1u);
  EXPECT_EQ(counters_.Get("transport_keys_missing").value(), 1u);
  auto plain = ConnectedCar(kOtherVin, MqttVersion::k5);
  const std::size_t before = plain->received().size();
  plain->Send(Publish5(1));
  EXPECT_TRUE(plain->WaitBytes(before + 4)) << "nothing in it needs sealing";

  CHECK(disk_.MakeFolders("/transport").ok());
  const Micros now = clock_.NowUtc();
  const auto key =
      *seal::MakeTransportKey(disk_, "/transport", now, now + Micros::Seconds(86'400), false);
  Put(paths_.keys() + "/transport.bundle",
      *seal::SignBundle(seal::EncodeUnsigned({1, now, {key}}), offline.private_raw));
  gateway_->RefreshTransportKeys();
  auto again = ConnectedCar(kVin, MqttVersion::k5);
  const std::size_t welcomed = again->received().size();
  again->Send(sealable);
  EXPECT_TRUE(again->WaitBytes(welcomed + 4));
  EXPECT_EQ(HexEncode(again->received().substr(welcomed, 1)), "40");
  EXPECT_EQ(Drops(Reason::kNoTransportKey), 1u);
}

TEST_F(GatewayRefusalsTest, MoreUnderWayThanTheReceiveMaximumIsRefusedInMqtt5) {
  FakeRegistry registry(paths_.registry_socket());
  OpenDoor();
  auto car = ConnectedCar(kVin, MqttVersion::k5);
  const std::size_t welcome = car->received().size();
  sim_.PauseSyncs();
  std::string publishes;
  for (std::uint16_t id = 1; id <= kInFlightMax; ++id) publishes += Publish5(id);
  const std::string one_more = Publish5(kInFlightMax + 1);
  ASSERT_LT(publishes.size() + one_more.size(), 16u << 10) << "one TLS record, so one read";
  car->Send(publishes + one_more);
  EXPECT_TRUE(car->WaitClosed());
  sim_.ResumeSyncs();
  EXPECT_EQ(HexEncode(car->received().substr(welcome)), "e00193");
  EXPECT_EQ(Drops(Reason::kProtocol), 1u);
}

TEST_F(GatewayRefusalsTest, AsManyAsTheReceiveMaximumMayBeUnderWay) {
  FakeRegistry registry(paths_.registry_socket());
  OpenDoor();
  auto car = ConnectedCar(kVin, MqttVersion::k5);
  const std::size_t welcome = car->received().size();
  sim_.PauseSyncs();
  std::string publishes;
  std::string acknowledged;
  for (std::uint16_t id = 1; id <= kInFlightMax; ++id) {
    publishes += Publish5(id);
    AppendPubAck(acknowledged, id);
  }
  car->Send(publishes);
  sim_.WaitForPausedSync();
  EXPECT_EQ(car->received().size(), welcome) << "nothing is durable yet";
  sim_.ResumeSyncs();
  ASSERT_TRUE(car->WaitBytes(welcome + acknowledged.size()));
  EXPECT_EQ(car->received().substr(welcome), acknowledged);
}

// Connects and says nothing.
class MutePeer {
 public:
  explicit MutePeer(std::uint16_t port) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
  }
  ~MutePeer() { Leave(); }
  void Leave() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }

 private:
  int fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
};

class HandshakeQueueTest : public GatewayRefusalsTest {
 protected:
  HandshakeQueueTest() {
    registry_client_->Start([](VehicleRef, const Vehicle&) {});
    net::TlsFiles theirs = certificates_.server();
    theirs.ca = foreign_.ca();
    // The third handshake alone takes the foreign car, so it tells in which order they came.
    contexts_ = {ServerOf(certificates_.server()), ServerOf(certificates_.server()),
                 ServerOf(theirs)};
    const auto port = door_.Open("127.0.0.1", 0);
    CHECK(port.ok());
    port_ = *port;
  }
  ~HandshakeQueueTest() override {
    door_.Stop();
    registry_client_.reset();  // its answers go to the door's loop
  }

  static net::TlsContext ServerOf(const net::TlsFiles& files) {
    return *net::TlsContext::ForServer(files);
  }
  std::unique_ptr<net::TestPeer> Car(net::TlsFiles files) {
    files.ca = certificates_.ca();
    auto car = std::make_unique<net::TestPeer>(*net::TlsContext::ForClient(files), port_);
    car->Send(Connect(MqttVersion::k311));
    return car;
  }
  void WaitAccepted(std::uint64_t count) {
    ASSERT_TRUE(WaitUntil([&] { return counters_.Get("connections_total").value() == count; }));
  }

  FakeRegistry registry_{paths_.registry_socket()};
  std::unique_ptr<RegistryClient> registry_client_ = std::make_unique<RegistryClient>(
      RegistryClient::Options{paths_.registry_socket()}, counters_);
  net::TestCertificates foreign_{folder_ + "/foreign", clock_.NowUtc()};
  std::vector<net::TlsContext> contexts_;
  std::atomic<std::size_t> begun_{0};
  std::atomic<int> handed_over_{0};
  Door door_{{.tls = [this] { return contexts_.at(begun_++); },
              .registry = *registry_client_,
              .clock = clock_,
              .counters = counters_,
              .partitions = 8,
              .hand_over = [this](PartitionId, VehicleConnection::Arrived) { ++handed_over_; },
              .update = [](VehicleRef, const Vehicle&) {},
              .limits = {.handshakes = 1, .waiting = 2, .sweep_every = kSweepEvery}}};
};

TEST_F(HandshakeQueueTest, WhoComesDuringAStormWaitsInOrderAndWhoIsTooManyIsShed) {
  MutePeer mute(port_);
  ASSERT_TRUE(WaitUntil([&] { return begun_ == 1; }));
  auto first = Car(certificates_.Vehicle(kVin));
  WaitAccepted(2);
  auto second = Car(foreign_.Vehicle(kOtherVin));
  WaitAccepted(3);
  auto one_too_many = Car(certificates_.Vehicle(kVin));
  ASSERT_TRUE(one_too_many->WaitClosed());
  EXPECT_EQ(Drops(Reason::kShed), 1u);
  EXPECT_EQ(begun_.load(), 1u) << "the two still wait";
  mute.Leave();
  ASSERT_TRUE(WaitUntil([&] { return handed_over_ == 2; }));
  EXPECT_EQ(begun_.load(), 3u);
  EXPECT_EQ(Drops(Reason::kTlsHandshake), 1u) << "the one that said nothing";
}

TEST_F(HandshakeQueueTest, WhoSaysNothingHoldsUpTheOthersForASecond) {
  MutePeer mute(port_);
  ASSERT_TRUE(WaitUntil([&] { return begun_ == 1; }));
  auto car = Car(certificates_.Vehicle(kVin));
  WaitAccepted(2);
  clock_.MoveAhead(Micros{kHandshakeCountsForUs + 1});
  ASSERT_TRUE(WaitUntil([&] { return handed_over_ == 1; }));
  EXPECT_EQ(Drops(Reason::kTlsHandshake), 0u) << "it may still go on";
}

}  // namespace
}  // namespace telltale::gateway
