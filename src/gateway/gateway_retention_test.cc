// A reader that falls behind slows the vehicles down, through the real door and a real log.
#include <gtest/gtest.h>

#include "gateway/gateway_testing.h"
#include "gateway/mqtt_client_codec.h"
#include "telltale/v1/telemetry.pb.h"

namespace telltale::gateway {
namespace {

const std::string kVin = "WVWZZZ1JZXW000001";
const std::string kOtherVin = "WVWZZZ1JZXW000003";  // of the same shard

// Real time, moved ahead by the test.
class AheadClock final : public Clock {
 public:
  Micros NowUtc() const override { return system_.NowUtc() + Micros{ahead_us_.load()}; }
  Micros NowMonotonic() const override { return system_.NowMonotonic() + Micros{ahead_us_.load()}; }
  void MoveAhead(Micros by) { ahead_us_ += by.value; }

 private:
  SystemClock system_;
  std::atomic<std::int64_t> ahead_us_{0};
};

class GatewayRetentionTest : public testing::Test, protected TestInstallation {
 protected:
  GatewayRetentionTest() {
    config_.log_retention_hours = 1;
    config_.log_sealed_retention_hours = 24;
    Put(paths_.run() + "/roles", "gateway\n");  // no reader but those of this test
    auto made =
        Gateway::Start(config_, paths_, {disk_, ahead_, counters_, *streams_, vehicle_rate_});
    CHECK(made.ok());
    gateway_ = std::move(made).value();
    CHECK(SendConfig(Signed(1, control_)).empty());
    port_ = *gateway_->OpenDoor();
  }
  ~GatewayRetentionTest() override { gateway_.reset(); }  // before its clock

  // The gateway may not have found its registry yet; then it says so, and the car comes again.
  std::unique_ptr<net::TestPeer> ConnectedCar(const std::string& vin) {
    while (true) {
      auto car = std::make_unique<net::TestPeer>(
          *net::TlsContext::ForClient(certificates_.Vehicle(vin)), port_);
      std::string bytes;
      AppendConnect(bytes, {.client_id = vin, .keep_alive_s = 0});
      car->Send(bytes);
      const bool is_answered = car->WaitBytes(4);
      EXPECT_TRUE(is_answered);
      if (!is_answered || car->received()[3] == 0) return car;
    }
  }
  static std::string Publish(std::uint16_t id) {
    v1::ReportBatch batch;
    batch.set_boot_counter(1);
    batch.set_boot_random(2);
    v1::Report& report = *batch.add_reports();
    report.set_seq(id);
    report.set_event_time_us(1'700'000'000'000'000);
    report.set_speed_kmh(50);
    std::string bytes;
    AppendPublish(
        bytes,
        {.topic = kReportsTopic, .payload = batch.SerializeAsString(), .qos = 1, .packet_id = id});
    return bytes;
  }
  // Where "slow" is: at the beginning, or past all that is durable.
  void SavePlace(bool at_end) {
    const auto ends = log::DurableEnds(disk_, paths_.log(), "telemetry");
    CHECK(ends.ok());
    for (const log::DurableEnd& end : *ends) {
      log::Position position;
      position.next = at_end ? end.next : std::vector<Offset>(config_.log_partitions);
      CHECK(disk_.MakeFolders(paths_.positions()).ok());
      CHECK(log::SavePosition(disk_, paths_.positions(), "slow", "telemetry", end.shard, position)
                .ok());
    }
  }
  std::uint64_t Count(const std::string& name) { return counters_.Get(name).value(); }

  AheadClock ahead_;
};

TEST_F(GatewayRetentionTest, VehiclesWaitWhileAReaderIsFourFifthsOfRetentionBehindAndThenGoOn) {
  FakeRegistry registry(paths_.registry_socket());
  auto car = ConnectedCar(kVin);
  car->Send(Publish(1));
  ASSERT_TRUE(car->WaitBytes(8));
  SavePlace(false);
  ahead_.MoveAhead(Micros::Seconds(45 * 60));
  gateway_->RunRetention();
  EXPECT_FALSE(gateway_->conditions().retention_stop.has_value()) << "75 %: an alarm only";

  ahead_.MoveAhead(Micros::Seconds(6 * 60));
  gateway_->RunRetention();
  ASSERT_TRUE(gateway_->conditions().retention_stop.has_value());
  EXPECT_EQ(gateway_->conditions().retention_stop->reader, "slow");
  EXPECT_EQ(Count("retention_stopped"), 1u);
  ASSERT_TRUE(WaitUntil([&] { return Count("reading_pauses") == config_.log_shards; }));
  car->Send(Publish(2));
  // One that comes now is let in, behind what was sent before: it is not read either.
  auto other = ConnectedCar(kOtherVin);
  other->Send(Publish(1));
  gateway_->RunRetention();
  EXPECT_EQ(Count("reports_accepted"), 1u);
  EXPECT_EQ(Count("connections_closed_total"), 0u);

  SavePlace(true);
  gateway_->RunRetention();
  EXPECT_FALSE(gateway_->conditions().retention_stop.has_value());
  ASSERT_TRUE(car->WaitBytes(12));
  EXPECT_EQ(HexEncode(car->received().substr(8)), "40020002");
  ASSERT_TRUE(other->WaitBytes(8));
  EXPECT_EQ(Count("reports_accepted"), 3u) << "nothing was dropped";
  EXPECT_EQ(Count("connections_closed_total"), 0u);
}

TEST_F(GatewayRetentionTest, ACommitDoesNotOpenTheDoorWhileAReaderHoldsIt) {
  FakeRegistry registry(paths_.registry_socket());
  auto car = ConnectedCar(kVin);
  car->Send(Publish(1));
  ASSERT_TRUE(car->WaitBytes(8));
  SavePlace(false);
  ahead_.MoveAhead(Micros::Seconds(51 * 60));
  gateway_->RunRetention();
  ASSERT_TRUE(WaitUntil([&] { return Count("reading_pauses") == config_.log_shards; }));
  car->Send(Publish(2));
  // It is written and committed in both shards, and each commit asks for room.
  EXPECT_EQ(SendConfig(Signed(2, control_)), "");
  EXPECT_EQ(Count("reports_accepted"), 1u);
  SavePlace(true);
  gateway_->RunRetention();
  ASSERT_TRUE(car->WaitBytes(12));
}

}  // namespace
}  // namespace telltale::gateway
