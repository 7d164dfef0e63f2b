#include "sim/drives/can_decoder.h"

#include <utility>

#include "sim/drives/obd2.h"

namespace telltale::sim {
namespace {

using telltale::v1::Report;

constexpr std::uint32_t kObdAnswerFirst = 0x7E8;
constexpr std::uint32_t kObdAnswerLast = 0x7EF;
constexpr std::uint32_t kObdAnswer29 = 0x18DAF100;  // to the tester, from any unit
constexpr std::uint8_t kUdsRead = 0x62;             // answer of ReadDataByIdentifier

// A value of a UDS answer: the signal's name in the database beside the recording.
struct UdsValue {
  std::uint16_t identifier;
  const char* signal;
  void (Report::*set)(float);
};
constexpr UdsValue kUdsValues[] = {
    {0x0101, "M_SID_0x220101_StateOfChargeBMS", &Report::set_traction_battery_soc_percent},
    {0x0100, "M_SID_0x220100_OutdoorTemp", &Report::set_ambient_temperature_c},
};

// A signal of the receiver, and the one that says whether it holds.
struct GnssValue {
  const char* signal;
  const char* validity;  // nullptr: always
  double factor;
  void (*set)(Report&, double);
};
constexpr GnssValue kGnssValues[] = {
    {"Latitude", "PositionValid", 1, [](Report& report, double v) { report.set_latitude_deg(v); }},
    {"Longitude", "PositionValid", 1,
     [](Report& report, double v) { report.set_longitude_deg(v); }},
    {"PositionAccuracy", "PositionValid", 1,
     [](Report& report, double v) { report.set_horizontal_accuracy_m(static_cast<float>(v)); }},
    {"Altitude", "AltitudeValid", 1,
     [](Report& report, double v) { report.set_altitude_m(static_cast<float>(v)); }},
    {"Heading", "AttitudeValid", 1,
     [](Report& report, double v) { report.set_heading_deg(static_cast<float>(v)); }},
    {"Speed", "SpeedValid", 3.6,
     [](Report& report, double v) { report.set_speed_kmh(static_cast<float>(v)); }},
    {"Satellites", nullptr, 1,
     [](Report& report, double v) { report.set_satellites(static_cast<std::uint32_t>(v)); }},
};

const DbcMessage* FindIn(const std::optional<Dbc>& dbc, const CanFrame& frame) {
  return dbc ? dbc->Find(frame.id, frame.is_extended) : nullptr;
}

bool IsObdAnswer(const CanFrame& frame) {
  if (frame.is_extended) return (frame.id & 0x1FFFFF00u) == kObdAnswer29;
  return frame.id >= kObdAnswerFirst && frame.id <= kObdAnswerLast;
}

bool IsTrue(const DbcMessage& message, const char* signal, std::span<const std::uint8_t> data) {
  const DbcSignal* known = message.Find(signal);
  return known != nullptr && known->RawIn(data).value_or(0) != 0;
}

// Counts frames of a transport that gave no message yet. True: a message is complete.
bool CountStep(const TransportStep& step, RowCounts& counts) {
  if (step.lost > 0) counts.Drop(RowDrop::kMalformed, step.lost);
  if (step.kind == TransportStep::Kind::kControl) counts.Drop(RowDrop::kForeign);
  return step.kind == TransportStep::Kind::kDone;
}

}  // namespace

CanDecoder::CanDecoder(CanDatabases databases)
    : databases_(std::move(databases)), j1939_(databases_.j1939) {}

std::uint64_t CanDecoder::Take(const CanFrame& frame, Report& report, RowCounts& counts) {
  const DbcMessage* gnss = FindIn(databases_.gnss, frame);
  // Low ids are common: only a frame of the right length is the receiver's.
  if (gnss != nullptr && gnss->bytes == frame.size) return TakeGnss(*gnss, frame, report, counts);
  if (IsObdAnswer(frame) || FindIn(databases_.uds, frame) != nullptr) {
    return TakeDiagnostic(frame, report, counts);
  }
  if (frame.is_extended) return TakeJ1939(frame, report, counts);
  counts.Drop(RowDrop::kForeign);
  return 0;
}

std::uint64_t CanDecoder::TakeGnss(const DbcMessage& message, const CanFrame& frame, Report& report,
                                   RowCounts& counts) {
  std::uint64_t values = 0;
  for (const GnssValue& known : kGnssValues) {
    const DbcSignal* signal = message.Find(known.signal);
    const auto value = signal == nullptr ? std::nullopt : signal->ValueIn(frame.bytes());
    if (!value) continue;
    if (has_wheel_speed_ && std::string_view(known.signal) == "Speed") continue;
    if (known.validity != nullptr && !IsTrue(message, known.validity, frame.bytes())) {
      counts.DropValue(ValueDrop::kInvalid);
      continue;
    }
    known.set(report, *value * known.factor);
    ++values;
  }
  if (values > 0) return 1;
  counts.Drop(RowDrop::kNothing);
  return 0;
}

std::optional<double> CanDecoder::GnssTimeOf(const CanFrame& frame) const {
  const DbcMessage* message = FindIn(databases_.gnss, frame);
  if (message == nullptr || message->bytes != frame.size) return std::nullopt;
  const DbcSignal* epoch = message->Find("Epoch");
  if (epoch == nullptr || !IsTrue(*message, "TimeValid", frame.bytes())) return std::nullopt;
  return epoch->ValueIn(frame.bytes());
}

std::uint64_t CanDecoder::TakeDiagnostic(const CanFrame& frame, Report& report, RowCounts& counts) {
  IsoTp& transport = iso_tp_[frame.id];
  const TransportStep step = transport.Take(frame.at_us, frame.bytes());
  if (!CountStep(step, counts)) return 0;
  const ObdAnswer answer = TakeObdAnswer(transport.message(), report);
  if (answer.is_cut) counts.DropValue(ValueDrop::kMalformed);
  has_obd_ = has_obd_ || answer.is_service_01;
  if (answer.values > 0 || TakeUds(frame.id, transport.message(), report)) return step.frames;
  counts.Drop(RowDrop::kNothing, step.frames);
  return 0;
}

bool CanDecoder::TakeUds(std::uint32_t id, std::span<const std::uint8_t> message, Report& report) {
  const DbcMessage* layout = databases_.uds ? databases_.uds->Find(id, false) : nullptr;
  if (layout == nullptr || message.size() < 3 || message[0] != kUdsRead) return false;
  // The database counts its bits from the low byte of the message's length on.
  std::vector<std::uint8_t> data = {static_cast<std::uint8_t>(message.size() & 0xFF)};
  data.insert(data.end(), message.begin(), message.end());
  const int identifier = (message[1] << 8) | message[2];
  bool has_value = false;
  for (const UdsValue& known : kUdsValues) {
    const DbcSignal* signal = layout->Find(known.signal);
    if (known.identifier != identifier || signal == nullptr || !layout->Has(*signal, data))
      continue;
    const auto value = signal->ValueIn(data);
    if (!value) continue;
    (report.*known.set)(static_cast<float>(*value));
    has_value = true;
  }
  has_traction_battery_ = has_traction_battery_ || report.has_traction_battery_soc_percent();
  return has_value;
}

std::uint64_t CanDecoder::TakeJ1939(const CanFrame& frame, Report& report, RowCounts& counts) {
  std::uint32_t pgn = PgnOf(frame.id);
  std::span<const std::uint8_t> data = frame.bytes();
  std::uint64_t frames = 1;
  if (pgn == J1939Tp::kConnection || pgn == J1939Tp::kData) {
    const TransportStep step = j1939_tp_.Take(frame.at_us, frame.id, frame.bytes());
    if (!CountStep(step, counts)) return 0;
    frames = step.frames;
    pgn = j1939_tp_.pgn();
    data = j1939_tp_.message();
  }
  const auto outcome = j1939_.Take(pgn, SourceOfId(frame.id), data, report, counts);
  if (outcome == J1939Decoder::Outcome::kValues) {
    has_j1939_ = true;
    has_wheel_speed_ = has_wheel_speed_ || report.has_speed_kmh();
    has_exhaust_fluid_ = has_exhaust_fluid_ || report.has_exhaust_fluid_level_percent();
    return frames;
  }
  counts.Drop(outcome == J1939Decoder::Outcome::kUnknown ? RowDrop::kForeign : RowDrop::kNothing,
              frames);
  return 0;
}

std::uint64_t CanDecoder::pending_frames() const {
  std::uint64_t frames = j1939_tp_.pending_frames();
  for (const auto& [id, transport] : iso_tp_) frames += transport.pending_frames();
  return frames;
}

}  // namespace telltale::sim
