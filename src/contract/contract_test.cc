// The shipped contract as a table, and what a contract may not be.
#include "contract/contract.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/vehicle_class.h"
#include "contract/report_oracle.h"

namespace telltale::contract {
namespace {

using namespace testing;  // NOLINT: the oracle's vocabulary

class ShippedContractTest : public ::testing::Test {
 protected:
  // Every field and member, as (path, field, descriptor).
  struct Entry {
    std::string path;
    const Field* field;
    const pb::FieldDescriptor* descriptor;
  };
  std::vector<Entry> All() const {
    std::vector<Entry> all;
    Walk("", contract_->fields(), *contract_->report_descriptor(), all);
    return all;
  }
  static void Walk(const std::string& prefix, const std::vector<Field>& fields,
                   const pb::Descriptor& message, std::vector<Entry>& all) {
    for (const Field& field : fields) {
      const auto* descriptor = message.FindFieldByNumber(static_cast<int>(field.number));
      all.push_back({prefix + field.name, &field, descriptor});
      if (field.type == ValueType::kMessage) {
        Walk(prefix + field.name + ".", field.members, *descriptor->message_type(), all);
      }
    }
  }
  const Field& Named(const char* name) const {
    const Field* field = contract_->FindByName(name);
    CHECK(field != nullptr);
    return *field;
  }
  std::shared_ptr<const Contract> contract_ = Load(ShippedFiles());
};

TEST_F(ShippedContractTest, HasAboutAHundredAndTwentyFields) {
  EXPECT_GE(contract_->fields().size(), 115u);
  EXPECT_LE(contract_->fields().size(), 140u);
}

TEST_F(ShippedContractTest, EveryFieldHasTheOptionWithAPrivacyClass) {
  for (const Entry& entry : All()) {
    const auto& options = entry.descriptor->options();
    EXPECT_FALSE(options.unknown_fields().empty()) << entry.path;
    // Without a class it would read as IDENTITY; the one field that is meant to be is named.
    if (entry.path != "driver_id") {
      EXPECT_NE(entry.field->privacy, Privacy::kIdentity) << entry.path;
    }
  }
}

TEST_F(ShippedContractTest, EveryNumberHasAUnitAndNothingElseHas) {
  for (const Entry& entry : All()) {
    const ValueType type = entry.field->type;
    const bool plain = type == ValueType::kBool || type == ValueType::kEnum ||
                       type == ValueType::kString || type == ValueType::kMessage;
    EXPECT_EQ(entry.field->unit.empty(), plain) << entry.path;
  }
}

TEST_F(ShippedContractTest, TheUnitInTheNameIsTheUnitOfTheOption) {
  const std::pair<const char*, const char*> kinds[] = {
      {"_kmh", "km/h"}, {"_mps2", "m/s2"}, {"_dps", "deg/s"}, {"_percent", "%"}, {"_rpm", "/min"},
      {"_kpa", "kPa"},  {"_deg", "deg"},   {"_gps", "g/s"},   {"_lph", "L/h"},   {"_km", "km"},
      {"_kw", "kW"},    {"_kwh", "kW.h"},  {"_ah", "A.h"},    {"_nm", "N.m"},    {"_min", "min"},
      {"_us", "us"},    {"_c", "Cel"},     {"_v", "V"},       {"_a", "A"},       {"_s", "s"},
      {"_m", "m"}};
  for (const Entry& entry : All()) {
    for (const auto& [suffix, unit] : kinds) {
      if (entry.field->name.ends_with(suffix)) {
        EXPECT_EQ(entry.field->unit, unit) << entry.path;
      }
    }
  }
}

TEST_F(ShippedContractTest, EveryMeasuredNumberHasARange) {
  for (const Entry& entry : All()) {
    if (entry.field->unit.empty() || entry.path == "seq" || entry.path == "event_time_us" ||
        entry.path == "cell") {
      continue;
    }
    ASSERT_TRUE(entry.field->min && entry.field->max) << entry.path;
    EXPECT_LT(*entry.field->min, *entry.field->max) << entry.path;
  }
}

TEST_F(ShippedContractTest, ColumnsAreUniqueInAnyLetterCase) {
  std::set<std::string> seen;
  for (const Field& field : contract_->fields()) {
    std::string folded = field.column;
    std::transform(folded.begin(), folded.end(), folded.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    EXPECT_TRUE(seen.insert(folded).second) << field.column;
  }
}

// docs/contract.md: what the platform writes beside the contract's fields in the lake.
TEST_F(ShippedContractTest, ColumnsLeaveThePlatformsNamesAlone) {
  for (const char* taken :
       {"vehicle_ref", "boot_counter", "boot_random", "firmware", "received_at", "log_time",
        "release", "authority_epoch", "contract_version", "config_seq", "partition", "offset",
        "is_late", "is_past_horizon", "hour", "received", "missing", "late", "duplicate"}) {
    for (const Field& field : contract_->fields()) EXPECT_NE(field.column, taken);
  }
}

TEST_F(ShippedContractTest, NumbersKeepTheRoomThatColumnIdsNeed) {
  for (const Entry& entry : All()) {
    const bool top = entry.path.find('.') == std::string::npos;
    if (top) {
      EXPECT_EQ(entry.field->number >= kFieldFirstDerived, entry.field->derived) << entry.path;
      EXPECT_LT(entry.field->number, kFieldFirstDerived + 100) << entry.path;  // then: stamps
    } else {
      EXPECT_LT(entry.field->number, 1'000u) << entry.path;
    }
  }
}

TEST_F(ShippedContractTest, EverySingularFieldHasExplicitPresence) {
  for (const Entry& entry : All()) {
    EXPECT_TRUE(entry.field->repeated || entry.descriptor->has_presence()) << entry.path;
  }
}

TEST_F(ShippedContractTest, OnlyOpenFieldsGoToSafetyAndOpenTextIsACode) {
  for (const Entry& entry : All()) {
    if (entry.field->privacy != Privacy::kOpen) {
      EXPECT_FALSE(entry.field->safety) << entry.path;
    }
    if (entry.field->type == ValueType::kString && entry.field->privacy == Privacy::kOpen) {
      EXPECT_EQ(entry.path, "dtcs.code") << "another OPEN text: say what bounds it";
    }
  }
}

TEST_F(ShippedContractTest, WhatIsExactOrLinkingIsKnownByName) {
  std::set<std::string> precise;
  std::set<std::string> linking;
  for (const Entry& entry : All()) {
    if (entry.field->privacy == Privacy::kPrecise) precise.insert(entry.path);
    if (entry.field->privacy == Privacy::kLinking) linking.insert(entry.path);
  }
  EXPECT_EQ(precise,
            (std::set<std::string>{"latitude_deg", "longitude_deg", "altitude_m", "heading_deg",
                                   "horizontal_accuracy_m", "charging.location_latitude_deg",
                                   "charging.location_longitude_deg"}));
  EXPECT_EQ(linking, std::set<std::string>{"odometer_km"});
}

TEST_F(ShippedContractTest, TheNumbersThatTheProtocolFreezesAreInPlace) {
  const std::pair<const char*, std::uint32_t> frozen[] = {{"seq", 1},
                                                          {"event_time_us", 2},
                                                          {"speed_kmh", 10},
                                                          {"acceleration_longitudinal_mps2", 11},
                                                          {"acceleration_lateral_mps2", 12},
                                                          {"acceleration_vertical_mps2", 13},
                                                          {"yaw_rate_dps", 14},
                                                          {"motion_source", 15},
                                                          {"brake_pedal_percent", 20},
                                                          {"is_driver_emergency_braking", 21},
                                                          {"is_abs_engaged", 22},
                                                          {"is_tcs_engaged", 23},
                                                          {"is_esc_engaged", 24},
                                                          {"is_fcw_warning", 30},
                                                          {"is_aeb_engaged", 31},
                                                          {"is_paeb_engaged", 32},
                                                          {"is_ldw_warning", 33},
                                                          {"engine_speed_rpm", 50},
                                                          {"engine_load_percent", 51},
                                                          {"coolant_temperature_c", 52},
                                                          {"short_fuel_trim_b1_percent", 53},
                                                          {"long_fuel_trim_b1_percent", 54},
                                                          {"throttle_percent", 55},
                                                          {"mass_air_flow_gps", 56},
                                                          {"intake_air_temperature_c", 57},
                                                          {"low_voltage_battery_v", 100},
                                                          {"low_voltage_battery_a", 101},
                                                          {"tires", 120},
                                                          {"is_ignition_on", 130},
                                                          {"ignition_cycle", 131},
                                                          {"dtcs", 140},
                                                          {"odometer_km", 150},
                                                          {"latitude_deg", 160},
                                                          {"longitude_deg", 161},
                                                          {"altitude_m", 162},
                                                          {"heading_deg", 163},
                                                          {"horizontal_accuracy_m", 164},
                                                          {"satellites", 165},
                                                          {"cell", kFieldCell},
                                                          {"heading_octant", kFieldHeadingOctant},
                                                          {"vehicle_class", kFieldVehicleClass}};
  for (const auto& [name, number] : frozen) EXPECT_EQ(Named(name).number, number) << name;
  EXPECT_EQ(contract_->FindByNumber(900), nullptr);  // the simulator's field of tomorrow
}

TEST_F(ShippedContractTest, OptionsReadAsWritten) {
  const Field& speed = Named("speed_kmh");
  EXPECT_EQ(speed.unit, "km/h");
  EXPECT_EQ(speed.min, 0.0);
  EXPECT_EQ(speed.max, 400.0);
  EXPECT_EQ(speed.privacy, Privacy::kOpen);
  EXPECT_TRUE(speed.safety);
  EXPECT_EQ(speed.column, "speed_kmh");
  EXPECT_EQ(speed.vss_path, "Vehicle.Speed");
  EXPECT_EQ(speed.first_firmware, "1.0.0");
  EXPECT_EQ(speed.type, ValueType::kFloat);
  EXPECT_EQ(Named("tires").first_firmware, "2.0.0");
  EXPECT_TRUE(Named("tires").repeated);
  EXPECT_EQ(Named("dtcs").members.at(3).members.size(), 9u);  // freeze_frame
}

TEST_F(ShippedContractTest, EnumsBeginUnspecifiedAndVehicleClassesMatchTheRegistry) {
  for (const Entry& entry : All()) {
    if (entry.field->type != ValueType::kEnum) continue;
    ASSERT_FALSE(entry.field->enum_values.empty()) << entry.path;
    EXPECT_EQ(entry.field->enum_values[0].first, 0) << entry.path;
    EXPECT_TRUE(entry.field->enum_values[0].second.ends_with("_UNSPECIFIED")) << entry.path;
  }
  const auto& classes = Named("vehicle_class").enum_values;
  ASSERT_EQ(classes.size(), kVehicleClassNames.size());
  for (std::size_t i = 1; i < classes.size(); ++i) {
    std::string name = "vehicle_class_" + std::string(kVehicleClassNames[i]);
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    EXPECT_EQ(classes[i].first, static_cast<std::int32_t>(i));
    EXPECT_EQ(classes[i].second, name);
  }
}

// --- What FromDescriptorSet refuses ---

Code LoadCode(const pb::FileDescriptorSet& files) {
  const auto contract = Contract::FromDescriptorSet(files.SerializeAsString());
  CHECK(!contract.ok());
  return contract.error().code;
}

TEST(ContractTest, RefusesWhatIsNotAContract) {
  EXPECT_FALSE(Contract::FromDescriptorSet("").ok());
  EXPECT_FALSE(Contract::FromDescriptorSet("not a descriptor set").ok());
  pb::FileDescriptorSet files = ShippedFiles();
  FindMessage(files, "Report")->set_name("Other");
  EXPECT_EQ(LoadCode(files), Code::kInvalid);  // ReportBatch names a type that is gone
  files = ShippedFiles();
  files.mutable_file()->DeleteSubrange(0, 1);  // an import is missing
  EXPECT_EQ(LoadCode(files), Code::kInvalid);
}

TEST(ContractTest, RefusesOptionsOutOfBounds) {
  const std::string safety = "\x28\x01";   // FieldSpec.safety = 5
  const std::string derived = "\x48\x01";  // FieldSpec.derived = 9
  const std::string upside_down = Fixed<double>(2, 5) + Fixed<double>(3, 4);
  struct Case {
    const char* field;
    std::string spec;
  };
  const Case cases[] = {
      {"speed_kmh", upside_down},
      {"speed_kmh", Fixed<double>(2, std::nan(""))},
      {"speed_kmh", Delimited(6, "yaw_rate_dps")},  // another field's column
      {"speed_kmh", Delimited(6, "Speed")},         // upper case
      {"speed_kmh", Delimited(6, "speed kmh; drop")},
      {"speed_kmh", PrivacySpec(2)},  // safety, but PRECISE
      {"speed_kmh", derived},         // number below 10,000
      {"cell", "\x48" + std::string(1, '\0')},
      {"latitude_deg", safety},
  };
  for (const Case& bad : cases) {
    pb::FileDescriptorSet files = ShippedFiles();
    SetSpec(FindField(FindMessage(files, "Report"), bad.field), bad.spec);
    EXPECT_EQ(LoadCode(files), Code::kInvalid) << bad.field << " " << HexEncode(bad.spec);
  }
}

TEST(ContractTest, RefusesOpenBytesGroupsAndRecursion) {
  pb::FileDescriptorSet files = ShippedFiles();
  SetSpec(
      AddField(FindMessage(files, "Report"), "blob", 8'000, pb::FieldDescriptorProto::TYPE_BYTES),
      PrivacySpec(1));
  EXPECT_EQ(LoadCode(files), Code::kInvalid);

  files = ShippedFiles();
  auto* self =
      AddField(FindMessage(files, "Dtc"), "cause", 50, pb::FieldDescriptorProto::TYPE_MESSAGE);
  self->set_type_name(".telltale.v1.Dtc");
  SetSpec(self, PrivacySpec(1));
  EXPECT_EQ(LoadCode(files), Code::kInvalid);
}

TEST(ContractTest, AClassThatThisBuildDoesNotKnowIsSealed) {
  pb::FileDescriptorSet files = ShippedFiles();
  SetSpec(FindField(FindMessage(files, "Report"), "satellites"), PrivacySpec(77));
  EXPECT_EQ(Load(files)->FindByName("satellites")->privacy, Privacy::kIdentity);
}

TEST(ContractTest, AnOptionOfANewerContractIsPassedOver) {
  pb::FileDescriptorSet files = ShippedFiles();
  SetSpec(FindField(FindMessage(files, "Report"), "speed_kmh"), Delimited(99, "from tomorrow"));
  EXPECT_EQ(Load(files)->FindByName("speed_kmh")->unit, "km/h");
}

}  // namespace
}  // namespace telltale::contract
