#include "app/gate_calibration.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>

#include "base/config.h"
#include "base/sim_disk.h"
#include "publish/alert_store.h"
#include "store/disk_vfs.h"
#include "store/sqlite.h"

namespace telltale::app {
namespace {

using nlohmann::json;

json Rollout(const char* phase, const char* by, const char* word = nullptr) {
  json rollout = {{"phase", phase},
                  {"gate", {{"outcome", "hold"}}},
                  {"history", json::array({{{"subject", "cn:anna"}}, {{"subject", by}}})}};
  if (word != nullptr) rollout["judgement"] = {{"halt", word}};
  return rollout;
}

TEST(GateCalibrationTest, OnlyRolloutsThatAreOverAndWereJudgedCount) {
  json without = Rollout("closed", "control");
  without["gate"] = nullptr;
  const json rollouts = {Rollout("window", "control"),        Rollout("withdrawn", "cn:anna"),
                         Rollout("rejected", "gate"),         Rollout("rejected", "gate", "false"),
                         Rollout("rejected", "gate", "true"), Rollout("rejected", "cn:anna"),
                         Rollout("shadow", "control"),        without};
  const gate::LiveRollouts live = LiveRolloutsIn(rollouts);
  EXPECT_EQ(live.rollouts, 6);
  EXPECT_EQ(live.halted, 3);
  EXPECT_EQ(live.called_false, 1);
  EXPECT_EQ(live.called_true, 1);
}

TEST(GateCalibrationTest, TheSimulationStandsForItUntilThereAreThreeHundred) {
  const Result<json> none(Error{Code::kNotFound, "no alerts yet"});
  const json few = CalibrationAnswer({.rollouts = 299, .halted = 1}, none);
  EXPECT_EQ(few.at("stands_for_it"), "simulation");
  EXPECT_TRUE(few.at("placebo").is_null());
  EXPECT_GE(few.at("shipped").size(), 6u);
  for (const json& row : few.at("shipped")) EXPECT_GE(row.at("rollouts"), 1000) << row.dump();
  const std::string words = CalibrationWords(few);
  EXPECT_NE(words.find("until there are 300, the shipped simulation stands"), std::string::npos);
  EXPECT_NE(words.find("none drawn, no alerts yet"), std::string::npos) << words;
  EXPECT_NE(words.find("judge-halt"), std::string::npos) << words;
  EXPECT_EQ(CalibrationAnswer({.rollouts = 300}, none).at("stands_for_it"), "live");
}

class PlaceboRowsTest : public ::testing::Test {
 protected:
  store::Database Open(const std::string& path, std::span<const char* const> migrations,
                       std::int32_t id) {
    auto database =
        store::Database::Open(path, {.application_id = id, .migrations = migrations, .vfs = &vfs_});
    EXPECT_TRUE(database.ok()) << database.error().ToString();
    return std::move(database).value();
  }
  static VehicleRef CarOf(int number) {
    VehicleRef ref;
    ref.bytes[0] = static_cast<std::uint8_t>(number);
    ref.bytes[1] = static_cast<std::uint8_t>(number >> 8);
    return ref;
  }
  void Register(int vehicles) {
    ASSERT_TRUE(disk_.MakeFolders(paths_.registry()).ok());
    constexpr std::array<const char*, 1> kSchema = {
        "CREATE TABLE vehicles (vehicle_ref BLOB UNIQUE)"};
    auto registry = Open(paths_.registry() + "/registry.db", kSchema, 0x74740001);
    for (int i = 0; i < vehicles; ++i) {
      auto insert = registry.Prepare("INSERT INTO vehicles VALUES (?)");
      ASSERT_TRUE(insert.ok());
      ASSERT_TRUE(insert->BindBlob(1, AsText(CarOf(i).bytes)).Run().ok());
    }
  }
  void Alert(const std::string& rule, int vehicles, int each) {
    ASSERT_TRUE(disk_.MakeFolders(paths_.publish()).ok());
    const std::string path = paths_.publish() + "/alerts.db";
    ASSERT_TRUE(publish::AlertStore::Open(path, &vfs_).ok());
    auto database = store::Database::Open(
        path, {.migrations = std::array<const char*, 2>{"", ""}, .vfs = &vfs_});
    ASSERT_TRUE(database.ok());
    for (int i = 0; i < vehicles * each; ++i) {
      ASSERT_TRUE(database
                      ->Execute(fmt::format(
                          "INSERT INTO alerts (output_id, rule, vehicle_ref, severity, state, "
                          "revision, boot_counter, boot_random, first_seq, started_at_us, "
                          "authority_epoch, release, input_partition, input_offset, input_index, "
                          "contract_number, seq, event_time_us, receipt_time_us, "
                          "publish_time_us, change_number) VALUES (x'{:08x}{:02x}', '{}', '{}', "
                          "'high', 'OPEN', 1, 1, 2, 0, 0, 1, 'aa', 1, 0, 0, 1, 0, 0, 0, 0, 1);",
                          i, rule.size(), rule, CarOf(i % vehicles).ToHex()))
                      .ok());
    }
  }

  SimDisk disk_;
  store::DiskVfs vfs_{disk_};
  const Paths paths_{"/site"};
};

TEST_F(PlaceboRowsTest, EachRuleIsDrawnOverAllVehiclesAndARareOneIsNot) {
  Register(300);
  Alert("often", 100, 2);
  Alert("rare", 3, 1);
  const auto rows = PlaceboRows(disk_, "/site");
  ASSERT_TRUE(rows.ok()) << rows.error().ToString();
  ASSERT_EQ(rows->size(), 2u);
  const json& often = rows->at(0);
  EXPECT_EQ(often.at("rule"), "often");
  EXPECT_EQ(often.at("vehicles"), 300);
  EXPECT_EQ(often.at("vehicles_with_alerts"), 100);
  EXPECT_EQ(often.at("alerts"), 200);
  EXPECT_EQ(often.at("draws"), 999);
  EXPECT_LE(often.at("halted"), 25);
  EXPECT_EQ(rows->at(1).at("draws"), 0) << "too few events to compare";
  const std::string words = CalibrationWords(CalibrationAnswer({}, *rows));
  EXPECT_NE(words.find("often: 200 alerts of 100 of 300 vehicles"), std::string::npos) << words;
  EXPECT_NE(words.find("too few to compare two halves"), std::string::npos) << words;
}

TEST_F(PlaceboRowsTest, WithoutARegistryNothingIsDrawn) {
  const auto rows = PlaceboRows(disk_, "/site");
  ASSERT_FALSE(rows.ok());
  EXPECT_EQ(rows.error().code, Code::kNotFound);
}

}  // namespace
}  // namespace telltale::app
