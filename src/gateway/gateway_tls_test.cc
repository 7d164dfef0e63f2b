// Who is let in when certificates change while the gateway runs. Real TLS on loopback.
#include <gtest/gtest.h>

#include "gateway/gateway_testing.h"
#include "gateway/mqtt_client_codec.h"

namespace telltale::gateway {
namespace {

const std::string kVin = "WVWZZZ1JZXW000001";
const std::string kOtherVin = "WVWZZZ1JZXW000002";

class GatewayTlsTest : public testing::Test, protected HasSimDisk, protected TestInstallation {
 protected:
  GatewayTlsTest() : TestInstallation(&sim_) {}
  // The server's certificate stays ours, whoever issued the car's.
  net::TlsContext ClientOf(net::TlsFiles files) {
    files.ca = certificates_.ca();
    return *net::TlsContext::ForClient(files);
  }
  std::unique_ptr<net::TestPeer> Car(const net::TlsContext& tls,
                                     net::TlsSession session = nullptr) {
    auto car = std::make_unique<net::TestPeer>(tls, port_, std::move(session));
    std::string bytes;
    AppendConnect(bytes, {.client_id = "c", .version = MqttVersion::k5});
    car->Send(bytes);
    return car;
  }
  static bool IsIn(net::TestPeer& car) {
    return car.WaitBytes(4) && HexEncode(car.received()).substr(0, 2) == "20";
  }
  // Answers on a connection that is open; false: it is not.
  static bool IsServed(net::TestPeer& car) {
    const std::size_t before = car.received().size();
    std::string ping;
    AppendPingReq(ping);
    car.Send(ping);
    return car.WaitBytes(before + 2);
  }
  void Revoke(const net::TlsFiles& car) {
    const auto pem = ReadWholeFile(posix_, car.certificate);
    const Status done =
        certificates_.authority().RevokeIn(posix_, paths_.ca(), *pem, clock_.NowUtc());
    CHECK(done.ok());
  }
  std::string list_path() const { return paths_.ca() + "/vehicles.crl"; }
  // A refused handshake is told to the car before it is counted.
  void WaitDrops(Reason reason, std::uint64_t count) {
    WaitUntil([&] { return Drops(reason) >= count; });
    EXPECT_EQ(Drops(reason), count);
  }
};

TEST_F(GatewayTlsTest, ARevokedCarIsPutOutAndStaysOutWhileOthersGoOn) {
  FakeRegistry registry(paths_.registry_socket());
  OpenDoor();
  const net::TlsFiles files = certificates_.Vehicle(kVin);
  auto car = Car(ClientOf(files));
  auto other = Car(ClientOf(certificates_.Vehicle(kOtherVin)));
  ASSERT_TRUE(IsIn(*car) && IsIn(*other));
  Revoke(files);
  gateway_->RefreshTrust();
  ASSERT_TRUE(car->WaitClosed());
  EXPECT_TRUE(HexEncode(car->received()).ends_with("e00187")) << "not authorized";
  WaitDrops(Reason::kRevoked, 1);
  auto again = Car(ClientOf(files));
  EXPECT_TRUE(again->WaitClosed());
  EXPECT_EQ(again->received(), "");
  WaitDrops(Reason::kRevoked, 2);
  EXPECT_EQ(Drops(Reason::kTlsHandshake), 0u);
  EXPECT_TRUE(IsServed(*other));
  // The same vehicle with a new certificate.
  auto renewed = Car(ClientOf(certificates_.Vehicle(kVin)));
  EXPECT_TRUE(IsIn(*renewed));
}

TEST_F(GatewayTlsTest, ATicketLetsACarInAsTheSameVehicleUntilItIsRevoked) {
  FakeRegistry registry(paths_.registry_socket());
  OpenDoor();
  const net::TlsFiles files = certificates_.Vehicle(kVin);
  const net::TlsContext client = ClientOf(files);
  auto first = Car(client);
  ASSERT_TRUE(IsIn(*first));
  const net::TlsSession session = first->TakeSession();
  ASSERT_NE(session, nullptr);
  auto second = Car(client, session);
  ASSERT_TRUE(IsIn(*second));
  EXPECT_TRUE(second->IsResumed());
  // The same client of the same vehicle: so the identity came with the ticket.
  EXPECT_TRUE(first->WaitClosed());
  EXPECT_EQ(Drops(Reason::kTakenOver), 1u);
  Revoke(files);
  gateway_->RefreshTrust();
  EXPECT_TRUE(second->WaitClosed());
  auto third = Car(client, session);
  EXPECT_TRUE(third->WaitClosed());
  EXPECT_EQ(third->received(), "");
  EXPECT_NE(third->why_closed().message.find("revoked"), std::string::npos)
      << "by TLS, at the door";
  WaitDrops(Reason::kRevoked, 2);
}

TEST_F(GatewayTlsTest, ACarThatIsRevokedOnItsWayToItsShardIsPutOut) {
  FakeRegistry registry(paths_.registry_socket());
  OpenDoor();
  const net::TlsFiles files = certificates_.Vehicle(kVin);
  // Its handshake is done and it says nothing yet, so no shard knows it.
  net::TestPeer car(ClientOf(files), port_);
  ASSERT_TRUE(car.WaitHandshake());
  auto other = Car(ClientOf(certificates_.Vehicle(kOtherVin)));
  ASSERT_TRUE(IsIn(*other));  // behind it at the door: its handshake is done there, too
  Revoke(files);
  gateway_->RefreshTrust();
  std::string bytes;
  AppendConnect(bytes, {.client_id = "c", .version = MqttVersion::k5});
  car.Send(bytes);
  EXPECT_TRUE(car.WaitClosed());
  EXPECT_EQ(car.received(), "");
  WaitDrops(Reason::kRevoked, 1);
}

TEST_F(GatewayTlsTest, AnAuthorityThatIsAddedLetsItsCarsInWithoutARestart) {
  FakeRegistry registry(paths_.registry_socket());
  OpenDoor();
  net::TestCertificates foreign(folder_ + "/foreign", clock_.NowUtc());
  const net::TlsContext theirs = ClientOf(foreign.Vehicle(kOtherVin));
  auto car = Car(ClientOf(certificates_.Vehicle(kVin)));
  ASSERT_TRUE(IsIn(*car));
  EXPECT_TRUE(Car(theirs)->WaitClosed());
  WaitDrops(Reason::kTlsHandshake, 1);
  PutOnDisk(paths_.ca() + "/ca.crt",
            *ReadWholeFile(posix_, certificates_.ca()) + *ReadWholeFile(posix_, foreign.ca()));
  gateway_->RefreshTrust();
  auto stranger = Car(theirs);
  EXPECT_TRUE(IsIn(*stranger));
  EXPECT_TRUE(IsServed(*car));
  EXPECT_EQ(counters_.Get("certificates_reloaded").value(), 1u);
}

TEST_F(GatewayTlsTest, ABrokenListIsCountedAndTheFormerStaysInForce) {
  FakeRegistry registry(paths_.registry_socket());
  OpenDoor();
  const net::TlsFiles files = certificates_.Vehicle(kVin);
  auto other = Car(ClientOf(certificates_.Vehicle(kOtherVin)));
  ASSERT_TRUE(IsIn(*other));
  Revoke(files);
  gateway_->RefreshTrust();
  const std::string good = *ReadWholeFile(posix_, list_path());
  std::uint64_t failures = 0;
  for (const std::string& broken : {std::string(), good.substr(0, 100), std::string("nonsense")}) {
    PutOnDisk(list_path(), broken);
    gateway_->RefreshTrust();
    EXPECT_EQ(counters_.Get("certificates_refused").value(), ++failures);
    EXPECT_TRUE(Car(ClientOf(files))->WaitClosed());
    WaitDrops(Reason::kRevoked, failures);
  }
  EXPECT_TRUE(IsServed(*other));
  PutOnDisk(list_path(), good);
  Revoke(files);
  gateway_->RefreshTrust();
  EXPECT_EQ(counters_.Get("certificates_refused").value(), failures);
  EXPECT_EQ(counters_.Get("certificates_reloaded").value(), 2u);
}

TEST_F(GatewayTlsTest, AListThatIsBrokenAtTheStartIsSaid) {
  PutOnDisk(list_path(), "nonsense");
  const auto made =
      Gateway::Start(config_, paths_, {disk_, clock_, counters_, *streams_, vehicle_rate_});
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code, Code::kInvalid);
  EXPECT_NE(made.error().message.find("vehicles.crl"), std::string::npos);
}

}  // namespace
}  // namespace telltale::gateway
