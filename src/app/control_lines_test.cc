#include "app/control_lines.h"

#include <gtest/gtest.h>

namespace telltale::app {
namespace {

using nlohmann::json;

TEST(CostLineTest, SidesThatNobodyCountedAreLeftOut) {
  EXPECT_EQ(CostLine({{"id", "prod-1"}}), "") << "an older control";
  EXPECT_EQ(CostLine({{"costs", {{"candidate_cpu_s", nullptr}, {"previous_cpu_s", nullptr}}}}), "");
  EXPECT_EQ(CostLine({{"costs", {{"candidate_cpu_s", 41.517}, {"previous_cpu_s", nullptr}}}}),
            "  CPU beside the speaker: candidate 41.5 s\n");
  EXPECT_EQ(CostLine({{"costs", {{"candidate_cpu_s", 41.5}, {"previous_cpu_s", 0.25}}}}),
            "  CPU beside the speaker: candidate 41.5 s, the way back 0.2 s\n");
}

TEST(LakeLinesTest, AKindIsALineAndEachTableThatIsNotTheSameAnother) {
  EXPECT_EQ(LakeLines({{"lake", nullptr}}), "");
  EXPECT_EQ(LakeLines({{"lake", {{"features", nullptr}, {"telemetry", nullptr}}}}), "");
  const json wear = {{"name", "wear"}, {"status", "compared"},  {"verdict", "differs"},
                     {"changed", 5},   {"missing", 1},          {"extra", 0},
                     {"error", ""},    {"vehicles_affected", 3}};
  const json broken = {
      {"name", "trim"}, {"status", "failed"}, {"verdict", "failed"}, {"error", "no column x"}};
  const json same = {{"name", "dip"}, {"status", "same_code"}, {"verdict", "same"}};
  const json features = {{"verdict", "failed"},
                         {"reason", ""},
                         {"at", "2026-11-30T10:00:00.000000Z"},
                         {"tables", {broken, wear, same}}};
  const json telemetry = {{"verdict", "unreadable"}, {"reason", "no JSON"}, {"at", ""}};
  EXPECT_EQ(LakeLines({{"lake", {{"features", features}, {"telemetry", telemetry}}}}),
            "  lake, features: failed at 2026-11-30T10:00:00.000000Z\n"
            "    trim failed: no column x\n"
            "    wear compared: 5 changed, 1 missing, 0 extra, 3 vehicles affected\n"
            "  lake, telemetry: unreadable: no JSON\n");
}

}  // namespace
}  // namespace telltale::app
