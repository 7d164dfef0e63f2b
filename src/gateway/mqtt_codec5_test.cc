// MQTT 5 at the server's end: what it adds to 3.1.1. Statements are numbered as in the standard.
#include <gtest/gtest.h>

#include <deque>
#include <vector>

#include "base/ids.h"
#include "gateway/mqtt_client_codec.h"
#include "gateway/mqtt_codec.h"

namespace telltale::gateway {
namespace {

using State = DecodedPacket::State;
using namespace std::string_literals;

std::string Packet(unsigned first, const std::string& body) {
  std::string out(1, static_cast<char>(first));
  AppendVarInt(out, body.size());
  return out + body;
}

std::string Text(const std::string& text) {
  std::string out;
  AppendText(out, text);
  return out;
}

std::string Properties(const std::string& properties) {
  std::string out;
  AppendVarInt(out, properties.size());
  return out + properties;
}

std::string Connect(const std::string& properties, unsigned flags = 0x02,
                    const std::string& payload = Text("c")) {
  return Packet(0x10, Text("MQTT") + "\x05"s + std::string(1, static_cast<char>(flags)) +
                          "\x00\x3C"s + Properties(properties) + payload);
}

std::string ConnectWithWill(const std::string& will_properties, unsigned flags = 0x06) {
  return Connect("", flags, Text("c") + Properties(will_properties) + Text("t") + Text("m"));
}

std::string Publish(const std::string& properties, const std::string& topic = "t") {
  return Packet(0x32, Text(topic) + "\x00\x01"s + Properties(properties) + "payload");
}

std::string Subscribe(const std::string& properties, const std::string& filters) {
  return Packet(0x82, "\x00\x01"s + Properties(properties) + filters);
}

// The packet's views point into the bytes, so they are kept.
DecodedPacket Decode(const std::string& bytes) {
  static std::deque<std::string> kept;
  return DecodeClientPacket(AsBytes(kept.emplace_back(bytes)), MqttVersion::k5);
}

const std::string kUser = "\x26"s + Text("name") + Text("value");

struct Refused {
  const char* rule;
  std::string bytes;
  MqttCode code;
  Reason reason = Reason::kProtocol;
};

void ExpectRefused(const std::vector<Refused>& cases) {
  for (const Refused& test : cases) {
    const DecodedPacket decoded = Decode(test.bytes);
    EXPECT_EQ(decoded.state, State::kBroken) << test.rule;
    EXPECT_EQ(static_cast<int>(decoded.code), static_cast<int>(test.code)) << test.rule;
    EXPECT_EQ(ReasonName(decoded.reason), ReasonName(test.reason)) << test.rule;
    EXPECT_NE(std::string(decoded.rule), "") << test.rule;
  }
}

TEST(Mqtt5CodecTest, ABrokenConnectIsRefusedWithItsCode) {
  constexpr auto kMalformed = MqttCode::kMalformed;
  constexpr auto kProtocol = MqttCode::kProtocolError;
  ExpectRefused({
      {"3.1.2-3 reserved flag", Connect("", 0x03), kMalformed},
      {"3.1.2.11.2 session expiry twice", Connect("\x11\0\0\0\1\x11\0\0\0\1"s), kProtocol},
      {"3.1.2.11.3 receive maximum 0", Connect("\x21\0\0"s), kProtocol},
      {"3.1.2.11.3 receive maximum twice", Connect("\x21\0\1\x21\0\1"s), kProtocol},
      {"3.1.2.11.4 maximum packet size 0", Connect("\x27\0\0\0\0"s), kProtocol},
      {"3.1.2.11.5 topic alias maximum twice", Connect("\x22\0\0\x22\0\0"s), kProtocol},
      {"3.1.2.11.6 request response information 2", Connect("\x19\2"s), kProtocol},
      {"3.1.2.11.7 request problem information 2", Connect("\x17\2"s), kProtocol},
      {"3.1.2.11.9 method twice", Connect("\x15\0\1a\x15\0\1a"s), kProtocol},
      {"3.1.2.11.10 data without method", Connect("\x16\0\1a"s), kProtocol},
      {"1.5.4-1 method is not UTF-8", Connect("\x15\0\1\xFF"s), kMalformed},
      {"1.5.4-2 U+0000 in a user property", Connect("\x26\0\1\0\0\0"s), kMalformed},
      {"2.2.2 property cut", Connect("\x11\0\0"s), kMalformed},
      {"2.2.2 user property without value", Connect("\x26\0\1a"s), kMalformed},
      {"2.2.2.2 unknown property", Connect("\x7E"s), kMalformed},
      {"2.2.2.2 property of another packet", Connect("\x23\0\1"s), kMalformed},
      {"2.2.2.1 property length too long",
       Packet(0x10, Text("MQTT") + "\x05\x02\x00\x3C\x50"s + Text("c")), kMalformed},
      {"1.5.5-1 property length not minimal",
       Packet(0x10, Text("MQTT") + "\x05\x02\x00\x3C\x80\x00"s + Text("c")), kMalformed},
      {"2.2.2-1 property length missing", Packet(0x10, Text("MQTT") + "\x05\x02\x00\x3C"s),
       kMalformed},
      {"3.1.3.2 will delay twice", ConnectWithWill("\x18\0\0\0\1\x18\0\0\0\1"s), kProtocol},
      {"3.1.3.2.3 payload format 2", ConnectWithWill("\1\2"s), kProtocol},
      {"3.3.2-14 wildcard in the will's response topic", ConnectWithWill("\x08\0\1#"s), kProtocol},
      {"2.2.2.2 receive maximum in a will", ConnectWithWill("\x21\0\1"s), kMalformed},
  });
}

TEST(Mqtt5CodecTest, ABrokenPublishIsRefusedWithItsCode) {
  constexpr auto kMalformed = MqttCode::kMalformed;
  constexpr auto kProtocol = MqttCode::kProtocolError;
  constexpr auto kAlias = MqttCode::kTopicAliasNotValid;
  ExpectRefused({
      {"3.3.2-8 topic alias 0", Publish("\x23\0\0"s), kAlias},
      {"3.3.2-9 topic alias over the maximum", Publish("\x23\0\1"s), kAlias},
      {"3.3.2.3.4 alias in place of a topic", Publish("\x23\0\1"s, ""), kAlias},
      {"3.3.2.1 no topic and no alias", Publish("", ""), kProtocol},
      {"3.3.4-6 subscription identifier", Publish("\x0B\1"s), kProtocol},
      {"3.3.2.3.2 payload format twice", Publish("\1\0\1\0"s), kProtocol},
      {"3.3.2.3.2 payload format 2", Publish("\1\2"s), kProtocol},
      {"3.3.2.3.3 message expiry twice", Publish("\2\0\0\0\1\2\0\0\0\1"s), kProtocol},
      {"3.3.2-14 wildcard in a response topic", Publish("\x08\0\1+"s), kProtocol},
      {"3.3.2-19 content type is not UTF-8", Publish("\3\0\1\xFF"s), kMalformed},
      {"2.2.2.2 session expiry in PUBLISH", Publish("\x11\0\0\0\1"s), kMalformed},
      {"2.2.2.1 property length over the end", Packet(0x32, Text("t") + "\x00\x01\x05"s + "\1\0"s),
       kMalformed},
      {"3.3.2-2 wildcard in a topic", Publish("", "a/#"), kMalformed},
      {"3.3.1-4 QoS 3", Packet(0x36, Text("t") + "\x00\x01\x00"s), kMalformed},
      {"3.2.2-11 QoS 2", Packet(0x34, Text("t") + "\x00\x01\x00"s), MqttCode::kQosNotSupported,
       Reason::kQos},
      {"3.2.2-14 RETAIN", Packet(0x33, Text("t") + "\x00\x01\x00"s), MqttCode::kRetainNotSupported},
      {"2.2.1-3 packet id 0", Packet(0x32, Text("t") + "\x00\x00\x00"s), kProtocol},
      {"1.5.5-1 remaining length not minimal", "\x30\x84\x00\x00\x01t\x00"s, kMalformed},
      {"over the maximum packet size", "\x30\xFF\xFF\xFF\x7F", MqttCode::kPacketTooLarge,
       Reason::kPacketTooBig},
  });
}

TEST(Mqtt5CodecTest, AnyOtherBrokenPacketIsRefusedWithItsCode) {
  constexpr auto kMalformed = MqttCode::kMalformed;
  constexpr auto kProtocol = MqttCode::kProtocolError;
  ExpectRefused({
      {"3.8.3-5 reserved option bits", Subscribe("", Text("a") + "\x40"s), kMalformed},
      {"3.8.3.1 QoS 3", Subscribe("", Text("a") + "\x03"s), kProtocol},
      {"3.8.3.1 retain handling 3", Subscribe("", Text("a") + "\x30"s), kProtocol},
      {"3.8.3-4 no local, shared", Subscribe("", Text("$share/g/a") + "\x04"s), kProtocol},
      {"3.8.2.1.2 subscription identifier 0", Subscribe("\x0B\0"s, Text("a") + "\1"s), kProtocol},
      {"3.8.3-2 no filter", Subscribe("", ""), kProtocol},
      {"3.10.3-2 no filter", Packet(0xA2, "\0\1\0"s), kProtocol},
      {"2.2.2.2 subscription identifier in UNSUBSCRIBE",
       Packet(0xA2, "\0\1"s + Properties("\x0B\1"s) + Text("a")), kMalformed},
      {"3.14.1-1 DISCONNECT flags", Packet(0xE1, ""), kMalformed},
      {"3.14.2-1 a code that only a server sends", Packet(0xE0, "\x8B"s), kProtocol},
      {"3.14.2.2.4 server reference", Packet(0xE0, "\0"s + Properties("\x1C\0\1a"s)), kMalformed},
      {"3.14.2 bytes behind the properties", Packet(0xE0, "\0\0x"s), kMalformed},
      {"4.12.0-1 AUTH", Packet(0xF0, ""), kProtocol},
      {"PUBREL belongs to QoS 2", Packet(0x62, "\0\1"s), MqttCode::kQosNotSupported, Reason::kQos},
      {"only a server sends PINGRESP", Packet(0xD0, ""), kProtocol},
  });
}

TEST(Mqtt5CodecTest, AConnectWithEveryPropertyIsTaken) {
  const DecodedPacket decoded = Decode(
      Connect("\x11\0\0\x0E\x10\x21\0\x0A\x27\0\0\1\0\x22\0\5\x19\1\x17\0"s + kUser + kUser));
  ASSERT_EQ(decoded.state, State::kPacket);
  const auto& connect = std::get<ConnectPacket>(decoded.packet);
  EXPECT_EQ(connect.version, MqttVersion::k5);
  EXPECT_EQ(connect.answer, MqttCode::kSuccess);
  EXPECT_EQ(connect.client_id, "c");
  EXPECT_EQ(connect.keep_alive_s, 60);
  EXPECT_EQ(connect.session_expiry_s, 3600u);
  EXPECT_EQ(connect.packet_bytes_max, 256u);
  EXPECT_TRUE(connect.clean_start);
}

TEST(Mqtt5CodecTest, AWillIsReadAndMayNotAskForWhatThereIsNot) {
  const std::string all = "\x18\0\0\0\1\1\1\2\0\0\0\1\3\0\1a\x08\0\1a\x09\0\1\xFF"s + kUser;
  const struct {
    std::string bytes;
    MqttCode answer;
    Reason reason;
  } cases[] = {
      {ConnectWithWill(all), MqttCode::kSuccess, Reason::kProtocol},
      {ConnectWithWill("", 0x0E), MqttCode::kSuccess, Reason::kProtocol},
      {ConnectWithWill("", 0x16), MqttCode::kQosNotSupported, Reason::kQos},
      {ConnectWithWill("", 0x26), MqttCode::kRetainNotSupported, Reason::kProtocol},
      {Connect("\x15\0\5SCRAM\x16\0\1x"s), MqttCode::kBadAuthMethod, Reason::kProtocol},
      {Connect("", 0x00, Text("")), MqttCode::kSuccess, Reason::kProtocol},  // [3.1.3-6]
      {Connect("", 0x42, Text("c") + Text("secret")), MqttCode::kSuccess, Reason::kProtocol},
  };
  for (const auto& test : cases) {
    const DecodedPacket decoded = Decode(test.bytes);
    ASSERT_EQ(decoded.state, State::kPacket) << HexEncode(test.bytes);
    const auto& connect = std::get<ConnectPacket>(decoded.packet);
    EXPECT_EQ(connect.answer, test.answer) << HexEncode(test.bytes);
    if (test.answer == MqttCode::kSuccess) continue;
    EXPECT_EQ(ReasonName(connect.reason), ReasonName(test.reason));
    EXPECT_EQ(connect.version, MqttVersion::k5);
  }
}

TEST(Mqtt5CodecTest, APublishWithEveryPropertyIsTaken) {
  const std::string bytes =  // the decoded packet points into it
      Publish("\1\1\2\0\0\0\1\3\0\1a\x08\0\1a\x09\0\1\xFF"s + kUser + kUser);
  const DecodedPacket decoded = Decode(bytes);
  ASSERT_EQ(decoded.state, State::kPacket);
  const auto& publish = std::get<PublishPacket>(decoded.packet);
  EXPECT_EQ(publish.topic, "t");
  EXPECT_EQ(AsText(publish.payload), "payload");
  EXPECT_EQ(publish.packet_id, 1);
}

TEST(Mqtt5CodecTest, SubscribeUnsubscribeAndDisconnectAreRead) {
  const DecodedPacket subscribe = Decode(Subscribe("\x0B\x80\1"s + kUser, Text("a") + "\x2D"s));
  ASSERT_EQ(subscribe.state, State::kPacket);
  EXPECT_TRUE(std::get<SubscribePacket>(subscribe.packet).has_subscription_id);
  TopicFilter filter;
  FilterReader filters(std::get<SubscribePacket>(subscribe.packet));
  ASSERT_TRUE(filters.Next(filter));
  EXPECT_EQ(filter.filter, "a");
  EXPECT_EQ(filter.qos, 1);
  const DecodedPacket unsubscribe =
      Decode(Packet(0xA2, "\0\7"s + Properties(kUser) + Text("a") + Text("b")));
  ASSERT_EQ(unsubscribe.state, State::kPacket);
  EXPECT_EQ(std::get<UnsubscribePacket>(unsubscribe.packet).filters, 2u);
  for (const std::string& body :
       {""s, "\0"s, "\x04\0"s, "\0"s + Properties("\x1F\0\1a"s + kUser)}) {
    EXPECT_EQ(Decode(Packet(0xE0, body)).state, State::kPacket) << HexEncode(body);
  }
  const DecodedPacket bye = Decode(Packet(0xE0, "\0"s + Properties("\x11\0\0\0\5"s)));
  ASSERT_EQ(bye.state, State::kPacket);
  EXPECT_EQ(std::get<DisconnectPacket>(bye.packet).session_expiry_s, 5u);
}

TEST(MqttAnswersTest, AreTheBytesOf311) {
  std::string out;
  AppendConnAck(out, {}, {.receive_maximum = 9, .assigned_client_id = "x"});
  AppendConnAckRefusal(out, {}, MqttCode::kUnsupportedVersion);
  AppendConnAckRefusal(out, {}, MqttCode::kClientIdNotValid);
  AppendConnAckRefusal(out, {}, MqttCode::kServerUnavailable);
  AppendConnAckRefusal(out, {}, MqttCode::kNotAuthorized);
  AppendConnAckRefusal(out, {}, MqttCode::kMalformed);
  AppendPubAck(out, 0x1234);
  const MqttCode codes[] = {MqttCode::kGrantedQos1, MqttCode::kWildcardsNotSupported};
  AppendSubAck(out, {}, 7, codes);
  AppendUnsubAck(out, {}, 8, codes);
  AppendPingResp(out);
  AppendServerDisconnect(out, {}, MqttCode::kProtocolError);
  EXPECT_EQ(HexEncode(out),
            "20020000"
            "20020001"
            "20020002"
            "20020003"
            "20020005"
            "40021234"
            "900400070180"
            "b0020008"
            "d000");
}

TEST(MqttAnswersTest, AreTheBytesOf5) {
  constexpr MqttDialect kFive{MqttVersion::k5};
  std::string out;
  AppendConnAck(out, kFive, {.receive_maximum = 256, .packet_bytes_max = 1u << 20});
  EXPECT_EQ(HexEncode(out),
            "201500001221010024012500270010000028002900"
            "2a00");
  out.clear();
  AppendConnAck(out, kFive, {256, 1u << 20, "id", true, 3600});
  EXPECT_EQ(HexEncode(out),
            "20220000"
            "1f"
            "1100000000"
            "210100"
            "2401"
            "2500"
            "2700100000"
            "1200026964"
            "280029002a00"
            "130e10");
  out.clear();
  AppendConnAckRefusal(out, kFive, MqttCode::kBadAuthMethod);
  AppendPubAck(out, 0x1234);
  const MqttCode codes[] = {MqttCode::kGrantedQos1, MqttCode::kWildcardsNotSupported};
  AppendSubAck(out, kFive, 7, codes);
  AppendUnsubAck(out, kFive, 8, codes);
  AppendServerDisconnect(out, kFive, MqttCode::kSessionTakenOver);
  EXPECT_EQ(HexEncode(out),
            "2003008c00"
            "40021234"
            "900500070001a2"
            "b00500080001a2"
            "e0018e");
}

TEST(MqttAnswersTest, NothingIsLongerThanTheClientTakes) {
  const std::vector<MqttCode> codes(10, MqttCode::kNotAuthorized);
  for (std::uint32_t size = 1; size < 64; ++size) {
    const MqttDialect dialect{MqttVersion::k5, size};
    std::string out;
    const bool fits = AppendConnAck(out, dialect, {256, 1u << 20, "id", true, 3600});
    EXPECT_EQ(fits, !out.empty());
    EXPECT_LE(out.size(), size);
    EXPECT_EQ(out.empty(), size < 36);
    out.clear();
    AppendConnAckRefusal(out, dialect, MqttCode::kBadAuthMethod);
    EXPECT_LE(out.size(), size);
    out.clear();
    AppendSubAck(out, dialect, 1, codes);
    EXPECT_LE(out.size(), size);
    out.clear();
    AppendUnsubAck(out, dialect, 1, codes);
    EXPECT_LE(out.size(), size);
    out.clear();
    AppendServerDisconnect(out, dialect, MqttCode::kBadAuthMethod);
    EXPECT_LE(out.size(), size);
  }
}

TEST(MqttClientCodecTest, ReadsWhatTheServerSaysInMqtt5) {
  constexpr MqttDialect kFive{MqttVersion::k5};
  std::string bytes;
  AppendConnAck(bytes, kFive, {256, 1u << 20, "id", true, 3600});
  const std::size_t connack_bytes = bytes.size();
  AppendPubAck(bytes, 77);
  AppendServerDisconnect(bytes, kFive, MqttCode::kSessionTakenOver);
  ByteSpan rest = AsBytes(bytes);
  auto decoded = DecodeServerPacket(rest, MqttVersion::k5);
  ASSERT_EQ(decoded.state, DecodedServerPacket::State::kPacket);
  ASSERT_EQ(decoded.bytes, connack_bytes);
  const auto& connack = std::get<ConnAckPacket>(decoded.packet);
  EXPECT_EQ(connack.receive_maximum, 256);
  EXPECT_EQ(connack.server_keep_alive_s, 3600);
  EXPECT_EQ(connack.packet_bytes_max, 1u << 20);
  rest = rest.subspan(decoded.bytes);
  decoded = DecodeServerPacket(rest, MqttVersion::k5);
  EXPECT_EQ(std::get<PubAckPacket>(decoded.packet).packet_id, 77);
  rest = rest.subspan(decoded.bytes);
  decoded = DecodeServerPacket(rest, MqttVersion::k5);
  EXPECT_EQ(std::get<ServerDisconnectPacket>(decoded.packet).code, 0x8E);
}

TEST(MqttClientCodecTest, WhatItWritesInMqtt5IsRead) {
  std::string bytes;
  AppendConnect(bytes, {.client_id = "c", .version = MqttVersion::k5, .properties = kUser});
  AppendPublish(bytes, {.topic = "t",
                        .payload = "p",
                        .packet_id = 3,
                        .version = MqttVersion::k5,
                        .properties = kUser});
  const DecodedPacket connect = Decode(bytes);
  ASSERT_EQ(connect.state, State::kPacket);
  EXPECT_EQ(std::get<ConnectPacket>(connect.packet).client_id, "c");
  const DecodedPacket publish = Decode(bytes.substr(connect.bytes));
  ASSERT_EQ(publish.state, State::kPacket);
  EXPECT_EQ(AsText(std::get<PublishPacket>(publish.packet).payload), "p");
}

}  // namespace
}  // namespace telltale::gateway
