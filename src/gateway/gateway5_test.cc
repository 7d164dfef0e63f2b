// What MQTT 5 adds at the door, and what ends a connection in either version. Real TLS on loopback.
#include <gtest/gtest.h>

#include "gateway/gateway_testing.h"
#include "gateway/mqtt_client_codec.h"
#include "telltale/v1/telemetry.pb.h"

namespace telltale::gateway {
namespace {

using namespace std::string_literals;

const std::string kVin = "WVWZZZ1JZXW000001";
const std::string kOtherVin = "WVWZZZ1JZXW000002";
// CONNACK of a client with a name that asks for no session.
const std::string kWelcome5 =
    "201500001221010024012500270010000028002900"
    "2a00";

class Gateway5Test : public testing::Test, protected HasSimDisk, protected TestInstallation {
 protected:
  Gateway5Test() : TestInstallation(&sim_) {}
  std::unique_ptr<net::TestPeer> Car(const std::string& vin, const std::string& first) {
    auto car = std::make_unique<net::TestPeer>(
        *net::TlsContext::ForClient(certificates_.Vehicle(vin)), port_);
    car->Send(first);
    return car;
  }
  static std::string Connect(const ClientConnect& connect) {
    std::string bytes;
    AppendConnect(bytes, connect);
    return bytes;
  }
  std::unique_ptr<net::TestPeer> ConnectedCar(MqttVersion version, const std::string& vin = kVin) {
    auto car = Car(vin, Connect({.client_id = "c", .version = version}));
    const std::string welcome = version == MqttVersion::k5 ? kWelcome5 : "20020000";
    EXPECT_TRUE(car->WaitBytes(welcome.size() / 2));
    EXPECT_EQ(HexEncode(car->received()), welcome);
    return car;
  }
  static std::string Behind(net::TestPeer& car) {
    return HexEncode(car.received().substr(kWelcome5.size() / 2));
  }
};

TEST_F(Gateway5Test, APublishIsAcknowledgedWhateverPropertiesItHas) {
  FakeRegistry registry(paths_.registry_socket());
  OpenDoor();
  auto car = ConnectedCar(MqttVersion::k5);
  car->Send(Publish5(17) + Publish5(18, "\1\1\2\0\0\0\1\3\0\1a\x26\0\1a\0\1b"s));
  ASSERT_TRUE(car->WaitBytes(kWelcome5.size() / 2 + 8));
  EXPECT_EQ(Behind(*car), "4002001140020012");
}

TEST_F(Gateway5Test, AConnackTellsWhatWasChangedOfWhatWasAskedFor) {
  FakeRegistry registry(paths_.registry_socket());
  OpenDoor();
  auto car = Car(kVin, Connect({.client_id = "",
                                .keep_alive_s = 0,
                                .version = MqttVersion::k5,
                                .properties = "\x11\0\0\0\5"s}));
  ASSERT_TRUE(car->WaitBytes(30));
  const auto decoded = DecodeServerPacket(AsBytes(car->received()), MqttVersion::k5);
  ASSERT_EQ(decoded.state, DecodedServerPacket::State::kPacket);
  const auto& connack = std::get<ConnAckPacket>(decoded.packet);
  EXPECT_EQ(connack.code, 0);
  EXPECT_EQ(connack.receive_maximum, kInFlightMax);
  EXPECT_EQ(connack.server_keep_alive_s, kKeepAliveMaxSeconds);
  const std::string hex = HexEncode(car->received());
  EXPECT_NE(hex.find("1100000000"), std::string::npos) << "session expiry interval 0";
  EXPECT_NE(hex.find(HexEncode("telltale-"s)), std::string::npos) << "an assigned client id";
}

TEST_F(Gateway5Test, AConnectThatCannotBeServedIsToldWhy) {
  FakeRegistry registry(paths_.registry_socket());
  OpenDoor();
  const struct {
    const char* properties;
    std::size_t size;
    const char* answer;
  } cases[] = {{"\x15\0\1a", 4, "2003008c00"},
               {"\x21\0\0", 3, "2003008200"},
               {"\x7E", 1, "2003008100"},
               {"\x27\0\0\0\x0A", 5, "2003009500"},
               {"\x27\0\0\0\4", 5, ""}};  // no room for any answer
  for (const auto& test : cases) {
    auto car = Car(kVin, Connect({.client_id = "c",
                                  .version = MqttVersion::k5,
                                  .properties = {test.properties, test.size}}));
    ASSERT_TRUE(car->WaitClosed());
    EXPECT_EQ(HexEncode(car->received()), test.answer);
  }
  EXPECT_EQ(Drops(Reason::kProtocol), 5u);
}

TEST_F(Gateway5Test, WhatEndsAConnectionIsSaidInADisconnect) {
  FakeRegistry registry(paths_.registry_socket());
  OpenDoor();
  std::string connect = Connect({.client_id = "c", .version = MqttVersion::k5});
  const struct {
    std::string bytes;
    const char* goodbye;
    Reason reason;
  } cases[] = {{Publish5(1, {}, "another/topic"), "e00190", Reason::kTopic},
               {Publish5(1, {}, kReportsTopic, 2), "e0019b", Reason::kQos},
               {Publish5(1, "\x23\0\1"s), "e00194", Reason::kProtocol},
               {"\x30\xFF\xFF\xFF\x7F", "e00195", Reason::kPacketTooBig},
               {"\xF0\x00"s, "e00182", Reason::kProtocol},
               {"\x82\x00"s, "e00182", Reason::kProtocol},
               {Publish5(1, "\x7E"s), "e00181", Reason::kProtocol},
               {"\xE0\x07\x00\x05\x11\0\0\0\1"s, "e00182", Reason::kProtocol},
               {connect, "e00182", Reason::kProtocol}};
  std::uint64_t protocol = 0;
  for (const auto& test : cases) {
    auto car = ConnectedCar(MqttVersion::k5);
    car->Send(test.bytes);
    EXPECT_TRUE(car->WaitClosed());
    EXPECT_EQ(Behind(*car), test.goodbye) << HexEncode(test.bytes);
    if (test.reason == Reason::kProtocol) ++protocol;
    EXPECT_EQ(Drops(test.reason), test.reason == Reason::kProtocol ? protocol : 1u);
  }
}

TEST_F(Gateway5Test, OnlyTheOwnDownlinkIsGranted) {
  FakeRegistry registry(paths_.registry_socket());
  OpenDoor();
  const std::vector<std::string> filters = {std::string(kDownlinkTopic), "other", "telltale/#",
                                            "$share/g/" + std::string(kDownlinkTopic)};
  for (const MqttVersion version : {MqttVersion::k311, MqttVersion::k5}) {
    const std::string none = version == MqttVersion::k5 ? "\0"s : ""s;
    std::string subscribe = "\0\1"s + none;
    std::string unsubscribe = "\0\2"s + none;
    for (const std::string& filter : filters) {
      AppendText(subscribe, filter);
      subscribe += "\2";  // QoS 2 is asked for, 1 is given
      AppendText(unsubscribe, filter);
    }
    std::string bytes;
    AppendFixedHeader(bytes, PacketType::kSubscribe, 2, subscribe.size());
    bytes += subscribe;
    AppendFixedHeader(bytes, PacketType::kUnsubscribe, 2, unsubscribe.size());
    bytes += unsubscribe;
    AppendDisconnect(bytes);
    auto car = ConnectedCar(version);
    car->Send(bytes);
    ASSERT_TRUE(car->WaitClosed());
    if (version == MqttVersion::k5) {
      EXPECT_EQ(Behind(*car),
                "90070001000187a29e"
                "b007000200"
                "00111111");
    } else {
      EXPECT_EQ(HexEncode(car->received().substr(4)),
                "9006000101808080"
                "b0020002");
    }
  }
}

TEST_F(Gateway5Test, ATakeOverIsSaidInMqtt5AndCounted) {
  FakeRegistry registry(paths_.registry_socket());
  OpenDoor();
  auto first = ConnectedCar(MqttVersion::k5);
  auto second = ConnectedCar(MqttVersion::k311);
  ASSERT_TRUE(first->WaitClosed());
  EXPECT_EQ(Behind(*first), "e0018e");
  auto third = ConnectedCar(MqttVersion::k5);
  ASSERT_TRUE(second->WaitClosed());
  EXPECT_EQ(HexEncode(second->received()), "20020000");
  EXPECT_EQ(Drops(Reason::kTakenOver), 2u);
}

TEST_F(Gateway5Test, ClientsWithoutANameDoNotTakeOverFromEachOther) {
  FakeRegistry registry(paths_.registry_socket());
  OpenDoor();
  auto first = Car(kVin, Connect({.client_id = ""}));
  ASSERT_TRUE(first->WaitBytes(4));
  auto second = Car(kVin, Connect({.client_id = ""}));
  ASSERT_TRUE(second->WaitBytes(4));
  first->Send("\xC0\x00"s);
  EXPECT_TRUE(first->WaitBytes(6));
}

TEST_F(Gateway5Test, AStopIsSaid) {
  FakeRegistry registry(paths_.registry_socket());
  OpenDoor();
  auto car = ConnectedCar(MqttVersion::k5);
  gateway_->Stop();
  ASSERT_TRUE(car->WaitClosed());
  EXPECT_EQ(Behind(*car), "e0018b");
}

TEST_F(Gateway5Test, ASilentClientIsToldAndCounted) {
  FakeRegistry registry(paths_.registry_socket());
  OpenDoor();
  auto car = ConnectedCar(MqttVersion::k5);
  clock_.MoveAhead(Micros::Seconds(91));  // its keep-alive is 60 s
  ASSERT_TRUE(car->WaitClosed());
  EXPECT_EQ(Behind(*car), "e0018d");
  EXPECT_EQ(Drops(Reason::kKeepAlive), 1u);
}

TEST_F(Gateway5Test, AVehicleOverItsShareIsReadLaterAndAnsweredInFull) {
  FakeRegistry registry(paths_.registry_socket());
  // 2,000 packets of 2 bytes: within the burst by their bytes, eight times over it by what they
  // cost.
  vehicle_rate_ = {.bytes_per_second = 16 << 20, .burst_bytes = 128 << 10};
  OpenDoor();
  auto car = ConnectedCar(MqttVersion::k311);
  constexpr int kPings = 2000;
  std::string ping;
  for (int i = 0; i < kPings; ++i) AppendPingReq(ping);
  car->Send(ping);
  ASSERT_TRUE(car->WaitBytes(4 + ping.size()));
  EXPECT_GT(counters_.Get("reading_pauses_vehicle").value(), 0u);
}

TEST_F(Gateway5Test, AnOwnerThatChangesDuringTheHandOverEndsTheConnection) {
  FakeRegistry registry(paths_.registry_socket());
  RegistryClient client({paths_.registry_socket()}, counters_);
  client.Start([](VehicleRef, const Vehicle&) {});
  VehicleRef latter;
  latter.bytes[0] = 9;
  std::promise<std::pair<VehicleRef, VehicleRef>> told;
  Door door(
      {[tls = *net::TlsContext::ForServer(certificates_.server())] { return tls; }, client, clock_,
       counters_, 8,
       [&](PartitionId, VehicleConnection::Arrived arrived) {
         // The map changes between the look at it and the arrival at the shard.
         registry.ChangeOwner(kVin, latter);
         const auto has_changed = [&] {
           const auto known = client.Find(kVin);
           return known && known->ref == latter;
         };
         while (!has_changed()) std::this_thread::yield();
         arrived.tls.reset();
       },
       [&](VehicleRef former, const Vehicle& vehicle) { told.set_value({former, vehicle.ref}); }});
  const auto port = door.Open("127.0.0.1", 0);
  ASSERT_TRUE(port.ok());
  port_ = *port;
  auto answer = told.get_future();
  auto car = Car(kVin, Connect({.client_id = "c"}));
  ASSERT_EQ(answer.wait_for(net::TestPeer::kPatience), std::future_status::ready);
  EXPECT_EQ(answer.get(), std::pair(FakeRegistry::RefOf(kVin), latter));
  door.Stop();
}

}  // namespace
}  // namespace telltale::gateway
