#include "gateway/mqtt_answers.h"

#include "gateway/mqtt_properties.h"

namespace telltale::gateway {
namespace {

char Byte(MqttCode code) { return static_cast<char>(code); }
char Byte(PropertyId id) { return static_cast<char>(id); }

void AppendFlag(std::string& out, PropertyId id, bool value) {
  out.push_back(Byte(id));
  out.push_back(value ? '\1' : '\0');
}

void AppendNumber(std::string& out, PropertyId id, std::uint16_t value) {
  out.push_back(Byte(id));
  AppendU16(out, value);
}

void AppendNumber(std::string& out, PropertyId id, std::uint32_t value) {
  out.push_back(Byte(id));
  AppendU16(out, static_cast<std::uint16_t>(value >> 16));
  AppendU16(out, static_cast<std::uint16_t>(value & 0xFFFF));
}

std::string PropertiesOf(const MqttWelcome& welcome) {
  std::string out;
  if (welcome.ends_session) AppendNumber(out, PropertyId::kSessionExpiry, std::uint32_t{0});
  AppendNumber(out, PropertyId::kReceiveMaximum, welcome.receive_maximum);
  AppendFlag(out, PropertyId::kMaximumQos, true);
  AppendFlag(out, PropertyId::kRetainAvailable, false);
  AppendNumber(out, PropertyId::kMaximumPacketSize, welcome.packet_bytes_max);
  if (!welcome.assigned_client_id.empty()) {
    out.push_back(Byte(PropertyId::kAssignedClientId));
    AppendText(out, welcome.assigned_client_id);
  }
  AppendFlag(out, PropertyId::kWildcardAvailable, false);
  AppendFlag(out, PropertyId::kSubscriptionIdAvailable, false);
  AppendFlag(out, PropertyId::kSharedAvailable, false);
  if (welcome.server_keep_alive_s != 0) {
    AppendNumber(out, PropertyId::kServerKeepAlive, welcome.server_keep_alive_s);
  }
  return out;
}

bool Append(std::string& out, const MqttDialect& dialect, PacketType type,
            const std::string& body) {
  if (FixedHeaderBytes(body.size()) + body.size() > dialect.packet_bytes_max) return false;
  AppendFixedHeader(out, type, 0, body.size());
  out.append(body);
  return true;
}

// The return codes of 3.1.1's CONNACK [table 3.1]; 0: it has none.
char ReturnCode(MqttCode code) {
  switch (code) {
    case MqttCode::kUnsupportedVersion:
      return 1;
    case MqttCode::kClientIdNotValid:
      return 2;
    case MqttCode::kServerUnavailable:
    case MqttCode::kServerBusy:
      return 3;
    case MqttCode::kNotAuthorized:
      return 5;
    default:
      return 0;
  }
}

}  // namespace

bool AppendConnAck(std::string& out, const MqttDialect& dialect, const MqttWelcome& welcome) {
  std::string body(2, '\0');  // no session is present; success
  if (dialect.version == MqttVersion::k5) {
    const std::string properties = PropertiesOf(welcome);
    AppendVarInt(body, properties.size());
    body.append(properties);
  }
  return Append(out, dialect, PacketType::kConnAck, body);
}

void AppendConnAckRefusal(std::string& out, const MqttDialect& dialect, MqttCode code) {
  std::string body(1, '\0');
  if (dialect.version == MqttVersion::k5) {
    body.push_back(Byte(code));
    body.push_back('\0');  // no properties
  } else {
    if (ReturnCode(code) == 0) return;
    body.push_back(ReturnCode(code));
  }
  Append(out, dialect, PacketType::kConnAck, body);
}

void AppendPubAck(std::string& out, std::uint16_t packet_id) {
  AppendFixedHeader(out, PacketType::kPubAck, 0, 2);
  AppendU16(out, packet_id);
}

void AppendSubAck(std::string& out, const MqttDialect& dialect, std::uint16_t packet_id,
                  std::span<const MqttCode> codes) {
  std::string body;
  AppendU16(body, packet_id);
  if (dialect.version == MqttVersion::k5) body.push_back('\0');  // no properties
  for (const MqttCode code : codes) {
    const bool is_granted = code == MqttCode::kSuccess || code == MqttCode::kGrantedQos1;
    const bool is_told = is_granted || dialect.version == MqttVersion::k5;
    body.push_back(Byte(is_told ? code : MqttCode::kUnspecified));
  }
  Append(out, dialect, PacketType::kSubAck, body);
}

void AppendUnsubAck(std::string& out, const MqttDialect& dialect, std::uint16_t packet_id,
                    std::span<const MqttCode> codes) {
  std::string body;
  AppendU16(body, packet_id);
  if (dialect.version == MqttVersion::k5) {
    body.push_back('\0');  // no properties
    for (const MqttCode code : codes) body.push_back(Byte(code));
  }
  Append(out, dialect, PacketType::kUnsubAck, body);
}

void AppendPingResp(std::string& out) { AppendFixedHeader(out, PacketType::kPingResp, 0, 0); }

void AppendServerDisconnect(std::string& out, const MqttDialect& dialect, MqttCode code) {
  if (dialect.version != MqttVersion::k5) return;
  Append(out, dialect, PacketType::kDisconnect, std::string(1, Byte(code)));
}

}  // namespace telltale::gateway
