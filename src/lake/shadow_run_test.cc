#include "lake/shadow_run.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace telltale::lake {
namespace {

nlohmann::json Whole() {
  return {{"format", "telltale-shadow-run"},
          {"version", 1},
          {"release", std::string(64, 'a')},
          {"contract", std::string(64, 'c')},
          {"salt", "release-7"},
          {"always", {"000102030405060708090a0b0c0d0e0f"}},
          {"never", nlohmann::json::array()},
          {"lots", 2237}};
}

TEST(ShadowRunTest, HasTheVehiclesOfLowerLots) {
  const auto run = ParseShadowRun(Whole().dump());
  ASSERT_TRUE(run.ok()) << run.error().ToString();
  const VehicleRef zero{};  // its draw is 2236, so its lot 2237
  EXPECT_FALSE(run->Has(zero));
  EXPECT_TRUE(run->Has(*VehicleRef::FromHex("000102030405060708090a0b0c0d0e0f")));
  auto more = Whole();
  more["lots"] = 2238;
  EXPECT_TRUE(ParseShadowRun(more.dump())->Has(zero));
  more["never"] = {std::string(32, '0')};
  EXPECT_FALSE(ParseShadowRun(more.dump())->Has(zero));
}

TEST(ShadowRunTest, NamesTheMemberThatIsWrong) {
  const std::vector<std::pair<std::string, nlohmann::json>> wrong = {
      {"release", "ab"},  {"contract", std::string(64, 'C')},
      {"salt", 7},        {"always", "all"},
      {"always", {"00"}}, {"never", {1}},
      {"lots", 0},        {"lots", 10'003},
      {"lots", -1},       {"lots", "many"},
      {"lots", 1.5}};
  for (const auto& [name, value] : wrong) {
    auto json = Whole();
    json[name] = value;
    const auto run = ParseShadowRun(json.dump());
    ASSERT_FALSE(run.ok()) << name << " " << value;
    EXPECT_EQ(run.error().code, Code::kInvalid);
    EXPECT_NE(run.error().message.find(name), std::string::npos) << run.error().message;
    json.erase(name);
    // The lists may be absent.
    EXPECT_EQ(ParseShadowRun(json.dump()).ok(), name == "always" || name == "never") << name;
  }
}

TEST(ShadowRunTest, RefusesWhatIsNoneAndWhatIsNewer) {
  for (const char* text : {"", "[]", "{}", "{\"format\":\"telltale-shadow-run\"}", "\xff"}) {
    EXPECT_FALSE(ParseShadowRun(text).ok()) << text;
  }
  auto newer = Whole();
  newer["version"] = 2;
  EXPECT_EQ(ParseShadowRun(newer.dump()).error().code, Code::kUnsupported);
}

}  // namespace
}  // namespace telltale::lake
