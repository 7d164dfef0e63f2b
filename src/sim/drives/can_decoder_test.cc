// The decoded tables beside the recordings, made by others from the same frames, against ours.
#include "sim/drives/can_decoder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "sim/drives/csv.h"
#include "sim/drives/drives_testing.h"
#include "sim/drives/lines.h"
#include "sim/drives/obd2.h"

namespace telltale::sim {
namespace {

using telltale::v1::Report;

std::string TextOf(const std::string& file) {
  static PosixDisk disk;
  const Source source{disk, "", DataFolder() + "/css-canedge", "", ""};
  const auto text = source.Beside(file);
  return text.ok() ? *text : "";
}

CanDecoder DecoderWithDatabases() {
  CanDatabases databases;
  databases.gnss = *Dbc::Parse(TextOf("canmod-gps.dbc"));
  databases.uds = *Dbc::Parse(TextOf("tp_uds.dbc"));
  databases.j1939 = *Dbc::Parse(TextOf("CSS-Electronics-SAE-J1939-DEMO.dbc"));
  return CanDecoder(std::move(databases));
}

struct Taken {
  CanFrame frame;
  Report report;
};

// Each frame that gave a value, with the value.
std::vector<Taken> Decode(const std::string& text) {
  CanDecoder decoder = DecoderWithDatabases();
  RowCounts counts;
  std::vector<Taken> taken;
  ForEachLine(text, [&](std::string_view line, std::size_t) {
    const auto frame = ParseCandumpLine(line);
    Taken now{frame.value_or(CanFrame{}), {}};
    if (frame && decoder.Take(*frame, now.report, counts) > 0) taken.push_back(std::move(now));
  });
  return taken;
}

std::optional<double> FieldOf(const Report& report, const std::string& name) {
  const auto* field = report.GetDescriptor()->FindFieldByName(name);
  if (!report.GetReflection()->HasField(report, field)) return std::nullopt;
  return field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_DOUBLE
             ? report.GetReflection()->GetDouble(report, field)
             : report.GetReflection()->GetFloat(report, field);
}

std::int64_t MicrosIn(const CsvRow& row) { return std::llround(*row.Get("t_epoch") * 1e6); }

TEST(CanDecoderTest, EveryObdValueAgreesWithTheTableBesideTheRecording) {
  const std::string log = TextOf("car_obd2_2021-07-26_morning.candump.log");
  const std::string csv = TextOf("car_obd2_2021-07-26_morning_obd2.csv");
  if (log.empty() || csv.empty()) GTEST_SKIP() << "recorded drives are not here";
  const std::map<std::string, std::string, std::less<>> fields = {
      {"04", "engine_load_percent"},
      {"05", "coolant_temperature_c"},
      {"0B", "intake_manifold_pressure_kpa"},
      {"0C", "engine_speed_rpm"},
      {"0D", "obd_speed_kmh"},
      {"11", "throttle_percent"},
      {"2F", "fuel_level_percent"},
      {"33", "barometric_pressure_kpa"},
      {"42", "control_module_v"}};
  std::map<std::int64_t, Report> by_time;
  for (const Taken& taken : Decode(log)) {
    if (taken.frame.id == 0x7E8) by_time[taken.frame.at_us] = taken.report;
  }
  auto table = CsvTable::Open(csv, {"t_epoch", "pid_hex", "value"});
  ASSERT_TRUE(table.ok());
  CsvRow row;
  std::size_t compared = 0;
  while (table->Next(row)) {
    const auto field = fields.find(row.Text("pid_hex"));
    if (field == fields.end()) continue;  // 62: torque in percent, no field
    const auto value = FieldOf(by_time[MicrosIn(row)], field->second);
    ASSERT_TRUE(value) << "line " << row.line();
    EXPECT_NEAR(*value, *row.Get("value"), 1e-3) << "line " << row.line();
    ++compared;
  }
  EXPECT_EQ(compared, 28'930u - 4'778u);
}

TEST(CanDecoderTest, EveryTruckSignalAgreesWithTheTableBesideTheRecording) {
  const std::string log = TextOf("truck_j1939_dm1_2021-10-25.candump.log");
  const std::string csv = TextOf("truck_j1939_dm1_2021-10-25_signals.csv");
  if (log.empty() || csv.empty()) GTEST_SKIP() << "recorded drives are not here";
  const std::map<std::string, std::string, std::less<>> fields = {{"84", "speed_kmh"},
                                                                  {"96", "fuel_level_percent"},
                                                                  {"110", "coolant_temperature_c"},
                                                                  {"168", "low_voltage_battery_v"},
                                                                  {"190", "engine_speed_rpm"},
                                                                  {"245", "odometer_km"}};
  std::map<std::pair<std::int64_t, std::string>, double> decoded;
  for (const Taken& taken : Decode(log)) {
    for (const auto& [spn, field] : fields) {
      const auto value = FieldOf(taken.report, field);
      if (value && taken.frame.is_extended) decoded[{taken.frame.at_us, spn}] = *value;
    }
  }
  auto table = CsvTable::Open(csv, {"t_epoch", "spn", "value"});
  ASSERT_TRUE(table.ok());
  CsvRow row;
  std::size_t compared = 0;
  while (table->Next(row)) {
    const auto found = decoded.find({MicrosIn(row), std::string(row.Text("spn"))});
    ASSERT_NE(found, decoded.end()) << "line " << row.line();
    EXPECT_NEAR(found->second, *row.Get("value"), 1e-3) << "line " << row.line();
    ++compared;
  }
  EXPECT_EQ(compared, 4'197u);
}

TEST(CanDecoderTest, EveryActiveCodeAgreesWithTheTableBesideTheRecording) {
  const std::string log = TextOf("truck_j1939_dm1_2021-10-25.candump.log");
  const std::string csv = TextOf("truck_j1939_dm1_2021-10-25_dm1.csv");
  if (log.empty() || csv.empty()) GTEST_SKIP() << "recorded drives are not here";
  auto table = CsvTable::Open(csv, {"t_epoch", "spn", "fmi", "occurrence_count"});
  ASSERT_TRUE(table.ok());
  J1939Tp transport;
  CsvRow row;
  std::size_t compared = 0;
  ForEachLine(log, [&](std::string_view line, std::size_t) {
    const auto frame = ParseCandumpLine(line);
    if (!frame || !frame->is_extended) return;
    const std::uint32_t group = PgnOf(frame->id);
    if (group != J1939Tp::kConnection && group != J1939Tp::kData) return;
    const auto step = transport.Take(frame->at_us, frame->id, frame->bytes());
    if (step.kind != TransportStep::Kind::kDone || transport.pgn() != J1939Decoder::kDm1) return;
    const auto dm1 = ReadDm1(transport.message());
    ASSERT_TRUE(dm1);
    for (const J1939Code& code : dm1->codes) {
      ASSERT_TRUE(table->Next(row));
      EXPECT_EQ(MicrosIn(row), frame->at_us);
      EXPECT_EQ(code.spn, *row.Get("spn"));
      EXPECT_EQ(code.fmi, *row.Get("fmi"));
      EXPECT_EQ(code.occurrences, *row.Get("occurrence_count"));
      ++compared;
    }
  });
  EXPECT_FALSE(table->Next(row));
  EXPECT_EQ(compared, 508u);
}

TEST(CanDecoderTest, EveryPositionAgreesWithTheTableBesideTheRecording) {
  const std::string log = TextOf("car_obd2_2021-07-26_morning.candump.log");
  const std::string csv = TextOf("car_obd2_2021-07-26_morning_gps.csv");
  if (log.empty() || csv.empty()) GTEST_SKIP() << "recorded drives are not here";
  std::map<std::int64_t, Report> by_time;
  for (const Taken& taken : Decode(log)) {
    if (taken.frame.id == 3) by_time[taken.frame.at_us] = taken.report;
  }
  auto table = CsvTable::Open(csv, {"t_epoch", "pos_valid", "lat", "lon", "pos_accuracy_m"});
  ASSERT_TRUE(table.ok());
  CsvRow row;
  std::size_t compared = 0;
  while (table->Next(row)) {
    const auto found = by_time.find(MicrosIn(row));
    ASSERT_EQ(found != by_time.end(), row.Text("pos_valid") == "1") << "line " << row.line();
    if (found == by_time.end()) continue;
    EXPECT_NEAR(found->second.latitude_deg(), *row.Get("lat"), 1e-6);
    EXPECT_NEAR(found->second.longitude_deg(), *row.Get("lon"), 1e-6);
    EXPECT_NEAR(found->second.horizontal_accuracy_m(), *row.Get("pos_accuracy_m"), 1e-6);
    ++compared;
  }
  EXPECT_EQ(compared, 2'161u);
}

TEST(CanDecoderTest, AFrameOfTheReceiversIdAndAnotherLengthIsNotTheReceivers) {
  if (TextOf("canmod-gps.dbc").empty()) GTEST_SKIP() << "recorded drives are not here";
  CanDecoder decoder = DecoderWithDatabases();
  RowCounts counts;
  Report report;
  EXPECT_EQ(decoder.Take(*ParseCandumpLine("(1.0) can0 003#BF936A91"), report, counts), 0u);
  EXPECT_EQ(counts.dropped[static_cast<std::size_t>(RowDrop::kForeign)], 1u);
}

TEST(CanDecoderTest, ARefusedUdsAnswerGivesNothing) {
  if (TextOf("tp_uds.dbc").empty()) GTEST_SKIP() << "recorded drives are not here";
  CanDecoder decoder = DecoderWithDatabases();
  RowCounts counts;
  Report report;
  EXPECT_EQ(decoder.Take(*ParseCandumpLine("(1.0) can0 7EC#037F223100000000"), report, counts), 0u);
  EXPECT_EQ(counts.dropped[static_cast<std::size_t>(RowDrop::kNothing)], 1u);
}

}  // namespace
}  // namespace telltale::sim
