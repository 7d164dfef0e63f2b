#include "lake/columns.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

namespace telltale::lake {
namespace {

std::shared_ptr<const contract::Contract> TheContract() {
  std::ifstream in(TELLTALE_CONTRACT_DESC, std::ios::binary);
  std::stringstream bytes;
  bytes << in.rdbuf();
  auto contract = contract::Contract::FromDescriptorSet(bytes.str());
  EXPECT_TRUE(contract.ok());
  return contract.ok() ? *contract : nullptr;
}

void Collect(const std::vector<Column>& columns, const std::string& prefix,
             std::map<std::string, const Column*>& out) {
  for (const Column& column : columns) {
    out[prefix + column.name] = &column;
    Collect(column.members, prefix + column.name + ".", out);
  }
}

class ColumnsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    contract_ = TheContract();
    ASSERT_NE(contract_, nullptr);
    columns_ = TelemetryColumns(*contract_, &skipped_);
    Collect(columns_, "", by_name_);
  }
  std::shared_ptr<const contract::Contract> contract_;
  std::vector<Column> columns_;
  std::vector<std::string> skipped_;
  std::map<std::string, const Column*> by_name_;
};

TEST_F(ColumnsTest, EveryOpenFieldHasAColumnOfItsNumberAndNothingElseOfTheContractHas) {
  EXPECT_TRUE(skipped_.empty());
  std::size_t open = 0;
  for (const contract::Field& field : contract_->fields()) {
    if (field.number <= contract::kFieldEventTimeUs) continue;
    const auto found = by_name_.find(field.column.empty() ? field.name : field.column);
    const bool is_open =
        field.privacy == contract::Privacy::kOpen || field.privacy == contract::Privacy::kLinking;
    ASSERT_EQ(found != by_name_.end(), is_open) << field.name;
    if (!is_open) continue;
    ++open;
    EXPECT_EQ(found->second->id, static_cast<std::int32_t>(field.number));
  }
  EXPECT_GE(open, 110u);
}

TEST_F(ColumnsTest, NoColumnIsOfAnExactPlaceOrAPerson) {
  for (const char* name :
       {"latitude_deg", "longitude_deg", "altitude_m", "heading_deg", "horizontal_accuracy_m",
        "driver_id", "charging.location_latitude_deg", "charging.location_longitude_deg"}) {
    EXPECT_FALSE(by_name_.contains(name)) << name;
  }
  EXPECT_TRUE(by_name_.contains("odometer_km"));  // the open copy, with the owner's offset
  EXPECT_TRUE(by_name_.contains("charging.power_kw"));
}

// A field added tomorrow is judged too: whatever is an angle, or by its name tells a direction, is
// withheld or stands in this list with its reason.
TEST_F(ColumnsTest, EveryFieldThatTellsTurnsIsWithheldFromTheTable) {
  const std::set<std::string> harmless = {"pitch_rate_dps",       // slopes, no turns
                                          "timing_advance_deg"};  // of the ignition
  const auto json = nlohmann::json::parse(IcebergSchemaJson(columns_));
  std::set<std::string> told;
  for (const auto& field : json["fields"]) told.insert(field["name"]);
  std::set<std::string> withheld;
  for (const Column& column : columns_) {
    if (column.is_withheld) withheld.insert(column.name);
    EXPECT_NE(told.contains(column.name), column.is_withheld) << column.name;
  }
  EXPECT_EQ(withheld,
            (std::set<std::string>{"acceleration_lateral_mps2", "yaw_rate_dps",
                                   "steering_wheel_angle_deg", "roll_rate_dps", "heading_octant"}));
  for (const contract::Field& field : contract_->fields()) {
    std::string words = field.name + " " + field.vss_path;
    std::transform(words.begin(), words.end(), words.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    bool is_suspect = field.unit.starts_with("deg");
    for (const char* word : {"yaw", "lateral", "steer", "heading", "roll_rate", "curv", "turn",
                             "wheel_speed", "compass", "gyro", "angle"}) {
      is_suspect = is_suspect || words.find(word) != std::string::npos;
    }
    if (!is_suspect || harmless.contains(field.name)) continue;
    EXPECT_FALSE(told.contains(field.name)) << field.name;
  }
}

TEST_F(ColumnsTest, WhatATurnFeedsIsWithheldToo) {
  contract::Field yaw;
  yaw.number = 14;
  yaw.name = "yaw_rate_dps";
  contract::Field newer;
  newer.number = 300;
  newer.name = "yaw_rate_radps";
  newer.from.push_back({"yaw_rate_dps", {}});
  contract::Field other;
  other.number = 301;
  other.name = "speed_mps";
  const std::vector<contract::Field> fields = {yaw, newer, other};
  EXPECT_TRUE(TellsTurns(fields, yaw));
  EXPECT_TRUE(TellsTurns(fields, newer));
  EXPECT_FALSE(TellsTurns(fields, other));
}

TEST_F(ColumnsTest, NestedColumnsAreNumberedAsTheDesignSays) {
  EXPECT_EQ(by_name_.at("dtcs")->element_id, 90'140);
  EXPECT_EQ(by_name_.at("dtcs.code")->id, 100'000 + 140'000 + 1);
  EXPECT_EQ(by_name_.at("dtcs.code")->text_rule, TextRule::kDtcCode);
  EXPECT_EQ(by_name_.at("dtcs.freeze_frame.speed_kmh")->id, 100'000 + 1000 * 240'004 + 7);
  EXPECT_EQ(by_name_.at("misfire_counts")->element_id, 90'084);
  EXPECT_EQ(by_name_.at("tires.pressure_kpa")->id, 220'002);
}

TEST_F(ColumnsTest, NoNumberAndNoNameIsGivenTwice) {
  std::set<std::int32_t> ids;
  for (const auto& [name, column] : by_name_) {
    EXPECT_TRUE(ids.insert(column->id).second) << name;
    if (column->repeated) {
      EXPECT_TRUE(ids.insert(column->element_id).second) << name;
    }
  }
  EXPECT_EQ(ids.count(0), 0u);
  std::set<std::string> names;
  for (const Column& column : columns_) EXPECT_TRUE(names.insert(column.name).second);
}

TEST_F(ColumnsTest, OnlyStampsAndIdentityAreRequired) {
  for (const Column& column : columns_) {
    EXPECT_TRUE(!column.required || column.number == 0) << column.name;
  }
}

TEST_F(ColumnsTest, TheSchemaIsIcebergsJson) {
  const auto json = nlohmann::json::parse(IcebergSchemaJson(columns_));
  EXPECT_EQ(json["type"], "struct");
  std::map<std::string, nlohmann::json> types;
  for (const auto& field : json["fields"]) types[field["name"]] = field["type"];
  EXPECT_EQ(types["event_time"], "timestamptz");
  EXPECT_EQ(types["cell"], "long");
  EXPECT_EQ(types["ignition_cycle"], "long");
  EXPECT_EQ(types["motion_source"], "string");
  EXPECT_EQ(types["dtcs"]["type"], "list");
  EXPECT_EQ(types["dtcs"]["element"]["type"], "struct");
  EXPECT_EQ(nlohmann::json::parse(IcebergSchemaJson(ArrivalsColumns()))["fields"][3]["name"],
            "hour");
}

}  // namespace
}  // namespace telltale::lake
