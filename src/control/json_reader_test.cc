#include "control/json_reader.h"

#include <gtest/gtest.h>

#include "control/strata.h"

namespace telltale::control {
namespace {

using nlohmann::json;

TEST(JsonReaderTest, ATimeIsReadToTheMicrosecondAndNoDayThatIsNotThere) {
  EXPECT_EQ(ParseUtc("1970-01-01T00:00:01Z")->value, 1'000'000);
  EXPECT_EQ(ParseUtc("2026-11-30T10:00:00.012345Z")->value,
            ParseUtc("2026-11-30T10:00:00Z")->value + 12'345);
  EXPECT_EQ(ParseUtc(TimeText(1'796'032'800'000'001))->value, 1'796'032'800'000'001);
  for (const char* text : {"", "2026-11-30", "2026-02-30T00:00:00Z", "2026-01-01T24:00:00Z",
                           "2026-01-01T00:00:00", "2026-01-01T00:00:00.Z", "2026-01-01 00:00:00Z",
                           "2026-01-01T00:00:00.0000001Z", "2026-01-01T00:00:00+01:00"}) {
    EXPECT_FALSE(ParseUtc(text).ok()) << text;
  }
}

TEST(JsonReaderTest, OneMistakeIsSaidAndNumbersOfAQueryMayBeText) {
  const json object = {{"after", "7"}, {"limit", "many"}, {"more", 1}};
  JsonReader read(object, "audit");
  EXPECT_EQ(read.Whole("after", 0, 0, 100), 7);
  read.Whole("limit", 0, 0, 100);
  EXPECT_EQ(read.Done().error().message, "audit: \"limit\" must be a whole number, 0 to 100");
}

TEST(JsonReaderTest, WhatIsNoObjectIsRefusedWhateverIsRead) {
  for (const json& value : {json(), json(7), json("x"), json::array()}) {
    JsonReader read(value, "it");
    read.Text("name", "");
    read.Flag("flag", false);
    EXPECT_EQ(read.Done().error().message, "it: must be a JSON object");
  }
}

TEST(StrataTest, CountsWhoIsInAndNamesWhatIsNeverCovered) {
  const std::string first(32, '1'), second(32, '2'), third(32, '3');
  const json vehicles = {{{"vehicle_ref", first}, {"model", "a"}, {"vehicle_class", 1}},
                         {{"vehicle_ref", second}, {"model", "a"}, {"vehicle_class", 1}},
                         {{"vehicle_ref", third}, {"model", "b"}, {"vehicle_class", 1}}};
  Cohort order;
  order.salt = "s";
  order.always = {*VehicleRef::FromHex(first)};
  order.never = {*VehicleRef::FromHex(third)};
  const auto strata = StrataOf(vehicles, order);
  ASSERT_TRUE(strata.ok());
  EXPECT_EQ(strata->at("vehicles"), json({{"in", 1}, {"out", 2}}));
  EXPECT_EQ(strata->at("never_covered"), json({{{"by", "model"}, {"value", "b"}}}));
  order.per_10000 = 10'000;
  EXPECT_EQ(StrataOf(vehicles, order)->at("vehicles"), json({{"in", 2}, {"out", 1}}));
  EXPECT_FALSE(StrataOf(json::array({{{"model", "a"}}}), order).ok());
}

TEST(StrataTest, WhatNoVehicleHasIsNoStratumAndWhatSomeLackIsOne) {
  const json vehicles = {{{"vehicle_ref", std::string(32, '1')}, {"model", "a"}, {"firmware", ""}},
                         {{"vehicle_ref", std::string(32, '2')}}};
  const auto strata = StrataOf(vehicles, Cohort());
  ASSERT_TRUE(strata.ok());
  const json out = {{"by", "model"}, {"in", 0}, {"out", 1}};
  json some = out, none = out;
  some["value"] = "a";
  none["value"] = "";
  EXPECT_EQ(strata->at("strata"), json({none, some}));
}

}  // namespace
}  // namespace telltale::control
