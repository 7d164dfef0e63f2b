// What a mirror makes of a vehicle and of its records. Reading and sending:
// tests/e2e/test_mirror.py.
#include <gtest/gtest.h>

#include <set>

#include "base/sim_disk.h"
#include "contract/report_oracle.h"
#include "contract/wire.h"
#include "net/tls_identity.h"
#include "sim/mirror_generation.h"
#include "sim/mirror_report.h"

namespace telltale::sim {
namespace {

constexpr Micros kNow{1'800'000'000'000'000};
constexpr Micros kHour = Micros::Seconds(3600);

VehicleRef RefOf(std::uint64_t seed) {
  VehicleRef ref;
  SeededRandom(seed).Fill(ref.bytes);
  return ref;
}

class GenerationTest : public testing::Test {
 protected:
  MirrorGeneration Take(Micros now) {
    auto taken = TakeGeneration(disk_, "/m/generation", random_, now, 24);
    EXPECT_TRUE(taken.ok());
    return taken.ok() ? std::move(taken).value() : MirrorGeneration{};
  }
  void SetUp() override { ASSERT_TRUE(disk_.MakeFolders("/m").ok()); }
  SimDisk disk_;
  SeededRandom random_{7};
};

TEST_F(GenerationTest, ARestartKeepsThePseudonymsAndIsAnotherSession) {
  const MirrorGeneration first = Take(kNow);
  const MirrorGeneration second = Take(kNow + kHour);
  EXPECT_EQ(first.number, 1u);
  EXPECT_EQ(second.number, 1u);
  EXPECT_EQ(second.key, first.key);
  EXPECT_EQ(second.ends_at, kNow + Micros{24 * kHour.value});
  EXPECT_EQ(first.sessions, 1u);
  EXPECT_EQ(second.sessions, 2u);
}

TEST_F(GenerationTest, WhenItIsOverNothingOfItsKeyIsLeft) {
  const MirrorGeneration first = Take(kNow);
  const MirrorGeneration next = Take(first.ends_at);
  EXPECT_EQ(next.number, 2u);
  EXPECT_EQ(next.sessions, 1u);
  EXPECT_NE(next.key, first.key);
  EXPECT_NE(PseudonymOf(next.key, RefOf(1)), PseudonymOf(first.key, RefOf(1)));
  EXPECT_NE(PseudonymDistanceKm(next.key, RefOf(1)), PseudonymDistanceKm(first.key, RefOf(1)));
  const auto file = ReadWholeFile(disk_, "/m/generation");
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file->find(HexEncode(first.key)), std::string::npos);
}

TEST_F(GenerationTest, AFileThatIsNoneStopsTheMirrorInsteadOfBeginningAnew) {
  const auto kept = [this](const std::string& text) {
    EXPECT_TRUE(WriteFileDurably(disk_, "/m/generation", text).ok());
    const auto taken = TakeGeneration(disk_, "/m/generation", random_, kNow, 24);
    return taken.ok() ? Code::kExists : taken.error().code;
  };
  EXPECT_EQ(kept(""), Code::kCorrupt);
  EXPECT_EQ(kept("{\"version\": 1, \"min_reader\": 1, \"number\": 1, \"key\": \"00\"}"),
            Code::kCorrupt);
  EXPECT_EQ(kept("{\"version\": 9, \"min_reader\": 9}"), Code::kUnsupported);
}

TEST(PseudonymTest, HasTheFormOfAVinAndIsItsVehiclesAlone) {
  const std::string key(32, 'k');
  std::set<std::string> names;
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    const std::string name = PseudonymOf(key, RefOf(i));
    ASSERT_TRUE(net::IsVin(name)) << name;
    names.insert(name);
  }
  EXPECT_EQ(names.size(), 10'000u);
  EXPECT_EQ(PseudonymOf(key, RefOf(5)), PseudonymOf(key, RefOf(5)));
}

class MirrorReportsTest : public testing::Test {
 protected:
  Result<telltale::v1::Report> Encode(const std::string& payload, std::uint8_t flags = 0) {
    log::RecordView record;
    record.header.flags = flags;
    record.header.contract_number = 1;
    record.payload = AsBytes(payload);
    return reports_.Encode(record, 1'000.5);
  }
  MirrorReports reports_{[](std::uint32_t) -> Result<std::shared_ptr<const contract::Contract>> {
                           return contract::testing::Load(contract::testing::ShippedFiles());
                         },
                         kCarriedOnCounts};
};

TEST_F(MirrorReportsTest, KeepsOpenValuesAndMovesDistances) {
  telltale::v1::Report open;
  open.set_speed_kmh(62.5);
  open.set_odometer_km(250'000.0);
  open.add_dtcs()->set_code("P0301");
  const auto sent = Encode(std::string(20, 'b') + open.SerializeAsString(), 1);
  ASSERT_TRUE(sent.ok());
  telltale::v1::Report expected = open;
  expected.set_odometer_km(251'000.5);
  EXPECT_EQ(sent->SerializeAsString(), expected.SerializeAsString());
}

TEST_F(MirrorReportsTest, NeitherDerivedNorSealedNorCarriedOnValuesLeave) {
  telltale::v1::Report open;
  open.set_speed_kmh(50);
  telltale::v1::Report more = open;
  more.set_cell(0x479a8b4000000000);
  more.set_heading_octant(3);
  more.set_vehicle_class(telltale::v1::VEHICLE_CLASS_VAN);
  more.set_ignition_cycle(4711);
  more.set_time_since_clear_min(90'000);
  // Neither stands in an open record; if a door ever let it through, it ends here.
  more.set_latitude_deg(52.5);
  more.set_driver_id("someone");
  std::string payload = more.SerializeAsString();
  contract::AppendTag(payload, 9'876, contract::WireType::kVarint);
  contract::AppendVarint(payload, 1);
  const auto sent = Encode(payload);
  ASSERT_TRUE(sent.ok());
  EXPECT_EQ(sent->SerializeAsString(), open.SerializeAsString());
}

TEST_F(MirrorReportsTest, TheClassIsReadFromTheRecordWhereverItStands) {
  const auto class_of = [](const std::string& payload, std::uint8_t flags) {
    log::RecordView record;
    record.header.flags = flags;
    record.payload = AsBytes(payload);
    return ClassOf(record);
  };
  telltale::v1::Report open;
  open.set_speed_kmh(50);
  EXPECT_EQ(class_of(open.SerializeAsString(), 0), VehicleClass::kUnknown);
  open.set_vehicle_class(telltale::v1::VEHICLE_CLASS_TRUCK);
  EXPECT_EQ(class_of(open.SerializeAsString(), 0), VehicleClass::kTruck);
  EXPECT_EQ(class_of(std::string(20, 'b') + open.SerializeAsString(), 1), VehicleClass::kTruck);
  EXPECT_EQ(class_of("short", 1), VehicleClass::kUnknown);
  EXPECT_EQ(class_of("\xff\xff", 0), VehicleClass::kUnknown);
}

TEST_F(MirrorReportsTest, WhatIsNoOpenRecordIsRefused) {
  const auto refused = [this](const std::string& payload, std::uint8_t flags) {
    const auto sent = Encode(payload, flags);
    return !sent.ok() && sent.error().code == Code::kInvalid;
  };
  EXPECT_TRUE(refused(std::string(19, 'b'), 1));
  EXPECT_TRUE(refused("\xff\xff", 0));
}

}  // namespace
}  // namespace telltale::sim
