// The whole door over real TLS on loopback, with a real log on a disk in memory.
#include <gtest/gtest.h>

#include <set>

#include "gateway/gateway_testing.h"
#include "gateway/mqtt_client_codec.h"
#include "gateway/streams.h"
#include "telltale/v1/telemetry.pb.h"

namespace telltale::gateway {
namespace {

const std::string kVin = "WVWZZZ1JZXW000001";
const std::string kOtherVin = "WVWZZZ1JZXW000002";

class GatewayTest : public testing::Test, protected HasSimDisk, protected TestInstallation {
 protected:
  GatewayTest() : TestInstallation(&sim_) {}
  std::unique_ptr<net::TestPeer> Car(const net::TlsFiles& files) {
    return std::make_unique<net::TestPeer>(*net::TlsContext::ForClient(files), port_);
  }
  std::unique_ptr<net::TestPeer> ConnectedCar(const std::string& vin) {
    auto car = Car(certificates_.Vehicle(vin));
    std::string bytes;
    AppendConnect(bytes, {.client_id = vin});
    car->Send(bytes);
    EXPECT_TRUE(car->WaitBytes(4));
    EXPECT_EQ(HexEncode(car->received().substr(0, 4)), "20020000");
    return car;
  }
  static std::string Batch(std::uint64_t first_seq, int reports) {
    v1::ReportBatch batch;
    batch.set_boot_counter(1);
    batch.set_boot_random(2);
    batch.set_firmware("1.0.0");
    for (int i = 0; i < reports; ++i) {
      v1::Report& report = *batch.add_reports();
      report.set_seq(first_seq + static_cast<std::uint64_t>(i));
      report.set_event_time_us(1'700'000'000'000'000 + i);
      report.set_speed_kmh(50);
      report.set_latitude_deg(52.5200066);
      report.set_longitude_deg(13.4049540);
    }
    return batch.SerializeAsString();
  }
  static std::string Publish(std::uint16_t id, const std::string& payload,
                             std::string_view topic = kReportsTopic, std::uint8_t qos = 1) {
    std::string bytes;
    AppendPublish(bytes, {.topic = topic, .payload = payload, .qos = qos, .packet_id = id});
    return bytes;
  }
  // Everything durable in a stream, all shards.
  struct Stored {
    log::RecordHeader header;
    std::string payload;
  };
  std::vector<Stored> Read(const std::string& stream, log::RecordKind kind) {
    std::vector<Stored> records;
    for (std::uint16_t shard = 0; shard < config_.log_shards; ++shard) {
      auto reader = log::Reader::Open(disk_, paths_.log(), stream, ShardId{shard}, {});
      CHECK(reader.ok());
      while (true) {
        const auto next = (*reader)->Next();
        CHECK(next.ok());
        if (*next == nullptr) break;
        if ((*next)->header.kind != kind) continue;
        records.push_back({(*next)->header, std::string(AsText((*next)->payload))});
      }
    }
    return records;
  }
};

TEST_F(GatewayTest, AnAcknowledgedPublishIsDurableInEveryStream) {
  FakeRegistry registry(paths_.registry_socket());
  OpenDoor();
  auto car = ConnectedCar(kVin);
  car->Send(Publish(17, Batch(0, 50)));
  ASSERT_TRUE(car->WaitBytes(8));
  EXPECT_EQ(HexEncode(car->received().substr(4)), "40020011");
  // No stop, no flush: what readers see below the durable end is what the ack promised.
  const auto telemetry = Read("telemetry", log::RecordKind::kData);
  ASSERT_EQ(telemetry.size(), 50u);
  EXPECT_EQ(Read("safety", log::RecordKind::kData).size(), 50u);
  EXPECT_EQ(Read("sealed", log::RecordKind::kData).size(), 1u);
  for (std::size_t i = 0; i < telemetry.size(); ++i) {
    EXPECT_EQ(telemetry[i].header.seq, i);
    EXPECT_EQ(telemetry[i].header.vehicle, FakeRegistry::RefOf(kVin));
  }
}

TEST_F(GatewayTest, AcknowledgementsComeInPublishOrderForManyCars) {
  FakeRegistry registry(paths_.registry_socket());
  OpenDoor();
  constexpr int kPublishes = 300;
  std::vector<std::unique_ptr<net::TestPeer>> cars;
  for (int i = 1; i <= 4; ++i) {
    cars.push_back(ConnectedCar("WVWZZZ1JZXW00000" + std::to_string(i)));
  }
  std::string expected;
  for (std::uint16_t id = 1; id <= kPublishes; ++id) {
    for (auto& car : cars) car->Send(Publish(id, Batch(id * 3u, 3)));
    AppendPubAck(expected, id);
  }
  for (auto& car : cars) {
    ASSERT_TRUE(car->WaitBytes(4 + expected.size()));
    EXPECT_TRUE(car->received().substr(4) == expected);
  }
  EXPECT_EQ(Read("telemetry", log::RecordKind::kData).size(), 4u * kPublishes * 3);
  EXPECT_EQ(counters_.Get("acks").value(), 4u * kPublishes);
}

TEST_F(GatewayTest, GarbageIsQuarantinedAndAcknowledgedBetweenGoodNeighbours) {
  FakeRegistry registry(paths_.registry_socket());
  OpenDoor();
  auto car = ConnectedCar(kVin);
  car->Send(Publish(1, Batch(0, 2)) + Publish(2, "\xFFgarbage") + Publish(3, Batch(2, 2)));
  ASSERT_TRUE(car->WaitBytes(16));
  EXPECT_EQ(HexEncode(car->received().substr(4)), "400200014002000240020003");
  EXPECT_EQ(Read("telemetry", log::RecordKind::kData).size(), 4u);
  const auto quarantined = Read("sealed", log::RecordKind::kQuarantine);
  ASSERT_EQ(quarantined.size(), 1u);
  EXPECT_EQ(quarantined[0].header.reason, static_cast<std::uint16_t>(Reason::kBatchMalformed));
  EXPECT_EQ(quarantined[0].header.vehicle, FakeRegistry::RefOf(kVin));
}

TEST_F(GatewayTest, WhatIsNotServedClosesTheConnectionAndIsCounted) {
  FakeRegistry registry(paths_.registry_socket());
  OpenDoor();
  const struct {
    std::string bytes;
    Reason reason;
  } cases[] = {{Publish(1, "x", "another/topic"), Reason::kTopic},
               {Publish(1, "x", kReportsTopic, 2), Reason::kQos},
               {"\x30\xFF\xFF\xFF\x7F", Reason::kPacketTooBig},
               {std::string("\xF0\x00", 2), Reason::kProtocol}};
  for (const auto& test : cases) {
    auto car = ConnectedCar(kVin);
    car->Send(test.bytes);
    EXPECT_TRUE(car->WaitClosed()) << ReasonName(test.reason);
    EXPECT_EQ(car->received().size(), 4u) << ReasonName(test.reason);
    EXPECT_EQ(Drops(test.reason), 1u) << ReasonName(test.reason);
  }
}

TEST_F(GatewayTest, PingAndSubscribeAreAnsweredAndDisconnectEnds) {
  FakeRegistry registry(paths_.registry_socket());
  OpenDoor();
  auto car = ConnectedCar(kVin);
  std::string bytes;
  AppendPingReq(bytes);
  bytes += std::string("\x82\x06\x00\x09\x00\x01#\x01", 8);
  bytes += std::string("\xA2\x05\x00\x0A\x00\x01#", 7);
  AppendDisconnect(bytes);
  car->Send(bytes);
  ASSERT_TRUE(car->WaitClosed());
  EXPECT_EQ(HexEncode(car->received().substr(4)),
            "d000"
            "9003000980"
            "b002000a");
}

TEST_F(GatewayTest, StrangersAreRefusedAndCounted) {
  FakeRegistry registry(paths_.registry_socket());
  OpenDoor();
  net::TestPeer anonymous(*net::TlsContext::ForClientWithoutCertificate(certificates_.ca()), port_);
  EXPECT_TRUE(anonymous.WaitClosed());
  net::TestCertificates foreign(folder_ + "/foreign", clock_.NowUtc());
  net::TlsFiles files = foreign.Vehicle(kVin);
  files.ca = certificates_.ca();
  auto stranger = Car(files);
  EXPECT_TRUE(stranger->WaitClosed());
  gateway_->Stop();  // the alert leaves before the count is raised
  EXPECT_EQ(Drops(Reason::kTlsHandshake), 2u);
}

TEST_F(GatewayTest, AConnectOfAnotherLevelIsToldSo) {
  OpenDoor();
  for (const auto& [level, answer] : {std::pair{'\3', "20020001"}, std::pair{'\6', "2003008400"}}) {
    auto car = Car(certificates_.Vehicle(kVin));
    std::string connect("\x10\x0D\x00\x04MQTT\x05\x02\x00\x3C\x00\x00\x00", 15);
    connect[8] = level;
    car->Send(connect);
    ASSERT_TRUE(car->WaitClosed());
    EXPECT_EQ(HexEncode(car->received()), answer);
  }
  auto impatient = Car(certificates_.Vehicle(kVin));
  impatient->Send(Publish(1, "x"));
  ASSERT_TRUE(impatient->WaitClosed());
  EXPECT_EQ(impatient->received(), "");
  EXPECT_EQ(Drops(Reason::kProtocol), 3u);
}

TEST_F(GatewayTest, WithTheRegistryDownKnownCarsGoOnAndUnknownOnesAreTold) {
  auto registry = std::make_unique<FakeRegistry>(paths_.registry_socket());
  OpenDoor();
  ConnectedCar(kVin);
  registry.reset();
  auto known = ConnectedCar(kVin);
  known->Send(Publish(1, Batch(0, 1)));
  EXPECT_TRUE(known->WaitBytes(8));
  auto unknown = Car(certificates_.Vehicle(kOtherVin));
  std::string bytes;
  AppendConnect(bytes, {.client_id = "x"});
  unknown->Send(bytes);
  ASSERT_TRUE(unknown->WaitClosed());
  EXPECT_EQ(HexEncode(unknown->received()), "20020003");
  EXPECT_EQ(Drops(Reason::kRegistryDown), 1u);
}

TEST_F(GatewayTest, ARegistryThatWasStartedAgainIsAskedAgain) {
  auto registry = std::make_unique<FakeRegistry>(paths_.registry_socket());
  OpenDoor();
  ConnectedCar(kVin);
  registry.reset();
  registry = std::make_unique<FakeRegistry>(paths_.registry_socket());
  ConnectedCar(kOtherVin);
}

TEST_F(GatewayTest, TheSameClientAgainTakesOverFromItsFormerConnection) {
  FakeRegistry registry(paths_.registry_socket());
  OpenDoor();
  auto former = ConnectedCar(kVin);
  auto other = ConnectedCar(kOtherVin);
  auto latter = ConnectedCar(kVin);
  EXPECT_TRUE(former->WaitClosed());
  other->Send(Publish(1, Batch(0, 1)));
  EXPECT_TRUE(other->WaitBytes(8));
}

TEST_F(GatewayTest, ConfigIsAppendedToEveryPartitionOnceAndOutlivesARestart) {
  FakeRegistry registry(paths_.registry_socket());
  Start();
  EXPECT_FALSE(gateway_->has_config());
  EXPECT_EQ(SendConfig("nonsense"), "invalid");
  EXPECT_EQ(SendConfig(Signed(1, *seal::MakeEd25519())), "refused");
  EXPECT_FALSE(gateway_->has_config());
  EXPECT_EQ(SendConfig(Signed(1, control_)), "");
  EXPECT_EQ(SendConfig(Signed(1, control_)), "") << "again: no effect";
  EXPECT_TRUE(gateway_->has_config());
  for (int start = 0; start < 2; ++start) {
    for (const std::string& stream : StreamNames()) {
      const auto records = Read(stream, log::RecordKind::kConfig);
      ASSERT_EQ(records.size(), config_.log_partitions);
      EXPECT_EQ(records[0].payload, Signed(1, control_));
    }
    gateway_.reset();
    Start();
    EXPECT_TRUE(gateway_->has_config()) << "the kept one, without asking control";
  }
}

TEST_F(GatewayTest, AConfigCutShortByACrashIsFinishedAtTheNextStart) {
  FakeRegistry registry(paths_.registry_socket());
  // Kept, but neither appended nor in the ledger.
  Put(paths_.log() + "/config/00000000000000000001", Signed(1, control_));
  Start();
  EXPECT_TRUE(gateway_->has_config());
  EXPECT_EQ(Read("safety", log::RecordKind::kConfig).size(), config_.log_partitions);
}

TEST_F(GatewayTest, AContractThatIsNotWhatItsNameSaysIsRefused) {
  Start();
  Put(paths_.contracts() + "/" + digest_ + ".desc", contract_ + "x");
  EXPECT_EQ(SendConfig(Signed(1, control_)), "corrupt");
  EXPECT_FALSE(gateway_->has_config());
}

TEST_F(GatewayTest, AStopAcknowledgesWhatItReadAndLosesNothingAcknowledged) {
  FakeRegistry registry(paths_.registry_socket());
  OpenDoor();
  auto car = ConnectedCar(kVin);
  for (std::uint16_t id = 1; id <= 100; ++id) car->Send(Publish(id, Batch(id, 1)));
  ASSERT_TRUE(car->WaitBytes(8));
  gateway_->Stop();
  ASSERT_TRUE(car->WaitClosed());
  const std::size_t acked = (car->received().size() - 4) / 4;
  std::set<std::uint64_t> stored;
  for (const auto& record : Read("telemetry", log::RecordKind::kData)) {
    stored.insert(record.header.seq);
  }
  for (std::uint64_t seq = 1; seq <= acked; ++seq) EXPECT_TRUE(stored.contains(seq)) << seq;
  EXPECT_EQ(stored.size(), acked) << "what was written was acknowledged too";
}

TEST_F(GatewayTest, AFullLogSlowsTheSendersAndDropsNothing) {
  FakeRegistry registry(paths_.registry_socket());
  config_.log_unsynced_bytes_max = 2u << 20;
  OpenDoor();
  auto car = ConnectedCar(kVin);
  constexpr std::uint16_t kPublishes = 200;
  for (std::uint16_t id = 1; id <= kPublishes; ++id) car->Send(Publish(id, Batch(id, 1000)));
  ASSERT_TRUE(car->WaitBytes(4 + 4 * kPublishes));
  EXPECT_EQ(Read("telemetry", log::RecordKind::kData).size(), kPublishes * 1000u);
}

}  // namespace
}  // namespace telltale::gateway
