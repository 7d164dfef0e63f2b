// Who gets rows, in what form, and what is on record before they leave.
#include "vault/access/door.h"

#include "seal/seal.h"
#include "vault/access/access_testing.h"

namespace telltale::vault {
namespace {

using nlohmann::json;

class DoorTest : public testing::Test {
 protected:
  DoorTest() { EXPECT_TRUE(world_.Open().ok()); }
  AccessWorld world_;
};

TEST_F(DoorTest, AStrangerGetsNothingAndIsRecorded) {
  EXPECT_EQ(world_.Code(99, Message({})), "refused");
  const auto refusals = world_.Audit("refusal");
  ASSERT_EQ(refusals.size(), 1u);
  EXPECT_EQ(refusals[0]["reason"], "nobody");
  EXPECT_EQ(refusals[0]["uid"], 99);
}

TEST_F(DoorTest, AskingWithoutEndDoesNotFillTheDiskAndTheRestIsCounted) {
  for (int i = 0; i < 50; ++i) EXPECT_EQ(world_.Code(99, Message({})), "refused");
  EXPECT_EQ(world_.Audit("refusal").size(), 20u);
  world_.clock.Advance(Micros::Seconds(11));
  EXPECT_EQ(world_.Code(99, Message({})), "refused");
  EXPECT_EQ(world_.Audit("refusal").back()["repeated"], 30);
  EXPECT_EQ(world_.counters.Get("refusals").value(), 51u);
}

TEST_F(DoorTest, ARequestThatNeedsNobodyIsAnsweredAtOnceAndRecordedBeforeTheFirstRow) {
  Caller caller;
  caller.uid = 1;
  std::size_t recorded = 0;
  json end;
  ASSERT_TRUE(world_.door
                  ->Handle(caller, Message({.vehicles = {1, 2}}),
                           [&](std::string_view text) {
                             if (recorded == 0) recorded = world_.Audit().size();
                             end = json::parse(text);
                             return Ok();
                           })
                  .ok());
  const auto entries = world_.Audit();
  ASSERT_EQ(entries.size(), 5u);
  EXPECT_EQ(recorded, 4u) << "policy, intent and both vehicles are there before the first row";
  EXPECT_EQ(entries[1]["event"], "intent");
  EXPECT_EQ(entries[1]["purpose"], "open_trace");
  EXPECT_EQ(entries[1]["role"], "investigator");
  EXPECT_EQ(entries[1]["person"], 1);
  EXPECT_EQ(entries[1]["vehicles"], 2);
  EXPECT_EQ(entries[1]["policy"], world_.door->policy_digest());
  EXPECT_EQ(entries[2]["event"], "vehicle");
  EXPECT_EQ(entries[2]["intent"], 2);
  EXPECT_EQ(entries[4]["event"], "outcome");
  EXPECT_EQ(entries[4]["rows"], 6);
  EXPECT_EQ(entries[4]["result"], "complete");
  EXPECT_EQ(end["rows"], 6);
  EXPECT_EQ(end["repeats"], 2);
}

TEST_F(DoorTest, TheLogNamesNoVehicleNoPlaceAndNoRowAndTheSameVehicleNeverTwiceAlike) {
  world_.Rows(1, Message({}));
  world_.Rows(1, Message({}));
  const std::string log = *ReadWholeFile(world_.disk, "/vault/audit/audit.log");
  for (const std::string& word : {RefOf(1).ToHex(), std::string("48.0"), std::string("latitude")}) {
    EXPECT_EQ(log.find(word), std::string::npos) << word;
  }
  const auto vehicles = world_.Audit("vehicle");
  ASSERT_EQ(vehicles.size(), 2u);
  EXPECT_NE(vehicles[0]["tag"], vehicles[1]["tag"]);
  for (const json& one : vehicles) {
    const std::string salt = *HexDecode(one["salt"].get<std::string>());
    EXPECT_EQ(one["tag"], *world_.tags.Tag(RefOf(1), salt));
  }
}

TEST_F(DoorTest, EveryRowCarriesWhoseItIsAndUnderWhichRequestItLeft) {
  const auto rows = world_.Rows(1, Message({.vehicles = {1, 2}}));
  ASSERT_EQ(rows.size(), 6u);
  EXPECT_EQ(rows[0]["request"], 1);
  EXPECT_EQ(rows[0]["vehicle_ref"], RefOf(1).ToHex());
  EXPECT_EQ(rows[5]["vehicle_ref"], RefOf(2).ToHex());
}

TEST_F(DoorTest, TheDigestIsOfTheRowsAsSentUnderASaltOnlyTheAskerHas) {
  const auto messages = world_.Ask(1, Message({}));
  const json& end = messages.back();
  std::string text = *HexDecode(end["salt"].get<std::string>());
  for (const json& row : messages[0]["rows"]) text += row.dump() + "\n";
  EXPECT_EQ(end["digest"], HexEncode(seal::Sha256(text)));
  EXPECT_EQ(world_.Audit("outcome").back()["digest"], end["digest"]);
  const std::string log = *ReadWholeFile(world_.disk, "/vault/audit/audit.log");
  EXPECT_EQ(log.find(end["salt"].get<std::string>()), std::string::npos);
}

TEST_F(DoorTest, OnlyTheFieldsThatPurposeAndRequestNameLeave) {
  auto rows = world_.Rows(1, Message({.purpose = "named_fields"}));
  EXPECT_EQ(rows[0]["fields"], (json{{"longitude_deg", 11.5}}));
  EXPECT_FALSE(rows[0].contains("unknown"));
  json asking = Message({});
  asking["fields"] = {"latitude_deg"};
  rows = world_.Rows(1, asking);
  EXPECT_EQ(rows[0]["fields"], (json{{"latitude_deg", 48.0}}));
  EXPECT_FALSE(rows[0].contains("unknown")) << "bytes without a name were not asked for";
  asking["purpose"] = "named_fields";
  EXPECT_EQ(world_.Code(1, asking), "refused");
}

TEST_F(DoorTest, DistanceBinsHaveNoPlaceNoHeadingAndNoExactTime) {
  world_.rows.rows_each = 10;
  const auto rows = world_.Rows(1, Message({.purpose = "bins"}));
  ASSERT_EQ(rows.size(), 1u);
  // Nine steps of a thousandth of a degree north: 9 x 111.19 m, rounded down to hundreds.
  EXPECT_EQ(rows[0]["distance_m"], 1000);
  EXPECT_EQ(rows[0]["event_time_us"].get<std::int64_t>() % 300'000'000, 0);
  std::vector<std::string> keys;
  for (const auto& [key, value] : rows[0].items()) keys.push_back(key);
  EXPECT_EQ(keys, (std::vector<std::string>{"bin_m", "distance_m", "event_time", "event_time_us",
                                            "request", "vehicle_ref"}));
}

TEST_F(DoorTest, CellsAreCoarseEachOnceInItsSlot) {
  world_.rows.rows_each = 100;  // 11 km
  const auto rows = world_.Rows(1, Message({.purpose = "cells"}));
  ASSERT_GT(rows.size(), 2u);
  ASSERT_LT(rows.size(), 12u);
  std::set<std::string> cells;
  for (const json& row : rows) {
    EXPECT_EQ(row["cell_level"], 12);
    EXPECT_TRUE(cells.insert(row["cell"].get<std::string>()).second);
    EXPECT_LE(row["cell"].get<std::string>().size(), 7u) << "a token of level 12 or coarser";
    EXPECT_FALSE(row.contains("fields"));
    EXPECT_FALSE(row.contains("seq"));
  }
}

TEST_F(DoorTest, WhatThePolicyDoesNotAllowIsRefusedAndNothingLeaves) {
  const auto refused = [&](const json& message, std::uint32_t uid, const char* reason) {
    EXPECT_EQ(world_.Code(uid, message), "refused") << reason;
    EXPECT_EQ(world_.Audit().back()["reason"], reason);
  };
  refused(Message({.purpose = "gossip"}), 1, "purpose");
  refused(Message({}), 2, "purpose");
  refused(Message({.vehicles = {1, 2, 3, 4}}), 1, "vehicles");
  refused(Message({.hours = 49}), 1, "interval");
  json asking = Message({});
  asking["class"] = "unknown";
  refused(asking, 1, "class");
  asking = Message({.purpose = "bins"});
  asking["keep"] = true;
  refused(asking, 1, "export");
  asking = Message({});
  asking["break_glass"] = true;
  refused(asking, 1, "break_glass");
  EXPECT_TRUE(world_.Audit("intent").empty());
}

TEST_F(DoorTest, ThereIsNoQueryByPlace) {
  for (const char* key : {"latitude_deg", "bbox", "near", "cell", "polygon", "radius_m"}) {
    json asking = Message({});
    asking[key] = "48.1,11.5";
    EXPECT_EQ(world_.Code(1, asking), "invalid") << key;
    EXPECT_NE(world_.last_error.find("no query by place"), std::string::npos);
  }
}

TEST_F(DoorTest, WhatIsIncompleteOrNamesAVinOrAPlaceIsRefusedWithoutBeingQuoted) {
  const std::vector<std::pair<std::string, json>> bad = {{"purpose", ""},
                                                         {"purpose", 7},
                                                         {"case", "  "},
                                                         {"case", std::string(201, 'x')},
                                                         {"case", "a\nb"},
                                                         {"case", nullptr},
                                                         {"from_us", "now"},
                                                         {"to_us", 0},
                                                         {"vehicles", "x"},
                                                         {"vehicles", json::array()},
                                                         {"vehicles", {"x"}},
                                                         {"vehicles", {1}},
                                                         {"class", "refused"},
                                                         {"fields", {"a b"}},
                                                         {"break_glass", "yes"},
                                                         {"case", "car WVWZZZ1JZXW000001 again"},
                                                         {"case", "near 48.1371, 11.5761"}};
  for (const auto& [key, value] : bad) {
    json asking = Message({});
    asking[key] = value;
    EXPECT_EQ(world_.Code(1, asking), "invalid") << key << value;
    EXPECT_EQ(world_.last_error.find("WVW"), std::string::npos);
  }
  for (const char* key : {"vehicles", "from_us", "to_us", "purpose", "case"}) {
    json asking = Message({});
    asking.erase(key);
    EXPECT_EQ(world_.Code(1, asking), "invalid") << key;
  }
  EXPECT_EQ(world_.Audit("refusal")[0]["reason"], "request_incomplete");
}

TEST_F(DoorTest, WhenTheRecordCannotBeWrittenNoRowLeaves) {
  const auto refused = [&] {
    Status status;
    const auto messages = world_.Ask(1, Message({}), &status);
    return !status.ok() && messages.empty();
  };
  EXPECT_FALSE(refused());
  world_.disk.FailAfter(0);  // read-only
  EXPECT_TRUE(refused());
  world_.disk.FailNever();
  world_.disk.SetCapacity(1);  // full
  EXPECT_TRUE(refused());
  world_.disk.SetCapacity(1u << 30);
  EXPECT_FALSE(refused());
  const std::string log = *ReadWholeFile(world_.disk, "/vault/audit/audit.log");
  ASSERT_TRUE(world_.disk.Remove("/vault/audit/audit.log").ok());  // gone, then replaced
  EXPECT_TRUE(refused());
  ASSERT_TRUE(WriteFileDurably(world_.disk, "/vault/audit/audit.log", "").ok());
  EXPECT_TRUE(refused());
  ASSERT_TRUE(WriteFileDurably(world_.disk, "/vault/audit/audit.log", log).ok());
  EXPECT_FALSE(refused());
}

TEST_F(DoorTest, APeerThatHangsUpIsInTheOutcome) {
  Caller caller;
  caller.uid = 1;
  const Status ran = world_.door->Handle(caller, Message({}), [](std::string_view) {
    return Status(Error{Code::kUnavailable, "the peer hung up"});
  });
  EXPECT_FALSE(ran.ok());
  EXPECT_EQ(world_.Audit("outcome").back()["result"], "unavailable");
  // Of a message that was cut some rows may have arrived: never fewer than left.
  EXPECT_EQ(world_.Audit("outcome").back()["rows"], 3);
}

TEST_F(DoorTest, TheDaysCapsHoldAndTheNextDayIsNew) {
  world_.rows.rows_each = 400;
  EXPECT_EQ(world_.Rows(1, Message({})).size(), 400u);
  EXPECT_EQ(world_.Rows(1, Message({})).size(), 400u);
  EXPECT_EQ(world_.Code(1, Message({})), "refused") << "1,000 rows a day";
  EXPECT_EQ(world_.Audit("outcome").back()["rows"], 0);
  world_.rows.rows_each = 0;
  int asked = 3;
  while (world_.Code(1, Message({.vehicles = {1, 2, 3}})) == "ok") ++asked;
  EXPECT_EQ(asked, 3 + 19) << "60 vehicles a day";
  while (world_.Code(1, Message({.vehicles = {1, 2, 3}})) == "refused" && asked < 200) ++asked;
  EXPECT_NE(world_.last_error.find("your requests of this day"), std::string::npos);
  EXPECT_EQ(world_.Code(5, Message({})), "ok") << "each person has a day of his own";
  world_.clock.Advance(Micros{24 * kHourMicros});
  EXPECT_EQ(world_.Code(1, Message({})), "ok");
}

TEST_F(DoorTest, AVehicleWithoutAKeyIsRecordedAndHasNoRows) {
  class NoTags final : public VehicleTags {
   public:
    Result<std::string> Tag(const VehicleRef& /*vehicle*/, std::string_view /*salt*/) override {
      return Error{Code::kNotFound, "erased"};
    }
  } none;
  auto door =
      AccessDoor::Open({world_.disk, world_.clock, world_.random, world_.counters, *world_.audit,
                        world_.rows, none, world_.export_keys, world_.actions, world_.desk},
                       {.folder = "/other",
                        .policy_file = "/policy.yaml",
                        .environment_kind = "dev",
                        .window = Micros{30 * 24 * kHourMicros},
                        .vfs = &world_.vfs});
  ASSERT_TRUE(door.ok());
  Caller caller;
  caller.uid = 1;
  json last;
  ASSERT_TRUE((*door)
                  ->Handle(caller, Message({}),
                           [&](std::string_view text) {
                             last = json::parse(text);
                             return Ok();
                           })
                  .ok());
  EXPECT_EQ(last["rows"], 0);
  EXPECT_EQ(world_.Audit("vehicle").back()["tag"], "");
}

TEST_F(DoorTest, NonsenseGetsAnAnswerAndNothingElse) {
  for (const char* nonsense : {"", "{", "[]", "{\"op\":1}", "{\"op\":\"place\"}", "7"}) {
    Status status;
    EXPECT_TRUE(world_.Ask(1, json::parse(nonsense, nullptr, false), &status).empty());
    EXPECT_EQ(status.error().code, Code::kInvalid) << nonsense;
  }
}

TEST_F(DoorTest, AnAnswerIsNdjsonForWhoWantsLines) {
  std::string lines;
  EXPECT_TRUE(AppendNdjson(R"({"kind":"rows","rows":[{"a":1},{"b":2}]})", lines));
  EXPECT_EQ(lines, "{\"a\":1}\n{\"b\":2}\n");
  EXPECT_FALSE(AppendNdjson(R"({"kind":"end"})", lines));
}

TEST_F(DoorTest, OnlyAnAuditorReadsTheLogAndTheCheckpointIsSigned) {
  EXPECT_EQ(world_.Code(1, {{"op", "audit"}}), "refused");
  EXPECT_EQ(world_.Code(1, {{"op", "checkpoint"}}), "refused");
  const json checkpoint = world_.End(2, {{"op", "checkpoint"}})["checkpoint"];
  const std::string text = "telltale vault audit checkpoint v1\n" + checkpoint["entries"].dump() +
                           "\n" + checkpoint["hash"].get<std::string>() + "\n" +
                           checkpoint["at"].get<std::string>() + "\n";
  const std::string key = *HexDecode(checkpoint["key"].get<std::string>());
  EXPECT_TRUE(
      seal::VerifyEd25519(key, text, *HexDecode(checkpoint["signature"].get<std::string>())));
  EXPECT_EQ(key, *seal::LoadKey(world_.disk, "/vault/keys/audit.pub"));
  EXPECT_EQ(world_.End(2, {{"op", "checkpoint"}})["checkpoint"]["key"], checkpoint["key"]);
}

}  // namespace
}  // namespace telltale::vault
