#include "gateway/mqtt_codec.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/ids.h"
#include "gateway/mqtt_client_codec.h"

namespace telltale::gateway {
namespace {

using State = DecodedPacket::State;
using namespace std::string_literals;

// A packet from its first byte and body; the length is filled in.
std::string Packet(unsigned first, const std::string& body) {
  std::string out(1, static_cast<char>(first));
  std::size_t left = body.size();
  do {
    const auto low = static_cast<unsigned char>(left & 0x7F);
    left >>= 7;
    out.push_back(static_cast<char>(left > 0 ? low | 0x80 : low));
  } while (left > 0);
  return out + body;
}

std::string Text(const std::string& text) {
  return std::string{static_cast<char>(text.size() >> 8), static_cast<char>(text.size() & 0xFF)} +
         text;
}

// CONNECT with these flags and whatever follows the keep-alive.
std::string Connect(unsigned flags, const std::string& payload) {
  return Packet(0x10, Text("MQTT") + "\x04"s + std::string(1, static_cast<char>(flags)) +
                          "\x00\x3C"s + payload);
}

DecodedPacket Decode(const std::string& bytes, MqttVersion version = MqttVersion::k311) {
  return DecodeClientPacket(AsBytes(bytes), version);
}

struct Refused {
  const char* rule;
  std::string bytes;
  Reason reason = Reason::kProtocol;
};

TEST(MqttCodecTest, ATypeThatIsNotServedIsRefusedBeforeItsBodyCame) {
  for (const unsigned type : {0x00u, 0x20u, 0x40u, 0x90u, 0xB0u, 0xD0u, 0xF0u}) {
    const std::string head{static_cast<char>(type), '\x7F'};
    EXPECT_EQ(Decode(head).state, State::kBroken) << type;
    EXPECT_EQ(Decode(head).reason, Reason::kProtocol) << type;
  }
  EXPECT_EQ(Decode("\x62\x7F"s).reason, Reason::kQos);
  EXPECT_EQ(Decode("\xC0"s).state, State::kNeedMore);
}

TEST(MqttCodecTest, EachBrokenRuleIsRefusedWithItsReason) {
  const std::string topic = Text("telltale/v1/reports");
  const std::vector<Refused> cases = {
      {"1.5.3-1 client id is not UTF-8", Connect(0x02, Text("\xFF"))},
      {"1.5.3-1 surrogate in client id", Connect(0x02, Text("\xED\xA0\x80"))},
      {"1.5.3-1 overlong form", Connect(0x02, Text("\xC0\xAF"))},
      {"1.5.3-2 U+0000 in a topic", Packet(0x32, Text("a\0b"s) + "\x00\x01"s)},
      {"2.2.2-2 CONNECT flags", Packet(0x11, Text("MQTT") + "\x04\x02\x00\x3C"s + Text("c"))},
      {"2.2.2-2 PINGREQ flags", Packet(0xC1, "")},
      {"2.2.2-2 PINGREQ with a body", Packet(0xC0, "x")},
      {"2.2.3 length of five bytes", "\x30\xFF\xFF\xFF\xFF\x01"},
      {"2.3.1-1 packet id 0", Packet(0x32, topic + "\x00\x00"s)},
      {"2.3.1-1 SUBSCRIBE packet id 0", Packet(0x82, "\x00\x00"s + Text("a") + "\x01"s)},
      {"3.1.2-1 protocol name", Packet(0x10, Text("MQTX") + "\x04\x02\x00\x3C"s + Text("c"))},
      {"3.1.2-1 MQTT 3.1", Packet(0x10, Text("MQIsdp") + "\x03\x02\x00\x3C"s + Text("c"))},
      {"3.1.2-3 reserved CONNECT flag", Connect(0x03, Text("c"))},
      {"3.1.2-13 will QoS without will", Connect(0x0A, Text("c"))},
      {"3.1.2-14 will QoS 3", Connect(0x1E, Text("c") + Text("t") + Text("m"))},
      {"3.1.2-15 will retain without will", Connect(0x22, Text("c"))},
      {"3.1.2-22 password without user name", Connect(0x42, Text("c") + Text("p"))},
      {"3.1.3 CONNECT longer than its fields", Connect(0x02, Text("c") + "x")},
      {"3.1.3 CONNECT shorter than its fields", Connect(0x82, Text("c"))},
      {"3.1.3 will topic missing", Connect(0x06, Text("c"))},
      {"3.3.1-2 DUP with QoS 0", Packet(0x38, topic)},
      {"3.3.1-4 QoS 3", Packet(0x36, topic + "\x00\x01"s)},
      {"QoS 2 is not served", Packet(0x34, topic + "\x00\x01"s), Reason::kQos},
      {"PUBREL belongs to QoS 2", Packet(0x62, "\x00\x01"s), Reason::kQos},
      {"PUBREC belongs to QoS 2", Packet(0x50, "\x00\x01"s), Reason::kQos},
      {"PUBCOMP belongs to QoS 2", Packet(0x70, "\x00\x01"s), Reason::kQos},
      {"3.3.2-1 topic cut", Packet(0x32, "\x00\x09tele"s)},
      {"3.3.2-2 wildcard +", Packet(0x32, Text("telltale/+/reports") + "\x00\x01"s)},
      {"3.3.2-2 wildcard #", Packet(0x32, Text("#") + "\x00\x01"s)},
      {"3.3.2 packet id missing", Packet(0x32, topic)},
      {"4.7.3-1 empty topic", Packet(0x30, Text(""))},
      {"3.8.1-1 SUBSCRIBE flags", Packet(0x80, "\x00\x01"s + Text("a") + "\x01"s)},
      {"3.8.3-3 SUBSCRIBE without filters", Packet(0x82, "\x00\x01"s)},
      {"3.8.3-4 SUBSCRIBE option bits", Packet(0x82, "\x00\x01"s + Text("a") + "\x04"s)},
      {"3.8.3-4 SUBSCRIBE QoS 3", Packet(0x82, "\x00\x01"s + Text("a") + "\x03"s)},
      {"4.7.3-1 empty filter", Packet(0x82, "\x00\x01"s + Text("") + "\x01"s)},
      {"3.10.1-1 UNSUBSCRIBE flags", Packet(0xA0, "\x00\x01"s + Text("a"))},
      {"3.10.3-2 UNSUBSCRIBE without filters", Packet(0xA2, "\x00\x01"s)},
      {"3.14.1-1 DISCONNECT flags", Packet(0xE1, "")},
      {"only a server sends CONNACK", Packet(0x20, "\x00\x00"s)},
      {"only a server sends PINGRESP", Packet(0xD0, "")},
      {"nothing was sent that PUBACK could answer", Packet(0x40, "\x00\x01"s)},
      {"type 0", Packet(0x00, "")},
      {"type 15", Packet(0xF0, "")},
      {"over the limit, seen in the header", "\x30\xFF\xFF\xFF\x7F", Reason::kPacketTooBig},
      {"one byte over the limit", "\x30\x80\x80\x40", Reason::kPacketTooBig},
  };
  for (const Refused& test : cases) {
    const DecodedPacket decoded = Decode(test.bytes);
    EXPECT_EQ(decoded.state, State::kBroken) << test.rule;
    EXPECT_EQ(ReasonName(decoded.reason), ReasonName(test.reason)) << test.rule;
    EXPECT_NE(std::string(decoded.rule), "") << test.rule;
  }
}

TEST(MqttCodecTest, AnotherProtocolLevelIsAnsweredWithoutReadingOn) {
  for (const auto& [level, version] :
       {std::pair{"\x03"s, MqttVersion::k311}, std::pair{"\x06"s, MqttVersion::k5}}) {
    const DecodedPacket decoded = Decode(Packet(0x10, Text("MQTT") + level + "whatever it is"));
    ASSERT_EQ(decoded.state, State::kPacket);
    const auto& connect = std::get<ConnectPacket>(decoded.packet);
    EXPECT_EQ(connect.answer, MqttCode::kUnsupportedVersion);
    EXPECT_EQ(connect.version, version) << "the nearest whose CONNACK it may understand";
  }
}

TEST(MqttCodecTest, AnEmptyClientIdNeedsACleanSession) {
  const DecodedPacket kept = Decode(Connect(0x00, Text("")));
  ASSERT_EQ(kept.state, State::kPacket);
  EXPECT_EQ(std::get<ConnectPacket>(kept.packet).answer, MqttCode::kClientIdNotValid);
  const DecodedPacket clean = Decode(Connect(0x02, Text("")));
  ASSERT_EQ(clean.state, State::kPacket);
  EXPECT_EQ(std::get<ConnectPacket>(clean.packet).answer, MqttCode::kSuccess);
}

TEST(MqttCodecTest, AConnectWithWillUserAndPasswordIsTaken) {
  const std::string bytes =
      Connect(0xE6, Text("car 1") + Text("t") + Text("\x00\xFF"s) + Text("user") + Text("\xFF"));
  const DecodedPacket decoded = Decode(bytes);
  ASSERT_EQ(decoded.state, State::kPacket);
  const auto& connect = std::get<ConnectPacket>(decoded.packet);
  EXPECT_EQ(connect.answer, MqttCode::kSuccess);
  EXPECT_EQ(connect.client_id, "car 1");
  EXPECT_EQ(connect.keep_alive_s, 60);
  EXPECT_TRUE(connect.clean_start);
  EXPECT_TRUE(connect.has_will);
}

TEST(MqttCodecTest, WhatTheVehicleEndWritesIsRead) {
  std::string bytes;
  AppendConnect(bytes, {.client_id = "c", .keep_alive_s = 7, .clean_session = false});
  AppendPublish(bytes, {.topic = "telltale/v1/reports", .payload = "abc", .packet_id = 513});
  AppendPublish(bytes, {.topic = "t", .payload = std::string(300, 'x'), .qos = 0});
  AppendPublish(bytes, {.topic = "t", .payload = "", .packet_id = 1, .dup = true});
  AppendPingReq(bytes);
  AppendDisconnect(bytes);
  std::vector<ClientPacket> packets;
  ByteSpan rest = AsBytes(bytes);
  while (!rest.empty()) {
    const DecodedPacket decoded = DecodeClientPacket(rest, MqttVersion::k311);
    ASSERT_EQ(decoded.state, State::kPacket);
    packets.push_back(decoded.packet);
    rest = rest.subspan(decoded.bytes);
  }
  ASSERT_EQ(packets.size(), 6u);
  EXPECT_EQ(std::get<ConnectPacket>(packets[0]).keep_alive_s, 7);
  const auto& first = std::get<PublishPacket>(packets[1]);
  EXPECT_EQ(first.topic, "telltale/v1/reports");
  EXPECT_EQ(AsText(first.payload), "abc");
  EXPECT_EQ(first.qos, 1);
  EXPECT_EQ(first.packet_id, 513);
  EXPECT_EQ(std::get<PublishPacket>(packets[2]).payload.size(), 300u);
  EXPECT_EQ(std::get<PublishPacket>(packets[2]).qos, 0);
  EXPECT_TRUE(std::get<PublishPacket>(packets[3]).dup);
  EXPECT_TRUE(std::holds_alternative<PingPacket>(packets[4]));
  EXPECT_TRUE(std::holds_alternative<DisconnectPacket>(packets[5]));
}

TEST(MqttCodecTest, APacketCutAnywhereAsksForMore) {
  std::string bytes;
  AppendPublish(bytes, {.topic = "t", .payload = std::string(200, 'x'), .packet_id = 9});
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const DecodedPacket decoded = Decode(bytes.substr(0, size));
    ASSERT_EQ(decoded.state, State::kNeedMore) << size;
    EXPECT_EQ(decoded.bytes, size < 3 ? 0 : bytes.size()) << size;
  }
}

TEST(MqttCodecTest, RetainIsReadAndAPublishAtTheLimitIsTaken) {
  // Fixed header 4, topic 3: the rest is payload.
  const DecodedPacket decoded =
      Decode(Packet(0x31, Text("t") + std::string(kMqttPacketBytesMax - 7, 'x')));
  ASSERT_EQ(decoded.state, State::kPacket);
  EXPECT_EQ(decoded.bytes, kMqttPacketBytesMax);
  EXPECT_TRUE(std::get<PublishPacket>(decoded.packet).retain);
}

TEST(MqttCodecTest, ASubscribeIsReadWithItsNumberOfFilters) {
  const DecodedPacket decoded =
      Decode(Packet(0x82, "\x01\x02"s + Text("a/#") + "\x00"s + Text("+") + "\x02"s));
  ASSERT_EQ(decoded.state, State::kPacket);
  EXPECT_EQ(std::get<SubscribePacket>(decoded.packet).packet_id, 0x0102);
  EXPECT_EQ(std::get<SubscribePacket>(decoded.packet).filters, 2u);
  std::string many = "\x00\x01"s;
  for (std::size_t i = 0; i <= kMqttFiltersMax; ++i) many += Text("a") + "\x00"s;
  EXPECT_EQ(Decode(Packet(0x82, many)).state, State::kBroken);
}

TEST(MqttCodecTest, TheFiltersOfASubscribeAreReadInOrder) {
  const std::string bytes = Packet(0x82, "\x01\x02"s + Text("a/b") + "\x00"s + Text("c") + "\x02"s);
  const DecodedPacket decoded = Decode(bytes);
  ASSERT_EQ(decoded.state, State::kPacket);
  FilterReader filters(std::get<SubscribePacket>(decoded.packet));
  TopicFilter filter;
  ASSERT_TRUE(filters.Next(filter));
  EXPECT_EQ(filter.filter, "a/b");
  EXPECT_EQ(filter.qos, 0);
  ASSERT_TRUE(filters.Next(filter));
  EXPECT_EQ(filter.filter, "c");
  EXPECT_EQ(filter.qos, 2);
  EXPECT_FALSE(filters.Next(filter));
}

TEST(MqttClientCodecTest, ReadsAnswersAndRefusesAnythingElse) {
  using ServerState = DecodedServerPacket::State;
  std::string answers;
  AppendConnAck(answers, {}, {});
  AppendPubAck(answers, 77);
  AppendPingResp(answers);
  ByteSpan rest = AsBytes(answers);
  auto decoded = DecodeServerPacket(rest);
  ASSERT_EQ(decoded.state, ServerState::kPacket);
  EXPECT_EQ(std::get<ConnAckPacket>(decoded.packet).code, 0);
  rest = rest.subspan(decoded.bytes);
  decoded = DecodeServerPacket(rest);
  ASSERT_EQ(decoded.state, ServerState::kPacket);
  EXPECT_EQ(std::get<PubAckPacket>(decoded.packet).packet_id, 77);
  decoded = DecodeServerPacket(rest.subspan(decoded.bytes));
  EXPECT_TRUE(std::holds_alternative<PingRespPacket>(decoded.packet));
  EXPECT_EQ(DecodeServerPacket(rest.first(3)).state, ServerState::kNeedMore);
  for (const std::string& bad : {"\x40\x02\x00\x00"s, "\x41\x02\x00\x01"s, "\x40\x03\x00\x01\x01"s,
                                 "\x20\x02\x02\x00"s, "\x30\x00"s, "\xD0\x01x"s}) {
    EXPECT_EQ(DecodeServerPacket(AsBytes(bad)).state, ServerState::kBroken) << HexEncode(bad);
  }
}

}  // namespace
}  // namespace telltale::gateway
